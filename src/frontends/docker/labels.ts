// AppArmor profile and SELinux labels: asked for and impossible is an error, never silence (CVE-2019-16884).

import type { Bytes } from '../../linux/bytes.ts';
import type { FrontendFacts } from './facts.ts';
import { flagRefused } from './flag-error.ts';
import type { Recorder } from './recorder.ts';
import type { SecurityOptions } from './security-options.ts';

/** The fields of the specification; absent ones are not set. */
export interface Labels {
  readonly apparmorProfile?: Bytes;
  readonly selinuxLabel?: Bytes;
  readonly mountLabel?: Bytes;
}

/** The labels of a container. Throws when a profile or label was asked for that this host cannot set. */
export function compileLabels(
  options: SecurityOptions,
  privileged: boolean,
  facts: FrontendFacts,
  recorder: Recorder,
): Labels {
  return { ...apparmor(options, facts, recorder), ...selinux(options, privileged, facts, recorder) };
}

function apparmor(options: SecurityOptions, facts: FrontendFacts, recorder: Recorder): Labels {
  const asked = options.apparmor;
  if (asked === undefined) return {};
  if (!facts.apparmor) {
    if (asked.value === 'unconfined') return {};
    throw flagRefused('security-opt', `apparmor=${asked.value}`, 'AppArmor is not enabled on this host');
  }
  if (asked.source !== undefined) recorder.noteSource('/process/apparmorProfile', asked.source);
  return { apparmorProfile: asked.value };
}

function selinux(
  options: SecurityOptions,
  privileged: boolean,
  facts: FrontendFacts,
  recorder: Recorder,
): Labels {
  const [first] = options.labelParts.values();
  if (facts.selinux === undefined) {
    if (first === undefined) return {};
    throw flagRefused('security-opt', first.source?.split(' ')[1], 'SELinux is not enabled on this host');
  }
  if (options.labelDisable !== undefined || (privileged && first === undefined)) return {};
  const label = facts.selinux.processLabel.split(':');
  // user:role:type:level, where the level itself may hold a colon (s0:c1,c2).
  const parts = [label[0], label[1], label[2], label.slice(3).join(':')];
  for (const [name, { value, source }] of options.labelParts) {
    parts[['user', 'role', 'type', 'level'].indexOf(name)] = value;
    if (source !== undefined) recorder.noteSource('/process/selinuxLabel', source);
  }
  const mount = facts.selinux.mountLabel.split(':');
  const level = options.labelParts.get('level')?.value ?? mount.slice(3).join(':');
  return { selinuxLabel: parts.join(':'), mountLabel: [...mount.slice(0, 3), level].join(':') };
}
