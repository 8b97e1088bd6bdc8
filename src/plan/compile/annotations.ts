// Annotations that change the plan: crun's `run.oci.*`, which podman sets (crun(1), Extensions to OCI).
import type { Bytes } from '../../linux/bytes.ts';
import type { Spec } from '../../spec/runtime-spec.ts';

/** `podman run --group-add keep-groups`: the process keeps the groups of whoever calls the runtime. */
export function keepsGroups({ annotations }: Spec): boolean {
  return annotations?.['run.oci.keep_original_groups'] !== undefined;
}

/** What of a file system `linux.mountLabel` labels: mount(8), FILESYSTEM-INDEPENDENT MOUNT OPTIONS, context. */
export function contextOption({ annotations }: Spec): Bytes {
  return annotations?.['run.oci.mount_context_type'] ?? 'context';
}
