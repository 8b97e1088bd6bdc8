// `--cap-add`, `--cap-drop`, `--privileged`: the capability sets of the container's process.

import type { Bytes } from '../../linux/bytes.ts';
import { CAPABILITIES, type CapabilityName, parseCapability } from '../../linux/capabilities.ts';
import type { LinuxCapabilities } from '../../spec/runtime-spec.ts';
import type { FrontendFacts } from './facts.ts';
import { flagRefused, invalidArgument } from './flag-error.ts';
import type { Recorder } from './recorder.ts';
import type { RunFlags } from './run-flags.ts';

/** podman's default: docker's without MKNOD, NET_RAW and AUDIT_WRITE. */
export const DEFAULT_CAPABILITIES: readonly CapabilityName[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_NET_BIND_SERVICE',
  'CAP_SETFCAP',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_SETUID',
  'CAP_SYS_CHROOT',
];

/** The set that the flags leave: the bounding set. */
export interface CapabilitySet {
  readonly all: readonly CapabilityName[];
  /** Those that `--cap-add` names one by one. */
  readonly added: readonly CapabilityName[];
}

/** docker's rules: `--cap-add ALL` less what is dropped, `--cap-drop ALL` plus what is added, else the default set. */
export function capabilitySet(flags: RunFlags, facts: FrontendFacts): CapabilitySet {
  const known = (Object.keys(CAPABILITIES) as CapabilityName[]).filter(
    (name) => CAPABILITIES[name] <= facts.lastCapability,
  );
  const add = names('cap-add', flags.capAdd ?? [], known);
  const drop = names('cap-drop', flags.capDrop ?? [], known);
  if (flags.privileged === true) return { all: known.filter((name) => !drop.named.has(name)), added: [] };
  const base = add.every ? known : drop.every ? [] : DEFAULT_CAPABILITIES;
  const all = known.filter((name) => add.named.has(name) || (base.includes(name) && !drop.named.has(name)));
  return { all, added: [...add.named] };
}

/**
 * The five sets. Inheritable stays empty (CVE-2022-24769); for a user other than root the effective sets hold what
 * was added by name only, and ambient too so that it survives execve(2), as podman does.
 */
export function capabilitySets(
  set: CapabilitySet,
  uid: number,
  flags: RunFlags,
  recorder: Recorder,
): LinuxCapabilities {
  for (const text of flags.capAdd ?? []) recorder.note('/process/capabilities', 'cap-add', text);
  for (const text of flags.capDrop ?? []) recorder.note('/process/capabilities', 'cap-drop', text);
  if (flags.privileged === true) recorder.note('/process/capabilities', 'privileged');
  if (uid === 0) return { bounding: set.all, effective: set.all, permitted: set.all };
  const kept = set.all.filter((name) => set.added.includes(name));
  // The kernel raises an ambient capability only when it is inheritable too (capabilities(7)).
  if (kept.length > 0) {
    return { bounding: set.all, effective: kept, permitted: kept, inheritable: kept, ambient: kept };
  }
  return { bounding: set.all };
}

function names(
  flag: 'cap-add' | 'cap-drop',
  texts: readonly Bytes[],
  known: readonly CapabilityName[],
): { readonly every: boolean; readonly named: ReadonlySet<CapabilityName> } {
  const named = new Set<CapabilityName>();
  let every = false;
  for (const text of texts.flatMap((each) => each.split(','))) {
    if (/^(?:cap_)?all$/i.test(text)) {
      every = true;
      continue;
    }
    const name = parseCapability(text);
    if (name === undefined) throw invalidArgument(flag, text, `unknown capability: "${text}"`);
    if (!known.includes(name)) throw flagRefused(flag, text, `this kernel has no ${name}`);
    named.add(name);
  }
  return { every, named };
}
