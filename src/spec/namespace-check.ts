// Checks of `linux.namespaces` and of every field that needs a namespace to act on.

import type { Bytes } from '../linux/bytes.ts';
import type { Check, Fields } from './check.ts';
import { checkIDMappings } from './id-mapping-check.ts';
import type { LinuxNamespaceType } from './linux-spec.ts';
import { absolutePathRule } from './text-rules.ts';

const TYPES: readonly LinuxNamespaceType[] = [
  'pid',
  'network',
  'mount',
  'ipc',
  'uts',
  'user',
  'cgroup',
  'time',
];

/** The namespaces that a container does not share with its runtime. */
export interface Namespaces {
  /** New or joined. */
  readonly own: ReadonlySet<Bytes>;
  /** Joined by path. */
  readonly joined: ReadonlySet<Bytes>;
}

/** Checks the list: known types, each once, paths absolute. An empty path is a new namespace, as in Go. */
export function checkNamespaces(linux: Fields, c: Check): Namespaces {
  const own = new Set<Bytes>();
  const joined = new Set<Bytes>();
  c.objects(linux, 'namespaces', (namespace) => {
    c.require(namespace, 'type');
    const type = c.oneOf(namespace, 'type', TYPES, 'a type of namespace');
    const path = c.textOrNothing(namespace, 'path', absolutePathRule);
    if (type === undefined) return;
    if (own.has(type)) c.fail('type', `a second ${type} namespace`);
    own.add(type);
    if (path !== undefined) joined.add(type);
  });
  return { own, joined };
}

/** Checks uidMappings, gidMappings and timeOffsets, which configure a new namespace. */
export function checkNamespaceSettings(linux: Fields, namespaces: Namespaces, c: Check): void {
  for (const key of ['uidMappings', 'gidMappings']) {
    const count = checkIDMappings(linux, key, c);
    // A joined one may repeat its mappings: containerd and CRI-O write both.
    if (count > 0 && !namespaces.own.has('user')) c.fail(key, 'needs a user namespace in /linux/namespaces');
    if (count === 0 && namespaces.own.has('user') && !namespaces.joined.has('user')) {
      c.warn(key, 'no mapping for the new user namespace: only the caller of the runtime is mapped');
    }
  }
  checkTimeOffsets(linux, namespaces, c);
}

function checkTimeOffsets(linux: Fields, namespaces: Namespaces, c: Check): void {
  const offsets = c.entries(linux, 'timeOffsets', (map, clock) => {
    // time_namespaces(7): these two clocks have offsets.
    if (clock !== 'monotonic' && clock !== 'boottime')
      c.fail(clock, 'is not a clock of a time namespace; monotonic and boottime are');
    c.object(map, clock, (offset) => {
      c.int64(offset, 'secs');
      c.integer(offset, 'nanosecs', 0, 999_999_999);
    });
  });
  if (offsets === undefined || Object.keys(offsets).length === 0) return;
  if (!namespaces.own.has('time')) c.fail('timeOffsets', 'needs a new time namespace in /linux/namespaces');
  else if (namespaces.joined.has('time'))
    c.fail('timeOffsets', 'the time namespace is joined; only a new one can be set');
}
