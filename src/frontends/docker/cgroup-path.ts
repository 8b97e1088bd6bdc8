// `--cgroup-parent`: where the container's cgroup is.

import type { Bytes } from '../../linux/bytes.ts';
import type { FrontendFacts } from './facts.ts';
import { flagRefused, invalidArgument } from './flag-error.ts';
import { cleanPath } from './mount-paths.ts';
import type { Recorder } from './recorder.ts';
import type { RunFlags } from './run-flags.ts';

/** `linux.cgroupsPath`: the container's id below the parent; undefined where this user has no cgroup to give. */
export function cgroupsPath(flags: RunFlags, facts: FrontendFacts, recorder: Recorder): Bytes | undefined {
  const text = flags.cgroupParent;
  const { parent } = facts.cgroups;
  if (text === undefined || text === '') return parent === '' ? undefined : `${cleanPath(parent)}/${facts.id}`;
  if (text.includes('\0') || text.split('/').includes('..')) {
    throw invalidArgument('cgroup-parent', text, 'a path without .. is wanted');
  }
  if (parent === '') throw flagRefused('cgroup-parent', text, 'no cgroup is delegated to this user');
  recorder.note('/linux/cgroupsPath', 'cgroup-parent', text);
  return `${cleanPath(text) === '/' ? '' : cleanPath(text)}/${facts.id}`;
}
