// The options of a bind mount, as `--volume` and `--mount` write them, and what they ask of the host side.

import type { Bytes } from '../../linux/bytes.ts';

/** What an option asks to be done to the host's files before the start. */
export interface HostAction {
  /**
   * `relabel`: give the source an SELinux label (z shared, Z private); `chown`: give it to the container's user (U);
   * `create`: make the directory where there is nothing (bind-create-src).
   */
  readonly kind: 'relabel-shared' | 'relabel-private' | 'chown' | 'create';
  readonly path: Bytes;
  readonly source: string;
  /** The files have the ids of containers, whatever user namespace those are in: the mount maps them. */
  readonly mapped?: boolean;
}

/** The parsed options of one bind. */
export interface BindOptions {
  readonly options: readonly Bytes[];
  readonly actions: readonly HostAction['kind'][];
}

/** Options that exclude each other: the last group member given would win silently, so two are an error. */
const GROUPS: readonly (readonly Bytes[])[] = [
  ['ro', 'rw', 'rro'],
  ['nosuid', 'suid'],
  ['nodev', 'dev'],
  ['noexec', 'exec'],
  ['bind', 'rbind'],
  ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave', 'unbindable', 'runbindable'],
  ['z', 'Z'],
  ['U'],
  ['idmap', 'ridmap'],
  ['noatime', 'relatime', 'strictatime'],
  ['nodiratime', 'diratime'],
  ['nosymfollow', 'symfollow'],
  ['consistent', 'cached', 'delegated'],
];

const ACTIONS: Readonly<Record<Bytes, HostAction['kind']>> = {
  z: 'relabel-shared',
  Z: 'relabel-private',
  U: 'chown',
};

/** Known, and without effect: rw is the default, consistency is for virtual machines. */
const SILENT = new Set(['rw', 'suid', 'dev', 'exec', 'consistent', 'cached', 'delegated']);

/** The propagation words. */
export const PROPAGATIONS: readonly Bytes[] = GROUPS[5] as readonly Bytes[];

/**
 * The options of the runtime specification for a bind of `source`.
 *
 * Set-user-id bits and device files of a bind are off unless asked for, as podman does, except below /dev.
 * `ro` holds for everything below (docker since 25) unless `topOnly`. Throws RangeError with the reason.
 */
export function bindOptions(words: readonly Bytes[], source: Bytes, topOnly = false): BindOptions {
  const chosen = GROUPS.map((group) => {
    const given = [...new Set(words.filter((word) => group.includes(word)))];
    if (given.length > 1) throw new RangeError(`conflicting options ${given.join(' and ')}`);
    return given[0];
  });
  for (const word of words) {
    if (!GROUPS.some((group) => group.includes(word))) throw new RangeError(`invalid mode: ${word}`);
  }
  const [access, suid, dev, , bind, propagation] = chosen;
  const options: Bytes[] = [bind ?? 'rbind'];
  if (access === 'ro' || access === 'rro') options.push(bind === 'bind' || topOnly ? 'ro' : 'rro');
  if (suid === undefined) options.push('nosuid');
  if (dev === undefined && !/^\/dev(?:\/|$)/.test(source)) options.push('nodev');
  options.push(propagation ?? 'rprivate');
  const rest = chosen.filter(
    (word, index) => word !== undefined && index !== 0 && index !== 4 && index !== 5,
  );
  const actions: HostAction['kind'][] = [];
  for (const word of rest as Bytes[]) {
    const action = ACTIONS[word];
    if (action !== undefined) actions.push(action);
    else if (!SILENT.has(word)) options.push(word);
  }
  return { options, actions };
}
