// `--volumes-from CONTAINER[:OPTIONS]`: the mounts of another container.

import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { bindOptions } from './bind-options.ts';
import { flagSource, invalidArgument } from './flag-error.ts';
import type { RunFlags } from './run-flags.ts';
import { type RequestedMount, requestVolume } from './volume-request.ts';

/** A mount of a container, as its record has it. */
export type ContainerMount = { readonly destination: Bytes; readonly options: readonly Bytes[] } & (
  | { readonly type: 'bind'; readonly source: Bytes }
  | { readonly type: 'volume'; readonly name: Bytes; readonly subpath?: Bytes }
);

const SILENT: readonly Bytes[] = ['rw', 'nocopy'];
const WORDS: readonly Bytes[] = ['ro', 'z', 'Z', ...SILENT];

interface Named {
  readonly container: Bytes;
  readonly words: readonly Bytes[];
}

function readFlag(text: Bytes): Named {
  const colon = text.indexOf(':');
  const container = colon < 0 ? text : text.slice(0, colon);
  if (container === '') throw invalidArgument('volumes-from', text, 'malformed volumes-from specification: ');
  const words = colon < 0 ? [] : text.slice(colon + 1).split(',');
  const unknown = words.find((word) => !WORDS.includes(word));
  if (unknown !== undefined) throw invalidArgument('volumes-from', text, `invalid mode: ${unknown}`);
  return { container, words };
}

/** The containers that are named, as they were typed. */
export function containersNamed(flags: RunFlags): Bytes[] {
  return (flags.volumesFrom ?? []).map((text) => readFlag(text).container);
}

/**
 * The mounts of the containers, of two at one place the later one's. What is read-only there is so here; nothing is
 * copied up again. Throws CaissonError `ENOTFOUND` for a container that `containers` has not.
 */
export function mountsFromOthers(
  flags: RunFlags,
  containers: ReadonlyMap<Bytes, readonly ContainerMount[]> | undefined,
): RequestedMount[] {
  const found = new Map<Bytes, RequestedMount>();
  for (const text of flags.volumesFrom ?? []) {
    const { container, words } = readFlag(text);
    const mounts = containers?.get(container);
    const source = flagSource('volumes-from', text);
    if (mounts === undefined)
      throw new CaissonError(`No such container: ${container}`, { code: 'ENOTFOUND', sources: [source] });
    for (const mount of mounts) found.set(mount.destination, mountOf(mount, source, text, words));
  }
  return [...found.values()];
}

function mountOf(
  mount: ContainerMount,
  source: string,
  text: Bytes,
  asked: readonly Bytes[],
): RequestedMount {
  const labels = ['z', 'Z'];
  const own = mount.options.filter((word) => word !== 'U' && !(labels.includes(word) && asked.some(isLabel)));
  const readOnly = asked.includes('ro');
  const kept = own.filter((word) => !(readOnly && ['rw', 'ro', 'rro'].includes(word)));
  const words = [...new Set([...kept, ...asked.filter((word) => !SILENT.includes(word))])];
  try {
    if (mount.type === 'volume') {
      const { name, subpath } = mount;
      return requestVolume(mount.destination, source, { name, words, copy: false, subpath });
    }
    const { options, actions } = bindOptions(words, mount.source);
    return {
      mount: { destination: mount.destination, type: 'bind', source: mount.source, options },
      source,
      actions: actions.map((kind) => ({ kind, path: mount.source, source })),
    };
  } catch (error) {
    if (error instanceof RangeError) throw invalidArgument('volumes-from', text, error.message);
    throw error;
  }
}

function isLabel(word: Bytes): boolean {
  return word === 'z' || word === 'Z';
}
