// Constraints on mounts, devices, masks and the change of root.
import { MNT_DETACH, MOUNT_ATTR_IDMAP, MS_PRIVATE, MS_SLAVE } from '../../linux/constants/mount.ts';
import { RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '../../linux/constants/open.ts';
import { before, type Constraint, describe, every, followed, needs, never } from './constraint.ts';
import * as is from './recognise.ts';
import type { Moment, Timeline } from './timeline.ts';

const { child } = is;
const onRoot: (moment: Moment) => boolean = ({ call }) => is.slotAt(call, 0)?.name === 'root';
/** A slave gets what the host mounts below it, and gives nothing back. */
const keepsRootPrivate = is.both(is.inStep('private-root'), ({ call }) =>
  [MS_PRIVATE, MS_SLAVE].includes(is.fieldAt(call, 3, 'propagation') ?? 0),
);
const mountsSomething = is.both(child, is.inStep('mount'), is.attaches);
const covers = is.both(child, is.inStep('mask', 'readonly-path'), is.attaches);
const attachesInChild = is.both(child, is.attaches);
const mayPropagate = is.both(attachesInChild, is.not(is.inStep('pivot-root')));
const detachesOldRoot = is.both(is.named('umount2'), ({ call }) => is.numberAt(call, 1) === MNT_DETACH);
const readsOnlyRoot = is.both(is.inStep('readonly-root'), is.setsReadOnly);
const makesFilesInRoot = is.both(child, is.makesFiles);
const clearsUmask = is.both(child, is.named('umask'), ({ call }) => is.numberAt(call, 0) === 0);
const reachesOutside = is.both(is.named('openat2'), onRoot, ({ call }) => {
  const resolve = is.fieldAt(call, 2, 'resolve') ?? 0;
  return (resolve & RESOLVE_IN_ROOT) === 0 || (resolve & RESOLVE_NO_MAGICLINKS) === 0;
});
const entersDirectory = is.both(is.inStep('working-directory'), is.named('fchdir'));

/** A cloned tree gets its attributes (and its id map) while it is attached nowhere. */
function changedWhenAttached(time: Timeline) {
  for (const moment of time.child.filter(({ call }) => call.name === 'mount_setattr')) {
    const { call } = moment;
    const tree = is.slotAt(call, 0);
    const cloned = time.child.some((each) => each.call.name === 'open_tree' && each.call.result === tree);
    const attributes = is.fieldAt(call, 3, 'attr_set') ?? 0;
    if (tree === undefined || attributes === 0 || (!cloned && (attributes & MOUNT_ATTR_IDMAP) === 0))
      continue;
    const attached = time.child.find(
      (each) => each.call.name === 'move_mount' && is.slotAt(each.call, 0) === tree,
    );
    const isRoot = tree.name === 'root';
    if (!isRoot && attached !== undefined && time.precedes(attached, moment)) {
      return [{ message: `${describe(moment)} comes after the mount is attached`, moment }];
    }
  }
  return [];
}

const leavesChroot = is.both(child, is.inStep('leave-chroot'), is.named('setns'));
const attachesRootElsewhere = is.both(
  child,
  is.inStep('root'),
  is.named('move_mount'),
  ({ call }) => is.slotAt(call, 2) !== undefined,
);
const attachesInMounts = is.both(child, is.inStep('mount'), is.named('move_mount'));

export const MOUNT_ORDER: readonly Constraint[] = [
  {
    id: 'isolate-before-mounts',
    order: 'propagation to the host is stopped before the first mount',
    reason: 'a mount below a shared parent appears on the host, and pivot_root refuses one (EINVAL)',
    source: 'launcher.md 4.4 step 11; pivot_root(2), mount_namespaces(7)',
    check: (time) => (time.child.some(is.changesRoot) ? needs(mayPropagate, is.isolates)(time) : []),
  },
  {
    id: 'sources-before-mounts',
    order: "sources that the parent opens in the child's mount namespace before the child changes a mount",
    reason: 'a mount over / would be what setns enters, and paths would lead into it',
    source: 'setns(2), mount_namespaces(7)',
    check: before(
      is.both(is.parent, is.named('open_tree')),
      is.both(child, is.named('move_mount', 'mount', 'mount_setattr', 'pivot_root')),
    ),
  },
  {
    id: 'root-before-mounts',
    order: 'the root is attached, and private or a slave, before anything is mounted below it',
    reason: 'assembling a detached tree is EINVAL before 6.15, and a shared root would propagate',
    source: 'design.md rule 2; G1-G5',
    check: every(before(is.inStep('root'), mountsSomething), needs(mountsSomething, keepsRootPrivate)),
  },
  {
    id: 'mounts-inside-root',
    order: 'every lookup below the root is held inside it',
    reason: 'a link of the image must not lead to the host',
    source: 'CVE-2021-30465, CVE-2024-45310, CVE-2019-19921; openat2(2)',
    check: never(reachesOutside),
  },
  {
    id: 'attributes-before-attach',
    order: 'read-only and the like, and id maps, before move_mount of a clone',
    reason: 'there is no moment at which the mount can be written',
    source: 'launcher.md 4.2, Mount API; mount_setattr(2)',
    check: changedWhenAttached,
  },
  {
    id: 'mounts-before-pivot',
    order: 'all mounts before the change of root',
    reason: "sources are looked up in the host's tree, which is gone afterwards",
    source: 'launcher.md 4.4 steps 13 and 16',
    check: before(is.both(attachesInChild, is.not(is.inStep('pivot-root'))), is.changesRoot),
  },
  {
    id: 'namespace-root-before-pivot',
    order: 'setns to the own mount namespace before the change of root, after all lookups of sources',
    reason: "in a chroot the host's root would stay that of the namespace, and exec would lead there",
    source: 'setns(2), pivot_root(2)',
    check: (time) =>
      time.child.some(attachesRootElsewhere)
        ? every(needs(is.changesRoot, leavesChroot), before(attachesInMounts, leavesChroot))(time)
        : [],
  },
  {
    id: 'old-root-detached',
    order: 'pivot_root, then umount2(MNT_DETACH) of the old root, then execve',
    reason: "the host's tree would stay reachable",
    source: 'G6; pivot_root(2)',
    check: every(followed(is.named('pivot_root'), detachesOldRoot), before(detachesOldRoot, is.executes)),
  },
  {
    id: 'root-entered-after-detach',
    order: 'chdir("/") after the change of root',
    reason: 'the current directory would lie in the old tree',
    source: 'pivot_root(2); chroot(2)',
    check: followed(
      is.changesRoot,
      is.both(is.named('chdir'), ({ call }) => is.textAt(call, 0) === '/'),
    ),
  },
  {
    id: 'masks-after-mounts',
    order: 'masked and read-only paths after all mounts',
    reason: 'a later mount would cover the mask',
    source: 'launcher.md 4.4 step 17; CVE-2025-31133',
    check: before(mountsSomething, covers),
  },
  {
    id: 'read-only-root-last',
    order: 'everything that makes files in the root before the root turns read-only',
    reason: 'EROFS',
    source: 'launcher.md 4.4 steps 14 and 17',
    check: before(makesFilesInRoot, readsOnlyRoot),
  },
  {
    id: 'read-only-root-before-execute',
    order: 'the root is read-only before execve',
    reason: 'the program could write to it',
    source: 'config.md, root.readonly',
    check: before(readsOnlyRoot, is.executes),
  },
  {
    id: 'umask-before-nodes',
    order: 'umask(0) before directories and devices are made',
    reason: 'their modes are as given',
    source: 'launcher.md 4.4 step 14; umask(2)',
    check: needs(is.both(child, is.named('mkdirat', 'mknodat')), clearsUmask),
  },
  {
    id: 'devpts-before-terminal',
    order: 'devpts is mounted before the terminal is taken from it',
    reason: "the terminal is one of the container's own devpts",
    source: 'CVE-2025-52565; pts(4)',
    check: needs(
      is.makesTerminal,
      is.either(is.opensFileSystem('devpts'), is.both(is.inStep('mount'), is.named('open_tree'))),
    ),
  },
  {
    id: 'directory-after-pivot',
    order: 'the working directory is entered after the change of root, then proven to be inside',
    reason: 'a directory outside gives the host away; getcwd of one begins with "(unreachable)"',
    source: 'CVE-2024-21626; getcwd(2)',
    check: every(
      before(is.changesRoot, entersDirectory),
      followed(entersDirectory, is.both(is.inStep('working-directory'), is.named('CHECK'))),
    ),
  },
];
