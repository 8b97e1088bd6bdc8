// `--cgroup-parent`: where the container's cgroup is.

import type { Bytes } from '../../linux/bytes.ts';
import type { FrontendFacts } from './facts.ts';
import { flagRefused, invalidArgument } from './flag-error.ts';
import { cleanPath } from './mount-paths.ts';
import type { Recorder } from './recorder.ts';
import type { RunFlags } from './run-flags.ts';

/** `linux.cgroupsPath`: the container's id below the parent that was asked for; undefined for the runtime's own place. */
export function cgroupsPath(flags: RunFlags, facts: FrontendFacts, recorder: Recorder): Bytes | undefined {
  const text = flags.cgroupParent;
  if (text === undefined || text === '') return undefined;
  if (/[\n\r]/.test(text) || text.split('/').includes('..')) {
    throw invalidArgument('cgroup-parent', text, 'a path without .. and without line breaks is wanted');
  }
  if (!facts.cgroups.available)
    throw flagRefused('cgroup-parent', text, 'no cgroup is delegated to this user');
  recorder.note('/linux/cgroupsPath', 'cgroup-parent', text);
  return `${cleanPath(text) === '/' ? '' : cleanPath(text)}/${facts.id}`;
}
