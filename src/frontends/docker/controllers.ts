// Whether a limit can hold here: its cgroup controller exists and this user may use it.

import type { Bytes } from '../../linux/bytes.ts';
import type { FrontendFacts } from './facts.ts';
import { flagRefused } from './flag-error.ts';
import type { RunFlagName } from './run-flags.ts';

/** Controllers by v2's names; `unified` stands for cgroup v2 itself. */
export type Controller = 'memory' | 'cpu' | 'cpuset' | 'pids' | 'io' | 'unified';

/** Throws, naming the flag, when `controller` cannot limit a container of this user. */
export function requireController(
  controller: Controller,
  flag: RunFlagName,
  text: Bytes | undefined,
  facts: FrontendFacts,
): void {
  const { version, controllers } = facts.cgroups;
  if (controller === 'unified') {
    if (version !== 'v2') throw flagRefused(flag, text, 'this host has no cgroup v2 tree with controllers');
    return;
  }
  if (controllers.has(controller)) return;
  const reason = facts.rootless
    ? version === 'v2'
      ? `the ${controller} controller of cgroup v2 is not delegated to user ${facts.uid}`
      : 'an ordinary user cannot limit resources with cgroup v1'
    : `this host has no ${controller} cgroup controller`;
  throw flagRefused(flag, text, `${reason} (see 'caisson doctor')`);
}
