// A private procfs for labels, sysctls and offsets: detached, so that no mount of the container can fake it.
//
// CVE-2019-16884, CVE-2025-52881: a label or sysctl written through the container's own /proc may go elsewhere.
import { FSMOUNT_CLOEXEC, FSOPEN_CLOEXEC } from '../../linux/constants/mount.ts';
import { O_CLOEXEC, O_PATH } from '../../linux/constants/open.ts';
import { type Call, type Slot, slot } from '../call.ts';
import * as sys from '../syscalls.ts';
import type { Context } from './context.ts';
import { O_DIRECTORY } from './destination.ts';

const made = new WeakMap<Context, Slot>();

/** The descriptor of the private procfs; the step that makes it is added at the first use. */
export function privateProcfs(c: Context): Slot {
  const known = made.get(c);
  if (known !== undefined) return known;
  const procfs = slot('procfs');
  made.set(c, procfs);
  c.child(
    'private-procfs',
    'a private procfs for writes that must not be faked',
    'default: CVE-2025-52881',
    open(c, procfs),
  );
  return procfs;
}

/**
 * The caller's own procfs, while the child still sees it: what joins a container later needs no procfs of its own for
 * labels, and must not use the container's (CVE-2019-16884).
 */
export function callersProcfs(c: Context): Slot {
  const procfs = slot('procfs');
  made.set(c, procfs);
  c.child(
    'private-procfs',
    "the caller's procfs, before the container is joined",
    'default: CVE-2019-16884',
    [sys.openat(sys.AT_FDCWD, '/proc', O_PATH | O_DIRECTORY | O_CLOEXEC, 0, { result: procfs })],
  );
  return procfs;
}

/** Before /proc is masked: a user namespace is then refused a procfs (fact M). */
export function openProcfsEarly(c: Context): void {
  const { apparmorProfile = '', selinuxLabel = '' } = c.spec.process ?? {};
  const { sysctl = {}, timeOffsets = {} } = c.spec.linux ?? {};
  const asked = apparmorProfile !== '' || selinuxLabel !== '' || Object.keys(sysctl).length > 0;
  if (asked || (c.isNew('time') && Object.keys(timeOffsets).length > 0)) privateProcfs(c);
}

/** A user namespace may mount procfs only with a pid and a mount namespace of its own; else the caller's is used. */
function open(c: Context, procfs: Slot): Call[] {
  if (c.inUserNamespace && !(c.isNew('pid') && c.isNew('mount'))) {
    return [sys.openat(sys.AT_FDCWD, '/proc', O_PATH | O_DIRECTORY | O_CLOEXEC, 0, { result: procfs })];
  }
  const context = slot('procfs_context');
  return [
    sys.fsopen('proc', FSOPEN_CLOEXEC, { result: context }),
    sys.fsconfigCreate(context),
    sys.fsmount(context, FSMOUNT_CLOEXEC, 0, { result: procfs }),
    sys.close(context),
  ];
}
