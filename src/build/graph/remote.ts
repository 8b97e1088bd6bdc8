// Which sources of ADD, and which contexts, are on the network: URLs and git repositories.
//
// https://docs.docker.com/build/concepts/context/#git-repositories: `URL#ref:subdirectory`, or a query of
// `ref=`, `tag=`, `branch=`, `subdir=`, `commit=` and others.

import { utf8ToBytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';

/** A repository, and what of it. */
export interface GitSource {
  readonly remote: string;
  /** A commit, a tag or a branch; empty: the default branch. */
  readonly ref: string;
  readonly subdirectory: string;
  /** The commit that it must be. */
  readonly commit: string;
  readonly keepGitDirectory: boolean | undefined;
  readonly submodules: boolean;
}

const SCP = /^[a-zA-Z0-9_-]+@[a-zA-Z0-9.-]+:(?!\/\/)/;

/** What git may be told as a ref: nothing that begins with a dash, no `..`, no white space (git-check-ref-format(1)). */
const REF = /^(?!-)(?!.*(?:\.\.|@\{|\/\/|\.lock(?:\/|$)|[./]$))[A-Za-z0-9_@+][A-Za-z0-9._/@+-]{0,254}$/;

const HOST = /^(?!-)[A-Za-z0-9.-]+$|^\[[0-9a-fA-F:]+\]$/;

export function isHttpSource(text: string): boolean {
  return /^https?:\/\//.test(text) && !isGitSource(text);
}

/** Over HTTP only what ends with `.git` is a repository. */
export function isGitSource(text: string): boolean {
  if (/^(?:git|ssh):\/\//.test(text) || SCP.test(text)) return true;
  const found = /^https?:\/\/([^?#]*)/.exec(text);
  return found?.[1]?.endsWith('.git') ?? false;
}

/**
 * Takes a git URL apart. Everything that git will see is checked against what it may be: a name that begins with a dash
 * would be an option (CVE-2019-13139). Throws CaissonError EUSAGE.
 */
export function parseGitSource(text: string): GitSource {
  const wrong = (why: string) => new CaissonError(utf8ToBytes(`${text}: ${why}`), { code: 'EUSAGE' });
  const hash = text.indexOf('#');
  const whole = hash < 0 ? text : text.slice(0, hash);
  const fragment = hash < 0 ? '' : text.slice(hash + 1);
  const mark = whole.indexOf('?');
  const remote = mark < 0 ? whole : whole.slice(0, mark);
  checkRemote(remote, wrong);
  const colon = fragment.indexOf(':');
  const made = {
    remote,
    ref: colon < 0 ? fragment : fragment.slice(0, colon),
    subdirectory: colon < 0 ? '' : fragment.slice(colon + 1),
    commit: '',
    keepGitDirectory: undefined as boolean | undefined,
    submodules: true,
  };
  readQuery(mark < 0 ? '' : whole.slice(mark + 1), made, wrong);
  if (made.ref !== '' && !REF.test(made.ref)) throw wrong(`${JSON.stringify(made.ref)} is not a ref of git`);
  if (made.commit !== '' && !/^[0-9a-f]{7,64}$/.test(made.commit))
    throw wrong('the commit is not hexadecimal');
  if (made.subdirectory.split('/').includes('..') || made.subdirectory.includes('\0'))
    throw wrong('the subdirectory leads out of the repository');
  return made;
}

function checkRemote(remote: string, wrong: (why: string) => CaissonError): void {
  if (/[\x00-\x20\x7f]/.test(remote)) throw wrong('the URL contains white space or control characters');
  if (SCP.test(remote)) return;
  const found = /^(?:https?|git|ssh):\/\/(?:[^@/]*@)?([^/:]+|\[[^\]]*\])(?::\d{1,5})?(?:\/|$)/.exec(remote);
  // `ssh://-oProxyCommand=x/` was an option once (CVE-2017-1000117).
  if (found === null || !HOST.test(found[1] ?? '')) throw wrong('the URL has no usable host');
}

type Draft = { -readonly [Key in keyof GitSource]: GitSource[Key] };

function readQuery(query: string, made: Draft, wrong: (why: string) => CaissonError): void {
  for (const part of query === '' ? [] : query.split('&')) {
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    const value = equals < 0 ? '' : decode(part.slice(equals + 1), wrong);
    const ref = REFS[name]?.(value);
    if (ref !== undefined) {
      if (made.ref !== '' && made.ref !== ref) throw wrong(`ref conflicts: ${made.ref} and ${ref}`);
      made.ref = ref;
    } else if (name === 'subdir') made.subdirectory = value;
    else if (name === 'commit' || name === 'checksum') made.commit = value;
    else if (name === 'keep-git-dir') made.keepGitDirectory = value !== 'false' && value !== '0';
    else if (name === 'submodules') made.submodules = value !== 'false' && value !== '0';
    else throw wrong(`unexpected query ${JSON.stringify(name)}`);
  }
}

const REFS: Readonly<Record<string, ((value: string) => string) | undefined>> = {
  ref: (value) => value,
  tag: (value) => (value.startsWith('refs/tags/') ? value : `refs/tags/${value}`),
  branch: (value) => (value.startsWith('refs/heads/') ? value : `refs/heads/${value}`),
};

function decode(text: string, wrong: (why: string) => CaissonError): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong('the query is not encoded as a URL is');
  }
}

/** The name that a file from a URL gets: the last part of its path. */
export function nameOfUrl(url: string): string {
  const path = new URL(url).pathname;
  const last =
    path
      .split('/')
      .filter((part) => part !== '')
      .at(-1) ?? '';
  let name = last;
  try {
    name = decodeURIComponent(last);
  } catch {
    // It stays as it is written.
  }
  return name === '' || name === '.' || name === '..' || /[/\0]/.test(name) ? '__unnamed__' : name;
}
