// Build arguments: those that exist before the first FROM, and the ones that are there without being declared.
//
// https://docs.docker.com/reference/dockerfile/#arg: scopes; predefined arguments (proxies); platform arguments.

import { type NamedPlatform, platformName } from '../../spec/platform-match.ts';
import { ExpansionError, expand, type Lookup } from '../dockerfile/expand.ts';
import type { Dockerfile } from '../dockerfile/instructions.ts';
import { errorIn, type LogicalLine, type Word } from '../dockerfile/source.ts';

/** `--build-arg`. */
export type BuildArguments = ReadonlyMap<string, string>;

/** The platforms of a build. */
export interface Platforms {
  /** Of this machine. */
  readonly build: NamedPlatform;
  /** Of the result. */
  readonly target: NamedPlatform;
}

const PROXIES = ['http_proxy', 'https_proxy', 'ftp_proxy', 'no_proxy', 'all_proxy'];

/** Whether an argument is there without ARG, for commands only and not for the cache. */
export function isProxy(name: string): boolean {
  return PROXIES.includes(name.toLowerCase());
}

/** The variables of RUN for proxies that were given: in both cases, as BuildKit sets them. */
export function proxyVariables(given: BuildArguments): string[] {
  const found: string[] = [];
  for (const proxy of PROXIES) {
    const entry = [...given].find(([name]) => name.toLowerCase() === proxy);
    if (entry !== undefined) found.push(`${proxy.toUpperCase()}=${entry[1]}`, `${proxy}=${entry[1]}`);
  }
  return found;
}

function platformArguments({ build, target }: Platforms, stage: string): [string, string][] {
  return [
    ['BUILDPLATFORM', platformName(build)],
    ['BUILDOS', build.os],
    ['BUILDOSVERSION', ''],
    ['BUILDARCH', build.architecture],
    ['BUILDVARIANT', build.variant ?? ''],
    ['TARGETPLATFORM', platformName(target)],
    ['TARGETOS', target.os],
    ['TARGETOSVERSION', ''],
    ['TARGETARCH', target.architecture],
    ['TARGETVARIANT', target.variant ?? ''],
    ['TARGETSTAGE', stage === '' ? 'default' : stage],
  ];
}

/** All arguments of the global scope with their values. Throws CaissonError EDOCKERFILE. */
export function globalArguments(
  dockerfile: Dockerfile,
  given: BuildArguments,
  platforms: Platforms,
  stage: string,
): Map<string, string> {
  const values = new Map<string, string>();
  for (const [name, value] of platformArguments(platforms, stage)) values.set(name, given.get(name) ?? value);
  for (const { line, arguments: list } of dockerfile.globalArguments) {
    for (const { key, value } of list) {
      const overridden = given.get(key.text);
      if (overridden !== undefined) values.set(key.text, overridden);
      else if (value !== undefined)
        values.set(
          key.text,
          expandWord(line, value, (name) => values.get(name), dockerfile.escape),
        );
    }
  }
  return values;
}

/** Replaces the variables of a word. Throws CaissonError EDOCKERFILE at its place. */
export function expandWord(
  line: LogicalLine,
  word: Word,
  lookup: Lookup,
  escapeToken: '\\' | '`',
  rest: { readonly plainQuotes?: boolean } = {},
): string {
  return located(line, word.offset, () => expand(word.text, lookup, { escape: escapeToken, ...rest }).text);
}

/** Gives an error of expansion its place. */
export function located<T>(line: LogicalLine, offset: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ExpansionError)) throw error;
    throw errorIn(line, offset + error.offset, error.message);
  }
}
