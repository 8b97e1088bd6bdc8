// The streams of `kubectl exec -it`: a WebSocket (RFC 6455) with Kubernetes' channels in it (v4.channel.k8s.io).

import { randomBytes } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import type { Kubelet } from './cri.ts';
import { until } from './sleep.ts';

/** The first byte of each message. */
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4 } as const;

const BINARY = 0x82;

/** A client's frame: masked, at most 64 kB. */
function frame(content: Buffer): Buffer {
  const head =
    content.length < 126
      ? Buffer.from([BINARY, 0x80 | content.length])
      : Buffer.from([BINARY, 0x80 | 126, content.length >> 8, content.length & 0xff]);
  const mask = randomBytes(4);
  return Buffer.concat([head, mask, content.map((byte, at) => byte ^ (mask[at & 3] ?? 0))]);
}

/** Takes whole frames of a server off a buffer: their contents, and what is left. */
function frames(buffer: Buffer): { contents: Buffer[]; rest: Buffer } {
  const contents: Buffer[] = [];
  let rest = buffer;
  for (;;) {
    const short = (rest[1] ?? 0) & 0x7f;
    const header = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (rest.length < header) return { contents, rest };
    const length =
      short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
    if (rest.length < header + length) return { contents, rest };
    if (((rest[0] ?? 0) & 0x0f) <= 2) contents.push(rest.subarray(header, header + length));
    rest = rest.subarray(header + length);
  }
}

/** A program with a terminal, or an attachment to one. */
export class Terminal {
  output = '';
  /** The status object that ends it, as JSON. */
  status = '';
  private readonly input: Writable;
  private received: Buffer = Buffer.alloc(0);
  private upgraded = false;
  private readonly end: () => void;

  private constructor(input: Writable, output: Readable, end: () => void) {
    this.input = input;
    this.end = end;
    output.on('data', (chunk: Buffer) => {
      this.take(chunk);
    });
  }

  private take(chunk: Buffer): void {
    this.received = Buffer.concat([this.received, chunk]);
    if (!this.upgraded) {
      const end = this.received.indexOf('\r\n\r\n');
      if (end < 0) return;
      if (!this.received.toString().startsWith('HTTP/1.1 101')) this.status = this.received.toString();
      this.upgraded = true;
      this.received = this.received.subarray(end + 4);
    }
    const { contents, rest } = frames(this.received);
    this.received = rest;
    for (const content of contents) {
      const text = content.subarray(1).toString();
      if (content[0] === CHANNEL.status) this.status += text;
      else this.output += text;
    }
  }

  /** Connects to the URL that Exec or Attach has answered with. */
  static async open(kubelet: Kubelet, url: string): Promise<Terminal> {
    const { port, pathname, search, host } = new URL(url);
    const { stdin, stdout } = kubelet.room.connect(Number(port));
    if (stdin === null || stdout === null) throw new Error('the connection has no streams');
    const terminal = new Terminal(stdin, stdout, () => stdin.end());
    const lines = [
      `GET ${pathname}${search} HTTP/1.1`,
      `Host: ${host}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
      'Sec-WebSocket-Protocol: v4.channel.k8s.io',
    ];
    stdin.write(`${lines.join('\r\n')}\r\n\r\n`);
    await until('the upgrade', () => terminal.upgraded);
    return terminal;
  }

  /** Types text. */
  type(text: string): void {
    this.input.write(frame(Buffer.from(`\0${text}`)));
  }

  resize(columns: number, rows: number): void {
    const size = Buffer.from(JSON.stringify({ Width: columns, Height: rows }));
    this.input.write(frame(Buffer.concat([Buffer.from([CHANNEL.resize]), size])));
  }

  close(): void {
    this.end();
  }
}
