// Checks of annotations: crun's `run.oci.*` are commands, and what cannot be obeyed is not passed over in silence.

import type { Check, Fields } from './check.ts';
import { quote } from './check.ts';

/** Without them the program would run otherwise, or with less confinement, than was asked for. */
const REFUSED: readonly string[] = [
  'run.oci.handler',
  'run.oci.pidfd_receiver',
  'run.oci.seccomp.plugins',
  'run.oci.seccomp.receiver',
  'run.oci.seccomp_bpf_data',
  'run.oci.systemd.force_cgroup_v1',
];

/** Without them all is as it would be without the annotation. */
const IGNORED: readonly string[] = ['run.oci.delegate-cgroup', 'run.oci.seccomp_fail_unknown_syscall'];

const CONTEXT_TYPES: readonly unknown[] = ['context', 'fscontext', 'defcontext', 'rootcontext'];

/** One annotation; its value is checked here as far as the runtime acts on it. */
export function checkAnnotation(map: Fields, key: string, c: Check): void {
  // config.md, Annotations: keys MUST NOT be empty, values may be.
  if (key === '') c.fail(key, 'the name of an annotation is empty');
  const value = c.text(map, key);
  if (!key.startsWith('run.oci.')) return;
  if (REFUSED.includes(key)) c.fail(key, "is an extension of crun's that is not there yet");
  if (IGNORED.includes(key)) c.warn(key, "is an extension of crun's that is not there yet: ignored");
  if (key === 'run.oci.mount_context_type' && value !== undefined && !CONTEXT_TYPES.includes(value))
    c.fail(key, `${quote(value)} is none of ${CONTEXT_TYPES.join(', ')}`);
}
