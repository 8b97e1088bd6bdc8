// Connections: TCP, through a proxy where there is one, TLS on top, within one time limit.

import { type LookupAddress, type LookupAllOptions, lookup as systemLookup } from 'node:dns';
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls';
import { CaissonError } from '../../spec/error.ts';
import { type AddressClass, addressClass, mayLead } from './address-class.ts';
import { hostHeader, type Origin, originText } from './origin.ts';
import type { ProxyServer } from './proxy.ts';
import { throughSocks } from './socks.ts';

/** What TLS to one host trusts and shows. */
export interface TlsMaterial {
  /** Certificates of authorities in PEM; undefined: those that the runtime brings. */
  readonly authorities?: readonly string[];
  /** The client's own certificates and keys in PEM. */
  readonly certificates: readonly { readonly certificate: string; readonly key: string }[];
}

export interface Route {
  readonly origin: Origin;
  readonly proxy?: ProxyServer;
  readonly tls: TlsMaterial;
  readonly verify: boolean;
  /** The class of the registry that led here; undefined for what a person named. */
  readonly from?: AddressClass;
}

export interface Connection {
  readonly socket: Socket;
  /** Where it really ends; of what lies behind a proxy nothing is known. */
  readonly peer: AddressClass;
}

/** Connects within `milliseconds`. Throws node's errors, and CaissonError `EREDIRECT`, `EPROXY`, `ETIMEDOUT`. */
export async function openConnection(route: Route, milliseconds: number): Promise<Connection> {
  const sockets: Socket[] = [];
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(timeOut(route, milliseconds)), milliseconds);
  });
  try {
    return await Promise.race([establish(route, sockets), late]);
  } catch (error) {
    for (const socket of sockets) socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function establish(route: Route, sockets: Socket[]): Promise<Connection> {
  const { origin, proxy } = route;
  const keep = (socket: Socket) => {
    sockets.push(socket);
    return socket;
  };
  const first = await ready(
    keep(proxy === undefined ? dial(origin, guardOf(route)) : dial(proxy, undefined)),
    'connect',
  );
  let socket = first;
  if (proxy?.scheme === 'https') {
    socket = await ready(keep(secure(socket, proxy.host, { certificates: [] }, true)), 'secureConnect');
  }
  if (proxy?.scheme === 'socks5') await throughSocks(socket, proxy, origin);
  if (origin.scheme === 'https') {
    if (proxy !== undefined && proxy.scheme !== 'socks5') await tunnel(socket, proxy, origin);
    socket = await ready(keep(secure(socket, origin.host, route.tls, route.verify)), 'secureConnect');
  }
  socket.setNoDelay(true);
  const peer = proxy === undefined ? addressClass(first.remoteAddress ?? '') : addressClass(origin.host);
  return { socket, peer: peer ?? 'public' };
}

function dial(
  to: { readonly host: string; readonly port: number },
  lookup: LookupFunction | undefined,
): Socket {
  const host = to.host.replace(/^\[|\]$/g, '');
  return connectTcp({ host, port: to.port, ...(lookup === undefined ? {} : { lookup }) });
}

function guardOf({ from, origin, verify }: Route): LookupFunction | undefined {
  return from === undefined ? undefined : guardedLookup(from, origin.scheme === 'https' && verify);
}

/** dns.lookup(3) as it is used here. */
type LookupOfAll = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * Looks up a name that a registry of class `from` gave: addresses to which it could not lead are left out. With TLS a
 * private one may stay, for the certificate says that it is meant: storage is often reached inside by its public name.
 */
export function guardedLookup(
  from: AddressClass,
  isSecure: boolean,
  lookup: LookupOfAll = systemLookup,
): LookupFunction {
  const isAllowed = (to: AddressClass) => mayLead(from, to) || (isSecure && to === 'private');
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, []);
        return;
      }
      const allowed = addresses.filter(({ address }) => isAllowed(addressClass(address) ?? 'loopback'));
      const [first] = allowed;
      if (first === undefined) callback(insideName(hostname, from), []);
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

function insideName(hostname: string, from: AddressClass): CaissonError {
  return new CaissonError(
    `a ${from} registry leads to ${hostname}, which is an address inside; it is not followed`,
    {
      code: 'EREDIRECT',
    },
  );
}

/** Reading all authorities of a system takes tens of milliseconds; connections to one origin share what comes of it. */
const contexts = new WeakMap<TlsMaterial, SecureContext>();

function contextOf(tls: TlsMaterial): SecureContext {
  const known = contexts.get(tls);
  if (known !== undefined) return known;
  const context = makeContext(tls);
  contexts.set(tls, context);
  return context;
}

function makeContext({ authorities, certificates }: TlsMaterial): SecureContext {
  const own = {
    cert: certificates.map(({ certificate }) => certificate),
    key: certificates.map(({ key }) => key),
  };
  try {
    return createSecureContext({
      minVersion: 'TLSv1.2',
      ...(authorities === undefined ? {} : { ca: [...authorities] }),
      ...(certificates.length === 0 ? {} : own),
    });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw new CaissonError(`a certificate or key in certs.d cannot be used${code}`, {
      code: 'ECERTIFICATES',
    });
  }
}

function secure(socket: Socket, host: string, tls: TlsMaterial, verify: boolean): Socket {
  const name = host.replace(/^\[|\]$/g, '');
  return connectTls({
    socket,
    host: name,
    // An address is no server name (RFC 6066, section 3); the certificate is checked against `host` then.
    servername: isIP(name) === 0 ? name : '',
    rejectUnauthorized: verify,
    ALPNProtocols: ['http/1.1'],
    secureContext: contextOf(tls),
  });
}

function ready(socket: Socket, event: 'connect' | 'secureConnect'): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => reject(error);
    socket.once('error', failed);
    socket.once('close', () => reject(Object.assign(new Error('connection closed'), { code: 'ECONNRESET' })));
    socket.once(event, () => {
      socket.off('error', failed);
      // Whoever uses it listens later; until then an error must not end the process.
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}

/** More than this before the end of the header is no proxy's answer to CONNECT (RFC 9110, section 9.3.6). */
const TUNNEL_HEADER_LIMIT = 16 << 10;

function tunnel(socket: Socket, proxy: ProxyServer, origin: Origin): Promise<void> {
  const target = `${origin.host}:${origin.port}`;
  const authorization =
    proxy.authorization === undefined ? '' : `Proxy-Authorization: ${proxy.authorization}\r\n`;
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${authorization}\r\n`);
  return new Promise((resolve, reject) => {
    let answer = '';
    const fail = (why: string) => {
      const what = `the proxy ${proxy.host}:${proxy.port} does not lead to ${hostHeader(origin)}: ${why}`;
      reject(new CaissonError(what, { code: 'EPROXY' }));
    };
    const lost = () => fail('it closed the connection');
    socket.on('close', lost);
    const read = () => {
      // Byte by byte at the end: what follows the header is TLS's.
      for (let piece = socket.read(1); piece !== null; piece = socket.read(1)) {
        answer += (piece as Buffer).toString('latin1');
        if (answer.length > TUNNEL_HEADER_LIMIT) return fail('its answer is too long');
        if (!answer.endsWith('\r\n\r\n')) continue;
        socket.off('readable', read);
        socket.off('close', lost);
        const status = /^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1];
        if (status?.startsWith('2') === true) return resolve();
        return fail(
          status === '407' ? 'it wants a user name and password (407)' : `it answered ${status ?? 'no HTTP'}`,
        );
      }
    };
    socket.on('readable', read);
  });
}

function timeOut(route: Route, milliseconds: number): CaissonError {
  const through =
    route.proxy === undefined ? '' : ` through the proxy ${route.proxy.host}:${route.proxy.port}`;
  return new CaissonError(
    `${originText(route.origin)} does not answer${through} (${milliseconds / 1000} s)`,
    {
      code: 'ETIMEDOUT',
    },
  );
}
