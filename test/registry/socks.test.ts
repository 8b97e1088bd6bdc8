// A registry behind a SOCKS 5 proxy, which looks the name up; and proxies that refuse or talk nonsense.

import assert from 'node:assert/strict';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { originOf } from '../../src/distribution/http/origin.ts';
import { throughSocks } from '../../src/distribution/http/socks.ts';
import { CaissonError } from '../../src/spec/error.ts';

/** What a proxy does with a connection. */
type Script = (socket: SocksConversation) => Promise<void>;

/** Reads a client's bytes exactly. */
class SocksConversation {
  readonly socket: Socket;
  private bytes = Buffer.alloc(0);
  private wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      this.bytes = Buffer.concat([this.bytes, chunk]);
      this.wake();
    });
  }

  async take(length: number): Promise<Buffer> {
    while (this.bytes.length < length)
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    const taken = this.bytes.subarray(0, length);
    this.bytes = this.bytes.subarray(length);
    return taken;
  }

  say(...bytes: readonly number[]): void {
    this.socket.write(Uint8Array.from(bytes));
  }
}

const servers: { close(): void }[] = [];
after(() => {
  for (const server of servers) server.close();
});

async function serve(script: Script): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    void script(new SocksConversation(socket)).catch(() => undefined);
  });
  servers.push({
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** A proxy that does as it should, in single bytes, and is then an echo that begins with `!`. */
const good =
  (asked: string[], reply: readonly number[]): Script =>
  async (talk) => {
    const [, count = 0] = await talk.take(2);
    const methods = [...(await talk.take(count))];
    const method = methods.includes(2) ? 2 : 0;
    talk.say(5);
    talk.say(method);
    if (method === 2) {
      const [, nameLength = 0] = await talk.take(2);
      const name = await talk.take(nameLength);
      const [passwordLength = 0] = await talk.take(1);
      asked.push(`${name}:${await talk.take(passwordLength)}`);
      talk.say(1, 0);
    }
    const [, , , , length = 0] = await talk.take(5);
    const host = (await talk.take(length)).toString();
    const [high = 0, low = 0] = await talk.take(2);
    asked.push(`${host}:${high * 256 + low}`);
    // What follows comes in the same packet, and is not the proxy's.
    talk.say(...reply, 0x21);
  };

async function lead(port: number, url: string, user?: { name: string; password: string }): Promise<Socket> {
  const origin = originOf(new URL(url));
  assert.ok(origin);
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => {
    socket.once('connect', resolve);
  });
  const proxy = {
    scheme: 'socks5',
    host: '127.0.0.1',
    port,
    ...(user === undefined ? {} : { user }),
  } as const;
  try {
    await throughSocks(socket, proxy, origin);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return socket;
}

const V4 = [5, 0, 0, 1, 10, 0, 0, 1, 0, 80];
const V6 = [5, 0, 0, 4, ...new Array<number>(16).fill(0), 0, 80];
const NAMED = [5, 0, 0, 3, 4, 0x6e, 0x61, 0x6d, 0x65, 0, 80];

test('SOCKS: the name goes to the proxy, and not one byte more is read than its answer', async () => {
  for (const [reply, user] of [[V4], [V6], [NAMED, { name: 'bob', password: 'secret' }]] as const) {
    const asked: string[] = [];
    const port = await serve(good(asked, reply));
    const socket = await lead(port, 'https://registry.test/', user);
    assert.deepEqual(asked, [...(user === undefined ? [] : ['bob:secret']), 'registry.test:443']);
    const first = await new Promise<Buffer>((resolve) => {
      socket.once('data', resolve);
    });
    assert.equal(first.toString(), '!');
    socket.destroy();
  }
});

test('SOCKS: refusals are told, and what is no SOCKS ends', async () => {
  const cases: readonly (readonly [Script, RegExp, boolean?])[] = [
    [async (talk) => talk.say(5, 0xff), /it wants a user name and password/],
    [async (talk) => talk.say(5, 0xff), /another proof/, true],
    [async (talk) => talk.say(0x48, 0x54), /does not speak SOCKS 5/],
    [async (talk) => void talk.socket.end(), /closed the connection/],
    [async (talk) => void talk.socket.end(Uint8Array.of(5)), /closed the connection/],
    [
      async (talk) => {
        await talk.take(3);
        talk.say(5, 0);
        await talk.take(5);
        talk.say(5, 2, 0, 1);
      },
      /its rules do not allow it/,
    ],
    [
      async (talk) => {
        await talk.take(4);
        talk.say(5, 2);
        await talk.take(12);
        talk.say(1, 1);
      },
      /refuses the user name and password/,
      true,
    ],
  ];
  for (const [script, message, withUser] of cases) {
    const port = await serve(script);
    const user = withUser === true ? { name: 'bob', password: 'canary' } : undefined;
    const error = await lead(port, 'https://registry.test/', user).then(
      () => assert.fail(String(message)),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof CaissonError && error.code === 'EPROXY', String(error));
    assert.match(error.message, message);
    assert.ok(!error.message.includes('canary'));
  }
});
