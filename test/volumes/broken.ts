// Builds of caisson in which one defence of volumes is missing: each attack is shown to succeed against one of them.
import { type Patch, type PatchedBuild, patchedBuild } from '../attack/patched-build.ts';

const READER = 'src/image/layer/tree-reader.ts';
const WALK: readonly Patch[] = [
  {
    file: READER,
    fragment:
      'const BELOW = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;',
    replacement:
      'const BELOW = 0 & (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);',
  },
  {
    file: READER,
    fragment: 'const flags = O_RDONLY | calls.open.O_DIRECTORY | calls.open.O_NOFOLLOW;',
    replacement: 'const flags = O_RDONLY | calls.open.O_DIRECTORY;',
  },
];

const PATCHES = {
  'an export that follows links': [
    ...WALK,
    {
      file: 'src/engine/volumes/archive.ts',
      fragment: 'confine: true, fresh: false, writable: false',
      replacement: 'confine: false, fresh: false, writable: false',
    },
  ],
  'an import that follows links': [
    {
      file: 'src/engine/volumes/archive.ts',
      fragment: '{ confine: true, fresh: false }',
      replacement: '{ confine: false, fresh: false }',
    },
    {
      file: 'src/plan/compile/destination.ts',
      fragment: 'const IN_ROOT = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;',
      replacement: 'const IN_ROOT = RESOLVE_NO_MAGICLINKS;',
    },
  ],
  'a place in the image that is looked up on the host': [
    {
      file: 'src/engine/volumes/copy-up.ts',
      fragment: 'calls.openat2(view, path, flags, IN_ROOT, {',
      replacement: 'calls.openat2(view, path, flags, IN_ROOT & 0, {',
    },
  ],
  'a copy into what is there': [
    {
      file: 'src/engine/volumes/copy-up.ts',
      fragment: 'const [data, copy] = [`${directory}/_data`, `${directory}/_copy`];',
      replacement: 'const [data, copy] = [`${directory}/_none`, `${directory}/_data`];',
    },
    {
      file: 'src/engine/volumes/copy-up.ts',
      fragment: 'disk.rename(copy, data);',
      replacement: 'if (copy === "") disk.rename(copy, data);',
    },
    {
      file: 'src/engine/volumes/archive.ts',
      fragment: 'store.disk.remove(`${store.directoryOf(volume.name)}/fresh`);',
      replacement: '',
    },
  ],
  'first containers that do not wait': [
    {
      file: 'src/engine/volumes/copy-up.ts',
      fragment: 'await underLock(store.port, player, `${directory}/lock`, async () => {',
      replacement: 'await underLock(store.port, player, `${directory}/lock-${store.port.pid}`, async () => {',
    },
  ],
  'a directory of a volume by its path': [
    {
      file: 'src/plan/compile/mounts.ts',
      fragment: 'sys.openat2(volume, below, flags, IN_ROOT, { result: directory }),',
      replacement: 'sys.openat(volume, below, flags, 0, { result: directory }),',
    },
  ],
  'owners changed behind links': [
    ...WALK,
    {
      file: 'src/engine/volumes/change-tree.ts',
      fragment:
        'const BELOW = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;',
      replacement:
        'const BELOW = 0 & (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);',
    },
    {
      file: 'src/engine/volumes/change-tree.ts',
      fragment: 'const flags = O_RDONLY | calls.open.O_DIRECTORY | calls.open.O_NOFOLLOW;',
      replacement: 'const flags = O_RDONLY | calls.open.O_DIRECTORY;',
    },
  ],
  'a removal that does not ask who uses it': [
    {
      file: 'src/engine/volumes/volume-store.ts',
      fragment: 'if (users.length > 0) {',
      replacement: 'if (users.length > 1000) {',
    },
  ],
  'a removal that does not take the name first': [
    {
      file: 'src/engine/volumes/volume-store.ts',
      fragment: 'const gone = `${this.directory}/${GONE}${this.unique()}`;',
      replacement: 'const gone = this.directoryOf(name);',
    },
  ],
  'a copy that is not made beside the volume': [
    {
      file: 'src/engine/volumes/copy-up.ts',
      fragment: 'disk.makeDirectory(copy, 0o700);',
      replacement:
        'disk.makeDirectory(copy, 0o700); disk.remove(`${directory}/fresh`); disk.rename(copy, data);',
    },
    {
      file: 'src/engine/volumes/copy-up.ts',
      fragment: 'await copyTree(store, launcher, from, copy);',
      replacement: 'await copyTree(store, launcher, from, data);',
    },
    {
      file: 'src/engine/volumes/copy-up.ts',
      fragment:
        'if (wanted.durable) await syncFiles(player, from.conversation, store, copy); disk.rename(copy, data);',
      replacement: '',
    },
  ],
  'volumes that appear before they are whole': [
    {
      file: 'src/engine/volumes/volume-store.ts',
      fragment: 'const fresh = `${this.directory}/${NEW}${this.unique()}`;',
      replacement: 'const fresh = this.directoryOf(wanted.name);',
    },
  ],
} as const satisfies Readonly<Record<string, readonly Patch[]>>;

export type BrokenName = keyof typeof PATCHES;

/** Builds it; about two seconds. */
export function brokenBuild(name: BrokenName): PatchedBuild {
  return patchedBuild(PATCHES[name]);
}
