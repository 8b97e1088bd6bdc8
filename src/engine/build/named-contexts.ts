// `--build-context`: directories, repositories, images and image layouts under names of their own.
import type { BuildContext } from '../../build/execute/environment.ts';
import { contextName, type NamedContext, type NamedContexts } from '../../build/graph/named-contexts.ts';
import { isGitSource } from '../../build/graph/remote.ts';
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { contextDirectory, type InputTools } from './context.ts';

/** A flag that was read. */
export interface GivenContext {
  readonly name: string;
  readonly value: string;
}

const IMAGE = 'docker-image://';
export const LAYOUT = 'oci-layout://';

export function isLayoutReference(reference: string): boolean {
  return reference.startsWith(LAYOUT);
}

/** `NAME=PATH`, `NAME=docker-image://IMAGE`, `NAME=oci-layout://PATH`, `NAME=REPOSITORY`. Throws CaissonError `EUSAGE`. */
export function parseNamedContext(bytes: Bytes): GivenContext {
  const text = bytesToUtf8(bytes);
  const equals = text.indexOf('=');
  const [name, value] = [text.slice(0, equals), text.slice(equals + 1)];
  if (equals < 1 || value === '') throw wrong(text, 'expected NAME=PATH, or NAME=docker-image://IMAGE');
  return { name, value };
}

function wrong(text: string, why: string): CaissonError {
  return new CaissonError(utf8ToBytes(`invalid --build-context ${text}: ${why}`), { code: 'EUSAGE' });
}

export function namesOf(given: readonly GivenContext[]): NamedContexts {
  return new Map(given.map(({ name, value }) => [contextName(name), meaningOf(value)]));
}

function meaningOf(value: string): NamedContext {
  if (value.startsWith(IMAGE)) return { kind: 'image', reference: value.slice(IMAGE.length) };
  return value.startsWith(LAYOUT) ? { kind: 'image', reference: value } : { kind: 'directory' };
}

/** Opens those that are directories. Throws CaissonError. */
export async function namedDirectories(
  tools: InputTools,
  given: readonly GivenContext[],
): Promise<ReadonlyMap<string, BuildContext>> {
  const found = new Map<string, BuildContext>();
  for (const { name, value } of given) {
    if (meaningOf(value).kind !== 'directory') continue;
    const text = `${name}=${value}`;
    if (/^[a-z][a-z0-9+.-]*:\/\//.test(value) && !isGitSource(value))
      throw wrong(text, 'a path, a repository, docker-image:// and oci-layout:// are known');
    const directory = await contextDirectory(tools, utf8ToBytes(value));
    if (directory === undefined) throw wrong(text, 'there is no such directory');
    found.set(contextName(name), directory);
  }
  return found;
}
