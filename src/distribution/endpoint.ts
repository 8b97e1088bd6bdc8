// Endpoints: where a repository's content is asked for, in which order, and how.

import { DEFAULT_DOMAIN, type Reference } from '../spec/reference.ts';
import { isThisHost } from './http/address-class.ts';
import type { Origin } from './http/origin.ts';

/** One place that serves a repository. */
export interface Endpoint {
  /** Host and port as in a reference: what people know it by and what credentials are kept for. */
  readonly host: string;
  readonly repository: string;
  /** Tried in this order until one answers: https, and http where that is allowed. */
  readonly origins: readonly Origin[];
  /** Whether the certificate is checked. */
  readonly verify: boolean;
  readonly isMirror: boolean;
}

/** What docker.io is served by, for the name itself is a web site's. */
const DEFAULT_API_HOST = 'registry-1.docker.io';

/**
 * The endpoint of a repository at `host` (`host[:port]`). Without TLS only where somebody said `insecure`, and on this
 * host itself, where nobody listens in between (docker's rule for 127.0.0.0/8).
 */
export function endpointOf(host: string, repository: string, insecure: boolean, isMirror = false): Endpoint {
  const { name, port } = splitHost(host === DEFAULT_DOMAIN ? DEFAULT_API_HOST : host);
  const https: Origin = { scheme: 'https', host: name, port: port ?? 443 };
  const http: Origin = { scheme: 'http', host: name, port: port ?? 80 };
  const plain = insecure || isThisHost(name);
  return { host, repository, origins: plain ? [https, http] : [https], verify: !insecure, isMirror };
}

/** The endpoint of a reference as it is written. */
export function directEndpoint(ref: Reference, insecure: boolean): Endpoint {
  return endpointOf(ref.domain, ref.path, insecure);
}

/** `host:port` and `[::1]:port` in their parts; the name in lower case. */
export function splitHost(host: string): { readonly name: string; readonly port: number | undefined } {
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(host);
  const port = match?.[2] === undefined ? undefined : Number(match[2]);
  return { name: (match?.[1] ?? host).toLowerCase(), port };
}
