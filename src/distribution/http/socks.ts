// SOCKS 5: a proxy that leads a connection to a name and port, which it looks up itself (RFC 1928, RFC 1929).

import type { Socket } from 'node:net';
import { CaissonError } from '../../spec/error.ts';
import { hostHeader, type Origin } from './origin.ts';
import type { ProxyServer } from './proxy.ts';

const VERSION = 5;
const NO_AUTHENTICATION = 0;
const PASSWORD = 2;
const CONNECT = 1;
const NAME = 3;
/** RFC 1928, section 6. */
const REPLIES = [
  'granted',
  'it failed',
  'its rules do not allow it',
  'the network is unreachable',
  'the host is unreachable',
  'the connection was refused',
  'the time to live has expired',
  'it does not know CONNECT',
  'it does not know this kind of address',
];
/** Bytes that follow a reply's header, by the type of its address; a name says its own length. */
const ADDRESS_LENGTH = new Map([
  [1, 4],
  [4, 16],
]);

/** Leads a connection to the proxy on to `origin`. Throws CaissonError `EPROXY` where it does not. */
export async function throughSocks(socket: Socket, proxy: ProxyServer, origin: Origin): Promise<void> {
  const fail = (why: string) =>
    new CaissonError(`the proxy ${proxy.host}:${proxy.port} does not lead to ${hostHeader(origin)}: ${why}`, {
      code: 'EPROXY',
    });
  const ask = async (bytes: Uint8Array, answer: number): Promise<Buffer> => {
    socket.write(bytes);
    return await exactly(socket, answer, fail);
  };
  const { user } = proxy;
  const methods = user === undefined ? [NO_AUTHENTICATION] : [NO_AUTHENTICATION, PASSWORD];
  const [version, method] = await ask(Uint8Array.of(VERSION, methods.length, ...methods), 2);
  if (version !== VERSION) throw fail('it does not speak SOCKS 5');
  if (method === PASSWORD && user !== undefined) {
    const [, refused] = await ask(Buffer.concat([Buffer.of(1), text(user.name), text(user.password)]), 2);
    if (refused !== 0) throw fail('it refuses the user name and password');
  } else if (method !== NO_AUTHENTICATION) {
    throw fail(
      user === undefined ? 'it wants a user name and password' : 'it wants another proof of who asks',
    );
  }
  const name = text(origin.host.replace(/^\[|\]$/g, ''));
  const port = Buffer.of(origin.port >> 8, origin.port & 255);
  const header = await ask(Buffer.concat([Buffer.of(VERSION, CONNECT, 0, NAME), name, port]), 4);
  if (header[1] !== 0) throw fail(REPLIES[header[1] ?? 1] ?? `it answered ${header[1]}`);
  const length = ADDRESS_LENGTH.get(header[3] ?? 0) ?? (await exactly(socket, 1, fail))[0] ?? 0;
  await exactly(socket, length + 2, fail);
}

/** A text of at most 255 bytes behind its length. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  if (bytes.length === 0 || bytes.length > 255)
    throw new CaissonError('a name for a SOCKS proxy has 1 to 255 bytes', { code: 'EPROXY' });
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}

/** The next bytes and not one more: what follows is the registry's. */
function exactly(socket: Socket, length: number, fail: (why: string) => CaissonError): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = () => {
      socket.off('readable', read);
      socket.off('close', lost);
    };
    const lost = () => {
      done();
      reject(fail('it closed the connection'));
    };
    const read = () => {
      const bytes = socket.read(length) as Buffer | null;
      if (bytes === null) return;
      done();
      if (bytes.length === length) resolve(bytes);
      else reject(fail('it closed the connection'));
    };
    socket.on('readable', read);
    socket.on('close', lost);
    read();
  });
}
