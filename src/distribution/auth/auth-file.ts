// Credential files: docker's config.json and podman's auth.json, read and changed without touching what is not ours.

import { type Bytes, bytesToUtf8, utf8ToBytes } from '../../linux/bytes.ts';
import { isObject } from '../../spec/check.ts';
import { CaissonError } from '../../spec/error.ts';
import { type JsonObject, type JsonValue, parseJson, stringifyJson } from '../../spec/json.ts';
import { keyFit, serverName } from './credential-key.ts';
import type { Credentials } from './credentials.ts';

/** One parsed file. */
export interface AuthFile {
  readonly path: Bytes;
  readonly document: JsonObject;
}

/** Takes a file's content. Throws CaissonError `EAUTHFILE` without showing any of it. */
export function parseAuthFile(text: Bytes, path: Bytes): AuthFile {
  let document: JsonValue;
  try {
    document = text.trim() === '' ? {} : parseJson(text, bytesToUtf8(path));
  } catch (error) {
    // The parser shows a part of the text, which may be a password.
    const place = /^.*?:(\d+:\d+): /.exec(error instanceof Error ? error.message : '')?.[1] ?? '1:1';
    throw malformed(path, `${place}: it is not JSON`);
  }
  if (!isObject(document)) throw malformed(path, 'it is not a JSON object');
  return { path, document };
}

/** The credentials that the file itself has for a repository of a registry; the most specific entry wins. */
export function credentialsIn(file: AuthFile, host: string, repository: string): Credentials | undefined {
  let best: { fit: number; credentials: Credentials } | undefined;
  for (const [key, entry] of Object.entries(objectAt(file.document, 'auths'))) {
    const fit = keyFit(bytesToUtf8(key), host, repository);
    const credentials = fit < 0 ? undefined : credentialsOf(entry, file.path);
    if (credentials !== undefined && fit > (best?.fit ?? -1)) best = { fit, credentials };
  }
  return best?.credentials;
}

/** Which helper the file names for a registry: `credHelpers` for one, `credsStore` for all others. */
export function helperIn(file: AuthFile, host: string): { name: string; isOwn: boolean } | undefined {
  for (const [key, name] of Object.entries(objectAt(file.document, 'credHelpers'))) {
    // A key of podman's may name a part; helpers only know hosts.
    if (keyFit(bytesToUtf8(key), host, '') === 0 && typeof name === 'string' && name !== '')
      return { name, isOwn: true };
  }
  const store = file.document.credsStore;
  return typeof store === 'string' && store !== '' ? { name: store, isOwn: false } : undefined;
}

/** The file with other credentials for a registry, or none: as bytes to be written. Everything else is kept. */
export function withCredentials(
  file: AuthFile,
  host: string,
  credentials: Credentials | 'by-helper' | undefined,
): Bytes {
  const kept = Object.entries(objectAt(file.document, 'auths')).filter(
    ([key]) => keyFit(bytesToUtf8(key), host, '') !== 0,
  );
  const entry = credentials === undefined ? [] : [[serverName(host), entryOf(credentials)] as const];
  const auths = Object.fromEntries([...kept, ...entry]);
  return `${stringifyJson({ ...file.document, auths }, '\t')}\n`;
}

/** Whether the file has an entry for all of a registry, be it empty. */
export function hasEntry(file: AuthFile, host: string): boolean {
  return Object.keys(objectAt(file.document, 'auths')).some(
    (key) => keyFit(bytesToUtf8(key), host, '') === 0,
  );
}

function entryOf(credentials: Credentials | 'by-helper'): JsonObject {
  if (credentials === 'by-helper') return {};
  if (credentials.kind === 'bearer') return { registrytoken: utf8ToBytes(credentials.token) };
  const user = credentials.user ?? '';
  const secret = credentials.kind === 'password' ? credentials.password : '';
  const auth = Buffer.from(`${user}:${secret}`, 'utf8').toString('base64');
  return credentials.kind === 'password' ? { auth } : { auth, identitytoken: utf8ToBytes(credentials.token) };
}

function credentialsOf(entry: JsonValue, path: Bytes): Credentials | undefined {
  if (!isObject(entry)) return undefined;
  const text = (name: string) => {
    const value = entry[name];
    return typeof value === 'string' && value !== '' ? bytesToUtf8(value) : undefined;
  };
  const bearer = text('registrytoken');
  if (bearer !== undefined) return { kind: 'bearer', token: bearer };
  const [user, password] = decodeAuth(text('auth'), path) ?? [text('username') ?? '', text('password') ?? ''];
  const identity = text('identitytoken');
  if (identity !== undefined) return { kind: 'identity', token: identity, ...(user === '' ? {} : { user }) };
  return user === '' && password === '' ? undefined : { kind: 'password', user, password };
}

/** base64 of `user:password`; docker once ended it with NULs. */
function decodeAuth(auth: string | undefined, path: Bytes): [string, string] | undefined {
  if (auth === undefined) return undefined;
  const text = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '');
  const colon = text.indexOf(':');
  if (colon < 0) throw malformed(path, 'an `auth` is not base64 of user:password');
  return [text.slice(0, colon), text.slice(colon + 1)];
}

function objectAt(document: JsonObject, name: string): JsonObject {
  const value = document[name];
  return isObject(value) ? value : {};
}

function malformed(path: Bytes, what: string): CaissonError {
  return new CaissonError(`${bytesToUtf8(path)}: ${what}`, {
    code: 'EAUTHFILE',
    sources: [bytesToUtf8(path)],
  });
}
