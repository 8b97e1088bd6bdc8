// Keys of credentials: under which names a file or a helper may have those of a registry, and which are another's.

import { DEFAULT_DOMAIN } from '../../spec/reference.ts';

/** docker's name for Docker Hub in its files and for its helpers. */
export const HUB_KEY = 'https://index.docker.io/v1/';

const HUB_HOSTS = [DEFAULT_DOMAIN, 'index.docker.io', 'registry-1.docker.io'];

/** The one spelling of a registry's host and port: lower case, Docker Hub's hosts as `docker.io`. */
export function normalHost(host: string): string {
  const lower = host.toLowerCase();
  return HUB_HOSTS.includes(lower) ? DEFAULT_DOMAIN : lower;
}

/** The server name that docker passes to helpers and writes into its file. */
export function serverName(host: string): string {
  const normal = normalHost(host);
  return normal === DEFAULT_DOMAIN ? HUB_KEY : normal;
}

export interface KeyMeaning {
  readonly host: string;
  /** containers-auth.json(5): credentials for a part of a registry; '' for all of it. */
  readonly namespace: string;
}

/**
 * What a key of `auths` means: `https://host/v1/` and `host/v2/` of old docker clients are the host, `host/team/app` of
 * podman is a part of it.
 */
export function keyMeaning(key: string): KeyMeaning {
  const bare = key.replace(/^https?:\/\//i, '').replace(/\/+$/, '');
  const slash = bare.indexOf('/');
  if (slash < 0) return { host: normalHost(bare), namespace: '' };
  const rest = bare.slice(slash + 1);
  const isOld = bare.length !== key.replace(/\/+$/, '').length || /^v[12]$/.test(rest);
  return { host: normalHost(bare.slice(0, slash)), namespace: isOld ? '' : rest };
}

/** How well a key fits a repository: the length of its namespace, -1 for another registry or another part. */
export function keyFit(key: string, host: string, repository: string): number {
  const meaning = keyMeaning(key);
  if (meaning.host !== normalHost(host)) return -1;
  if (meaning.namespace === '') return 0;
  const fits = repository === meaning.namespace || repository.startsWith(`${meaning.namespace}/`);
  return fits ? meaning.namespace.length : -1;
}
