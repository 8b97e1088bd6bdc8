// A scripted HTTP server for tests: what it was asked, and answers that a test puts in front of its own.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

export interface Seen {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

/** Answers a request, or leaves it (false) to the next. */
export type Answer = (
  request: IncomingMessage,
  response: ServerResponse,
) => boolean | undefined | Promise<boolean | undefined>;

export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
  /** Authorities of clients, which then have to show a certificate. */
  readonly clients?: string;
}

/** Listens on an address of loopback. */
export class FakeServer {
  readonly seen: Seen[] = [];
  readonly scheme: 'http' | 'https';
  port = 0;
  /** Connections so far. */
  accepted = 0;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly scripts: { pattern: RegExp; times: number; answer: Answer }[] = [];

  constructor(tls?: TlsFiles) {
    const listener = (request: IncomingMessage, response: ServerResponse) => {
      void this.serve(request, response);
    };
    const clients =
      tls?.clients === undefined ? {} : { ca: tls.clients, requestCert: true, rejectUnauthorized: true };
    this.scheme = tls === undefined ? 'http' : 'https';
    this.server =
      tls === undefined
        ? createServer(listener)
        : createTlsServer({ cert: tls.certificate, key: tls.key, ...clients }, listener);
    this.server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      this.accepted++;
      socket.on('error', () => undefined);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  async listen(address = '127.0.0.1'): Promise<this> {
    await new Promise<void>((resolve) => {
      this.server.listen(0, address, resolve);
    });
    this.port = (this.server.address() as AddressInfo).port;
    return this;
  }

  /** `127.0.0.1:port`. */
  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  get url(): string {
    return `${this.scheme}://${this.host}`;
  }

  get connections(): number {
    return this.sockets.size;
  }

  /** Requests whose `METHOD path` matches are answered so, as often as `times` says. */
  script(pattern: RegExp, answer: Answer, times = Number.POSITIVE_INFINITY): void {
    this.scripts.unshift({ pattern, times, answer });
  }

  /** How many requests have been seen whose `METHOD path` matches. */
  count(pattern: RegExp): number {
    return this.seen.filter(({ method, url }) => pattern.test(`${method} ${url}`)).length;
  }

  /** Whether any header of any request contains the text, plain or in base64 of `user:text`. */
  heard(secret: string): boolean {
    return this.seen.some(({ url, headers }) => {
      const all = [url, ...Object.values(headers).flatMap((value) => value ?? [])];
      return all.some((each) => each.includes(secret) || decodedBasic(each).includes(secret));
    });
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }

  /** What is answered when no script is. */
  protected answer(_: IncomingMessage, response: ServerResponse): void | Promise<void> {
    send(response, 404, {}, '');
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    this.seen.push({ method, url, headers });
    response.on('error', () => undefined);
    for (const script of this.scripts) {
      if (script.times <= 0 || !script.pattern.test(`${method} ${url}`)) continue;
      script.times--;
      if ((await script.answer(request, response)) !== false) return;
    }
    await this.answer(request, response);
  }
}

function decodedBasic(value: string): string {
  const match = /^Basic (.+)$/.exec(value);
  return match === null ? '' : Buffer.from(match[1] ?? '', 'base64').toString('utf8');
}

/** A whole answer. */
export function send(
  response: ServerResponse,
  status: number,
  headers: Record<string, string | string[]>,
  body: string | Uint8Array,
): true {
  response.writeHead(status, { 'Content-Length': String(Buffer.byteLength(body)), ...headers });
  response.end(response.req.method === 'HEAD' ? undefined : body);
  return true;
}

/** An answer that always says the same. */
export function saying(status: number, headers: Record<string, string | string[]> = {}, body = ''): Answer {
  return (request, response) => {
    request.resume();
    return send(response, status, headers, body);
  };
}

/** The body of a request. */
export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
