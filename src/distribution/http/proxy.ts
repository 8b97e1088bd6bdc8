// Proxies of the environment: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, read as Go's programs read them.

import { CaissonError } from '../../spec/error.ts';
import { addressClass, isThisHost } from './address-class.ts';
import type { Origin } from './origin.ts';

export interface ProxyServer {
  readonly scheme: 'http' | 'https' | 'socks5';
  readonly host: string;
  readonly port: number;
  /** Of a SOCKS proxy. */
  readonly user?: { readonly name: string; readonly password: string };
  /** The value of Proxy-Authorization, for the proxy alone. */
  readonly authorization?: string;
}

/** Which proxy leads to an origin; undefined for none. Throws CaissonError `EPROXY` for one that cannot be used. */
export type ProxyChoice = (origin: Origin) => ProxyServer | undefined;

/**
 * The choice that an environment makes (golang.org/x/net/http/httpproxy). Upper case goes first; in a CGI program
 * HTTP_PROXY is a header of the request and not looked at. This host itself is never behind a proxy. ALL_PROXY is for what
 * has none of its own, as with curl(1).
 */
export function proxyOfEnvironment(variable: (name: string) => string | undefined): ProxyChoice {
  const either = (name: string) => variable(name) || variable(name.toLowerCase()) || '';
  const isCgi = (variable('REQUEST_METHOD') ?? '') !== '';
  const settings = {
    http: isCgi ? variable('http_proxy') || '' : either('HTTP_PROXY'),
    https: either('HTTPS_PROXY'),
  };
  const all = either('ALL_PROXY');
  const rules = either('NO_PROXY')
    .split(',')
    .map((rule) => rule.trim().toLowerCase())
    .filter((rule) => rule !== '');
  return (origin) => {
    const text = settings[origin.scheme] || all;
    if (text === '' || isThisHost(origin.host)) return undefined;
    if (rules.some((rule) => isExempt(rule, origin))) return undefined;
    return parseProxy(text);
  };
}

function parseProxy(text: string): ProxyServer {
  let url: URL;
  try {
    url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  } catch {
    throw new CaissonError('the proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY is not a URL', {
      code: 'EPROXY',
    });
  }
  const scheme = SCHEMES.get(url.protocol);
  if (scheme === undefined) {
    throw new CaissonError(`a proxy of the scheme ${url.protocol.slice(0, -1)} is not supported`, {
      code: 'EPROXY',
      details: ['http://, https:// and socks5h:// are, in HTTPS_PROXY, HTTP_PROXY and ALL_PROXY'],
    });
  }
  const port = url.port === '' ? PORTS[scheme] : Number(url.port);
  const proxy = { scheme, host: url.hostname, port };
  if (url.username === '') return proxy;
  const [name, password] = [decoded(url.username), decoded(url.password)];
  if (scheme === 'socks5') return { ...proxy, user: { name, password } };
  return {
    ...proxy,
    authorization: `Basic ${Buffer.from(`${name}:${password}`, 'utf8').toString('base64')}`,
  };
}

/** The name is always looked up by the proxy, as Go's programs have it for both spellings of SOCKS 5. */
const SCHEMES: ReadonlyMap<string, ProxyServer['scheme']> = new Map([
  ['http:', 'http'],
  ['https:', 'https'],
  ['socks5:', 'socks5'],
  ['socks5h:', 'socks5'],
]);
const PORTS: Readonly<Record<ProxyServer['scheme'], number>> = { http: 80, https: 443, socks5: 1080 };

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new CaissonError('the user or password of the proxy is not percent-encoded text', {
      code: 'EPROXY',
    });
  }
}

/** `*`, an address, a range of addresses, a domain (with what is below it), `.domain` or `*.domain` (only that); each may have a port. */
function isExempt(rule: string, origin: Origin): boolean {
  if (rule === '*') return true;
  const host = origin.host.replace(/^\[|\]$/g, '');
  const slash = rule.indexOf('/');
  if (slash > 0) return isInRange(host, rule.slice(0, slash), rule.slice(slash + 1));
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(rule);
  const [name, port] = match === null ? [rule, undefined] : [match[1] ?? '', match[2]];
  if (port !== undefined && Number(port) !== origin.port) return false;
  const plain = name.replace(/^\[|\]$/g, '');
  if (plain === '') return false;
  if (addressClass(host) !== undefined) return plain === host;
  const below = plain.replace(/^\*?\./, '.');
  return below.startsWith('.') ? host.endsWith(below) : host === below || host.endsWith(`.${below}`);
}

function isInRange(host: string, network: string, prefix: string): boolean {
  const [a, b] = [addressBits(host), addressBits(network)];
  const length = Number(prefix);
  if (a === undefined || b === undefined || a.length !== b.length || !/^\d{1,3}$/.test(prefix)) return false;
  return length <= a.length && a.slice(0, length) === b.slice(0, length);
}

/** An address as a text of its bits. */
function addressBits(address: string): string | undefined {
  if (addressClass(address) === undefined) return undefined;
  if (!address.includes(':')) {
    return address
      .split('.')
      .map((octet) => Number(octet).toString(2).padStart(8, '0'))
      .join('');
  }
  // URL writes an address in its shortest form, with one `::` at most and no dots.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const [left, right] = [groups(head), groups(tail ?? '')];
  const missing = tail === undefined ? 0 : 8 - left.length - right.length;
  return [...left, ...new Array<string>(missing).fill('0'), ...right]
    .map((group) => Number.parseInt(group, 16).toString(2).padStart(16, '0'))
    .join('');
}
