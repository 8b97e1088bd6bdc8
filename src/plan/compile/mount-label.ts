// `linux.mountLabel`: the SELinux context of the file systems that are new for a container.
//
// config-linux.md, Mount Label. The option is `context=`, which every file is then labelled with (mount(8)). proc,
// sysfs and cgroup trees are the kernel's and keep its labels; mqueue takes no context. Fails closed, as labels do.
import type { Bytes } from '../../linux/bytes.ts';
import { contextOption } from './annotations.ts';
import { type Context, unsupported } from './context.ts';

const KERNELS: readonly Bytes[] = [
  'proc',
  'sysfs',
  'mqueue',
  'cgroup',
  'cgroup2',
  'bpf',
  'debugfs',
  'securityfs',
];

/** Options of a new file system of this type; `data` are those that it has already. Throws EUNSUPPORTED. */
export function labelOptions(c: Context, type: Bytes, data: readonly Bytes[] = []): Bytes[] {
  const label = c.spec.linux?.mountLabel ?? '';
  if (
    label === '' ||
    KERNELS.includes(type) ||
    data.some((option) => /^(?:fs|def|root)?context=/.test(option))
  ) {
    return [];
  }
  return [`${contextOption(c.spec)}=${label}`];
}

/** A label that the kernel would not know is refused before anything is mounted. */
export function refuseMountLabel(c: Context): void {
  if ((c.spec.linux?.mountLabel ?? '') === '' || c.facts.selinux) return;
  throw unsupported('a label for mounts was asked for, and SELinux is not on here', '/linux/mountLabel');
}
