// The view of the host's files inside a user namespace: a new root directory with one overlay per top-level directory.
//
// Measured on 6.18 as an ordinary user (unshare -Urm) and by reading fs/namespace.c (clone_private_mount):
// * A mount namespace of a new user namespace has its mounts locked together. A layer or a non-recursive bind of a
//   directory with a locked mount anywhere below is EINVAL ("failed to clone lowerpath"), so `/` never works, and /usr
//   does as long as nothing is mounted below it. A directory that has mounts below is taken apart, entry by entry.
// * Files of host users outside the id map show as nobody (65534). The container's root may neither change what nobody
//   owns (EACCES) nor have it copied up, which would take a chown to an unmapped id (EOVERFLOW), and a file is copied
//   up together with the directories above it. But the merged top of each overlay is the upper directory, which the
//   container owns: /etc/new can be made and /etc/passwd removed, /etc/apt/new cannot be made; /home/me/file can be
//   changed, /srv/home/me/file cannot (EOVERFLOW) unless /srv/home is a top of its own, which taking apart makes it.
// * A directory that the caller may not read (/root) would be as closed inside: it becomes an empty one of one's own.
// * On tmpfs `user.*` attributes exist since 6.6; before, overlay mounts with a warning and cannot replace a removed
//   directory (EIO), all else works.
import type { Bytes } from '../linux/bytes.ts';
import { OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } from '../linux/constants/mount.ts';
import { O_CLOEXEC, O_CREAT, O_EXCL, O_RDONLY, O_WRONLY, S_IFREG } from '../linux/constants/open.ts';
import { ERRNO } from '../linux/errno.ts';
import type { MountEntry } from '../linux/mountinfo.ts';
import { type Call, type Slot, slot } from '../plan/call.ts';
import { type Step, step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import {
  type Assembly,
  EXISTS,
  type HostEntry,
  type HostRootFacts,
  type HostRootOptions,
  keptAttributes,
  type Layers,
  labelled,
  type Part,
  readOnlyBind,
} from './host-view.ts';
import { DIRECTORY, NOFOLLOW } from './mount-flags.ts';
import { isBelow, treatment, visibleMounts } from './mount-table.ts';
import { canBeLower, overlayCalls } from './overlay.ts';

/** Files up to this size are copied, so that they can be changed; larger ones are bound read-only. */
const COPY_LIMIT = 1 << 20;

/** A directory of more entries than this is not taken apart but bound read-only. */
const ENTRY_LIMIT = 512;

/** A directory under construction in the upper layer. */
interface Place {
  readonly path: Bytes;
  readonly upper: sys.Fd;
  /** From `upper` to the directory of the layers. */
  readonly up: Bytes;
  /** MOUNT_ATTR_* of the file system it lies on. */
  readonly attributes: number;
}

class View {
  readonly steps: Step[] = [];
  readonly parts: Part[] = [];
  private readonly facts: HostRootFacts;
  private readonly options: HostRootOptions;
  private readonly layers: Layers;
  private readonly visible: ReadonlyMap<Bytes, MountEntry>;
  private works = 0;

  constructor(facts: HostRootFacts, options: HostRootOptions, layers: Layers) {
    this.facts = facts;
    this.options = options;
    this.layers = layers;
    this.visible = new Map(visibleMounts(facts.mounts).map((mount) => [mount.mountPoint, mount]));
  }

  add(id: string, title: string, calls: readonly Call[]): void {
    this.steps.push(step('child', id, title, this.options.cause, calls));
  }

  directory(place: Place): void {
    for (const entry of this.facts.listings.get(place.path) ?? []) this.entry(place, entry);
  }

  private entry(place: Place, entry: HostEntry): void {
    const path = `${place.path === '/' ? '' : place.path}/${entry.name}`;
    if (entry.type === 'symlink') {
      const calls = [sys.symlinkat(entry.target ?? '', place.upper, entry.name, EXISTS)];
      this.add('host-link', `link ${path} to ${entry.target}`, calls);
    } else if (entry.type === 'file') {
      this.file(place, entry, path);
    } else if (entry.type === 'directory') {
      this.subdirectory(place, entry, path);
    }
  }

  private subdirectory(place: Place, entry: HostEntry, path: Bytes): void {
    const mount = this.visible.get(path);
    const kind = mount === undefined ? 'overlay' : treatment(mount);
    const below = this.facts.mounts.some(({ mountPoint }) => isBelow(mountPoint, path));
    const listing = this.facts.listings.get(path);
    const attributes = mount === undefined ? place.attributes : keptAttributes(mount);
    if (kind === 'empty' || !entry.readable || (below && listing === undefined)) {
      this.add('host-directory', `empty directory ${path}`, [make(place, entry)]);
    } else if (kind === 'overlay' && listing !== undefined && listing.length <= ENTRY_LIMIT) {
      this.takeApart(place, entry, path, attributes);
    } else if (kind === 'overlay' && !below && canBeLower(path, this.facts.kernel)) {
      this.overlay(place, entry, path, attributes);
    } else {
      this.bind(path, make(place, entry));
    }
  }

  private takeApart(place: Place, entry: HostEntry, path: Bytes, attributes: number): void {
    const upper = slot(`upper ${path}`);
    this.add('host-directory', `directory ${path}, whose entries follow`, [
      make(place, entry),
      sys.openat(place.upper, entry.name, DIRECTORY, 0, { result: upper }),
    ]);
    this.directory({ path, upper, up: `../${place.up}`, attributes });
  }

  private overlay(place: Place, entry: HostEntry, path: Bytes, attributes: number): void {
    const upper = slot(`upper ${path}`);
    const mounted = slot(`mount ${path}`);
    const number = String(this.works++);
    const work = `../${place.up}/work/${number}`;
    this.add('host-overlay', `overlay ${path} of this machine`, [
      make(place, entry),
      sys.mkdirat(this.layers.directory, `work/${number}`, 0o700, EXISTS),
      sys.openat(place.upper, entry.name, DIRECTORY, 0, { result: upper }),
      ...overlayCalls(
        { lower: path, upper, work, userxattr: true, attributes, ...labelled(this.options) },
        mounted,
      ),
      sys.close(upper),
    ]);
    this.parts.push({ path, mounted });
  }

  private file(place: Place, entry: HostEntry, path: Bytes): void {
    if (entry.readable && entry.size <= COPY_LIMIT && !this.visible.has(path)) {
      this.add('host-file', `copy ${path}`, copyCalls(place, entry, path));
    } else {
      this.bind(path, sys.mknodat(place.upper, entry.name, S_IFREG | 0o644, 0, EXISTS));
    }
  }

  private bind(path: Bytes, mountPoint: Call): void {
    const mounted = slot(`mount ${path}`);
    this.add('host-bind', `bind read-only ${path}`, [
      mountPoint,
      ...readOnlyBind(path, this.facts.mounts, mounted),
    ]);
    this.parts.push({ path, mounted });
  }
}

function make(place: Place, entry: HostEntry): Call {
  return sys.mkdirat(place.upper, entry.name, entry.mode & 0o1777, EXISTS);
}

/** A file that a persistent upper layer has already stays as it is there (EEXIST, then EBADF of what is not open). */
function copyCalls(place: Place, entry: HostEntry, path: Bytes): Call[] {
  const from = slot(`from ${path}`);
  const to = slot(`to ${path}`);
  const unopened = { tolerate: [ERRNO.EBADF] };
  return [
    sys.openat(sys.AT_FDCWD, path, O_RDONLY | NOFOLLOW | O_CLOEXEC, 0, {
      result: from,
      tolerate: [ERRNO.EACCES, ERRNO.ENOENT],
    }),
    sys.openat(place.upper, entry.name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, entry.mode & 0o777, {
      result: to,
      ...EXISTS,
    }),
    sys.sendfile(to, from, COPY_LIMIT, unopened),
    sys.close(to, unopened),
    sys.close(from, unopened),
  ];
}

/** Makes the view: its root directory is `upper` itself, its parts are overlays and read-only binds. */
export function splitRoot(
  facts: HostRootFacts,
  options: HostRootOptions,
  layers: Layers,
  root: Slot,
): Assembly {
  const view = new View(facts, options, layers);
  view.add('host-root', 'a new root directory', [
    sys.openTree(layers.directory, 'upper', OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, { result: root }),
  ]);
  view.directory({ path: '/', upper: layers.upper, up: '..', attributes: 0 });
  return view;
}
