// References to images, in docker's grammar: domain, path, tag, digest (github.com/distribution/reference).

import { type Digest, isDigest } from './digest.ts';
import { CaissonError } from './error.ts';

/** A reference in full: `docker.io/library/debian:12`. */
export interface Reference {
  /** Host and port of the registry as they were written: `docker.io`, `localhost:5000`, `[::1]:5000`. */
  readonly domain: string;
  /** The repository below the domain: `library/debian`. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** Where a name without a domain lives, and what its old name was. */
export const DEFAULT_DOMAIN = 'docker.io';
const LEGACY_DOMAIN = 'index.docker.io';
const OFFICIAL = 'library/';

/** Of the path; the distribution specification leaves it to registries, docker has this one. */
const PATH_LIMIT = 255;

const DOMAIN =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]{1,5})?$/;
// One component: letters and digits, between them a dot, one or two underscores, or dashes.
const COMPONENT = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const IDENTIFIER = /^[0-9a-f]{64}$/;

/**
 * The reference that a person wrote: `debian`, `user/app:1`, `localhost:5000/x@sha256:...`. Names without a domain are
 * docker.io's, names of one part are below `library/`, and where there is neither tag nor digest the tag is `latest`.
 * Throws CaissonError `EREFERENCE`.
 */
export function parseReference(text: string): Reference {
  const named = parseNamed(text);
  return named.tag === undefined && named.digest === undefined ? { ...named, tag: 'latest' } : named;
}

/** As parseReference, without adding a tag: a repository where neither tag nor digest was written. */
export function parseNamed(text: string): Reference {
  if (text === '') throw refuse(text, 'it is empty');
  if (text.length > 1024) throw refuse(text, 'it is longer than 1024 characters');
  if (IDENTIFIER.test(text))
    throw refuse(text, 'a name cannot be 64 hexadecimal digits, which is an image ID');
  const { name, tag, digest } = cut(text);
  const { domain, path } = withDomain(name);
  if (!DOMAIN.test(domain)) throw refuse(text, `${JSON.stringify(domain)} is not a registry's host and port`);
  checkPath(text, path);
  if (tag !== undefined && !TAG.test(tag)) throw refuse(text, `${JSON.stringify(tag)} is not a tag`);
  if (digest !== undefined && !isDigest(digest))
    throw refuse(text, `${JSON.stringify(digest)} is not a digest`);
  return { domain, path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** Whether a person named the registry: `localhost/x` and `a.b/x` do, `debian` and `user/app` do not. */
export function isShortName(text: string): boolean {
  const slash = text.indexOf('/');
  return slash < 0 || !isDomain(text.slice(0, slash));
}

/** As docker shows it: `debian:12`, `user/app:1`, `localhost:5000/x:1`. */
export function familiar(ref: Reference): string {
  return familiarName(ref) + suffix(ref);
}

/** The repository as docker shows it, without tag and digest. */
export function familiarName(ref: Reference): string {
  if (ref.domain !== DEFAULT_DOMAIN) return `${ref.domain}/${ref.path}`;
  const rest = ref.path.startsWith(OFFICIAL) ? ref.path.slice(OFFICIAL.length) : '';
  if (rest !== '' && !rest.includes('/') && !IDENTIFIER.test(rest)) return rest;
  // docker.io/localhost/x would be another registry's without its domain.
  return isShortName(ref.path) ? ref.path : `${ref.domain}/${ref.path}`;
}

/** In full: `docker.io/library/debian:12`. */
export function canonical(ref: Reference): string {
  return `${ref.domain}/${ref.path}${suffix(ref)}`;
}

/** The same repository with another tag or digest, and nothing else of `ref`. */
export function withTarget(ref: Reference, target: { tag?: string; digest?: Digest }): Reference {
  return { domain: ref.domain, path: ref.path, ...target };
}

/** What the distribution specification calls the reference of a manifest: the digest, else the tag. */
export function manifestReference(ref: Reference): string {
  return ref.digest ?? ref.tag ?? 'latest';
}

function suffix(ref: Reference): string {
  return `${ref.tag === undefined ? '' : `:${ref.tag}`}${ref.digest === undefined ? '' : `@${ref.digest}`}`;
}

function cut(text: string): { name: string; tag: string | undefined; digest: string | undefined } {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const rest = at < 0 ? text : text.slice(0, at);
  const colon = rest.lastIndexOf(':');
  // A colon before the last slash is that of a port.
  if (colon < 0 || colon < rest.lastIndexOf('/')) return { name: rest, tag: undefined, digest };
  return { name: rest.slice(0, colon), tag: rest.slice(colon + 1), digest };
}

function withDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  const named = slash >= 0 && isDomain(first);
  const domain = !named || first === LEGACY_DOMAIN ? DEFAULT_DOMAIN : first;
  const path = named ? name.slice(slash + 1) : name;
  return { domain, path: domain === DEFAULT_DOMAIN && !path.includes('/') ? OFFICIAL + path : path };
}

/** docker's rule for the part before the first slash: what no path can be, or `localhost`. */
function isDomain(first: string): boolean {
  return /[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first;
}

function checkPath(text: string, path: string): void {
  if (path.length > PATH_LIMIT) throw refuse(text, `a repository name has at most ${PATH_LIMIT} characters`);
  for (const component of path.split('/')) {
    if (COMPONENT.test(component)) continue;
    if (COMPONENT.test(component.toLowerCase()))
      throw refuse(text, `the repository name (${path}) must be lower-case`);
    throw refuse(text, `${JSON.stringify(component)} is not a part of a repository name`);
  }
}

function refuse(text: string, why: string): CaissonError {
  const shown = JSON.stringify(text.length > 160 ? `${text.slice(0, 157)}...` : text);
  return new CaissonError(`invalid reference ${shown}: ${why}`, {
    code: 'EREFERENCE',
    details: [
      'a reference is [host[:port]/]name[:tag][@digest], as in debian:12 or registry.example/team/app:1.0',
    ],
  });
}
