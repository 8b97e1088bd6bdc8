// Origins (RFC 6454): scheme, host and port, which credentials belong to and never leave.

import { CaissonError } from '../../spec/error.ts';
import { type AddressClass, hostClass, mayLead } from './address-class.ts';

export interface Origin {
  readonly scheme: 'http' | 'https';
  /** Lower case; an IPv6 address in brackets. */
  readonly host: string;
  readonly port: number;
}

/** The origin of a URL of http or https; undefined for other schemes. */
export function originOf(url: URL): Origin | undefined {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
  const scheme = url.protocol === 'http:' ? 'http' : 'https';
  const port = url.port === '' ? defaultPort(scheme) : Number(url.port);
  return { scheme, host: url.hostname.toLowerCase(), port };
}

export function sameOrigin(a: Origin, b: Origin): boolean {
  return a.scheme === b.scheme && a.host === b.host && a.port === b.port;
}

/** `https://host[:port]`, without a default port. */
export function originText(origin: Origin): string {
  return `${origin.scheme}://${hostHeader(origin)}`;
}

/** The value of the Host header (RFC 9110, section 7.2). */
export function hostHeader(origin: Origin): string {
  return origin.port === defaultPort(origin.scheme) ? origin.host : `${origin.host}:${origin.port}`;
}

/** A URL as messages show it: without user information, query and fragment, which may be secrets of a storage. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}${url.search === '' ? '' : '?...'}`;
}

function defaultPort(scheme: Origin['scheme']): number {
  return scheme === 'http' ? 80 : 443;
}

/** Where a registry's answer leads, and by what: for messages. */
export type Lead = 'redirect' | 'upload location' | 'token service' | 'next page';

/**
 * The URL that a registry names in an answer to a request for `base`. Throws CaissonError `EREDIRECT` for what is not
 * http or https, carries user information, gives up TLS, or is inside where the registry (`from`) is not.
 */
export function leadTo(text: string, base: URL, from: AddressClass, lead: Lead): URL {
  let url: URL;
  try {
    url = new URL(text, base);
  } catch {
    throw refuse(lead, base, 'is not a URL');
  }
  const target = originOf(url);
  if (target === undefined)
    throw refuse(lead, base, `is of the scheme ${JSON.stringify(url.protocol.slice(0, 20))}`);
  if (url.username !== '' || url.password !== '')
    throw refuse(lead, base, 'contains a user name or password');
  if (base.protocol === 'https:' && target.scheme === 'http')
    throw refuse(lead, base, `gives up TLS: ${shownUrl(url)}`);
  const to = hostClass(target.host);
  const own = originOf(base);
  const stays = own !== undefined && own.host === target.host;
  if (to !== undefined && !stays && !mayLead(from, to))
    throw refuse(lead, base, `is an address of class ${to} and the registry is ${from}: ${shownUrl(url)}`);
  url.hash = '';
  return url;
}

function refuse(lead: Lead, base: URL, why: string): CaissonError {
  return new CaissonError(
    `${originText(originOf(base) ?? NOWHERE)} names a ${lead} that ${why}; it is not followed`,
    {
      code: 'EREDIRECT',
      details: [
        'a registry that is set up like this, or somebody between it and this host, wants to be looked at',
      ],
    },
  );
}

const NOWHERE: Origin = { scheme: 'https', host: 'unknown', port: 443 };
