// Builds of caisson in which one defence is missing: each attack is shown to succeed against at least one of them.
import { type Patch, type PatchedBuild, patchedBuild } from './patched-build.ts';

const NOT_SEALED: readonly Patch[] = [
  {
    file: 'src/host/bun.ts',
    fragment: `  syscall('fcntl', sealed, F_ADD_SEALS, ALL_SEALS);\n`,
    replacement: '',
  },
  {
    file: 'launcher/launcher.c',
    fragment: 'if (seals >= 0 && (seals & SEALS) == SEALS)',
    replacement: 'if (seals >= 0)',
  },
];

/** The places that keep a caller's descriptors out; Bun itself, which marks what it inherits, is the first. */
const DESCRIPTORS_LEAK: readonly Patch[] = [
  {
    file: 'src/host/bun.ts',
    fragment: '    const pid = spawnWith(`/proc/self/fd/${image}`',
    replacement: `  for (const fd of require('node:fs').readdirSync('/proc/self/fd').map(Number)) {
    try {
      if (require('node:fs').fstatSync(fd).isDirectory()) syscall('fcntl', fd, 2, 0);
    } catch {}
  }
  const pid = spawnWith(\`/proc/self/fd/\${image}\``,
  },
  {
    file: 'src/plan/compile.ts',
    fragment: '    sys.closeRange(3, 0xffffffff, CLOSE_RANGE_CLOEXEC),\n',
    replacement: '',
  },
  {
    file: 'src/plan/compile-exec.ts',
    fragment: '    sys.closeRange(3, 0xffffffff, CLOSE_RANGE_CLOEXEC),\n',
    replacement: '',
  },
  {
    file: 'launcher/launcher.c',
    fragment: '    CALL(__NR_close_range, 3, UINT32_MAX, CLOSE_RANGE_CLOEXEC);',
    replacement: '    CALL(__NR_fcntl, 3, 2, 1);',
  },
];

/** Paths inside the root are followed as the host's. */
const NOT_IN_ROOT: Patch = {
  file: 'src/plan/compile/destination.ts',
  fragment: 'const IN_ROOT = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;',
  replacement: 'const IN_ROOT = RESOLVE_NO_MAGICLINKS;',
};

const PATCHES = {
  'ids that begin with a dot': [
    {
      file: 'src/runtime/state.ts',
      fragment: "id.length <= LONGEST_ID && !id.startsWith('.') && isMadeOf",
      replacement: 'id.length <= LONGEST_ID && isMadeOf',
    },
  ],
  "hooks with the container's environment": [
    {
      file: 'src/runtime/hooks.ts',
      fragment: "kind === 'startContainer' ? await environmentIn(player, spec, pid) : []",
      replacement: 'spec.process?.env ?? []',
    },
  ],
  'hooks of start with all privileges': [
    {
      file: 'src/plan/compile/hooks.ts',
      fragment: '  if (asProcess) becomeProcess(c);\n',
      replacement: '',
    },
  ],
  'a launcher that is not sealed': NOT_SEALED,
  'descriptors of the caller': DESCRIPTORS_LEAK,
  'a working directory by path': [
    ...DESCRIPTORS_LEAK,
    {
      file: 'src/plan/compile/process.ts',
      fragment: 'const { calls, fd } = resolveDirectory(c, cwd);',
      replacement: `const { calls, fd } = resolveDirectory(c, '/');`,
    },
    {
      file: 'src/plan/compile/process.ts',
      fragment: '    sys.fchdir(directory),\n',
      replacement: '    sys.chdir(cwd),\n',
    },
    {
      file: 'src/plan/compile/process.ts',
      fragment: `    sys.check(first, 'EQ', SLASH, ERRNO.ENOENT, { mask: 0xffn }),\n`,
      replacement: '',
    },
  ],
  'an exec whose working directory is a path': [
    ...DESCRIPTORS_LEAK,
    {
      file: 'src/plan/compile-exec.ts',
      fragment: 'sys.openat2(sys.AT_FDCWD, cwd, O_PATH',
      replacement: `sys.openat2(sys.AT_FDCWD, '/', O_PATH`,
    },
    {
      file: 'src/plan/compile-exec.ts',
      fragment: '    sys.fchdir(directory),\n',
      replacement: '    sys.chdir(cwd),\n',
    },
    {
      file: 'src/plan/compile-exec.ts',
      fragment: `    sys.check(first, 'EQ', SLASH, ERRNO.ENOENT, { mask: 0xffn }),\n`,
      replacement: '',
    },
  ],
  // A change of ids would hide it too, so that it is left out.
  'an exec that can be looked into': [
    {
      file: 'src/plan/compile/join-container.ts',
      fragment: 'sys.prctl(PR_SET_DUMPABLE, 0)',
      replacement: 'sys.prctl(PR_SET_DUMPABLE, 1)',
    },
    {
      file: 'src/plan/compile/join-container.ts',
      fragment: '  if (!user) return;\n',
      replacement: '  if (calls.length >= 0) return;\n',
    },
  ],
  'masks made of the /dev/null of the root': [
    {
      file: 'src/plan/compile/masks.ts',
      fragment: '...verifiedNull(none),',
      replacement: `sys.openat2(c.root, 'dev/null', O_PATH | O_CLOEXEC, 0x10, { result: none }),`,
    },
  ],
  'a console that follows links': [
    {
      file: 'src/plan/compile/devices.ts',
      fragment: `sys.openat(fd, 'console', O_PATH | O_NOFOLLOW | O_CLOEXEC, 0, { result: console })`,
      replacement: `sys.openat(fd, 'console', O_PATH | O_CLOEXEC, 0, { result: console })`,
    },
  ],
  'paths that leave the root': [
    NOT_IN_ROOT,
    // Else the links are out of the way before the launcher sees them.
    {
      file: 'src/runtime/mount-points.ts',
      fragment: '|| readLink === undefined) return spec;',
      replacement: '|| readLink !== undefined) return spec;',
    },
  ],
  'links as /proc, /sys and /dev': [
    {
      file: 'src/plan/compile/destination.ts',
      fragment: `new Set(['proc', 'sys', 'dev'])`,
      replacement: 'new Set()',
    },
  ],
  'links as /dev that leave the root': [
    NOT_IN_ROOT,
    {
      file: 'src/plan/compile/destination.ts',
      fragment: `new Set(['proc', 'sys', 'dev'])`,
      replacement: 'new Set()',
    },
  ],
  'sysctls through the /proc of the container': [
    {
      file: 'src/plan/compile/process.ts',
      fragment: 'sys.openat2(procfs, path, O_WRONLY | O_CLOEXEC, RESOLVE_CHILD, { result: file })',
      replacement: 'sys.openat2(c.root, `proc/${path}`, O_WRONLY | O_CLOEXEC, 0x10, { result: file })',
    },
  ],
  'mounts allowed all over /proc': [
    {
      file: 'src/plan/compile/mounts.ts',
      fragment: `  if (!name.startsWith('proc/') || PROC_FILES.has(name)`,
      replacement: `  if (name !== '' || PROC_FILES.has(name)`,
    },
  ],
  'mounts by path': [
    {
      file: 'src/plan/compile/mounts.ts',
      fragment: 'sys.moveMount(mounted, fd, ONTO), ...(layered',
      // MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS
      replacement:
        'sys.moveMount(mounted, sys.AT_FDCWD, 0x14, {}, `${c.spec.root?.path}${mount.destination}`), ...(layered',
    },
  ],
  'inheritable capabilities': [
    {
      file: 'src/plan/compile/process.ts',
      fragment: 'const inheritable = words(c, sets.inheritable);',
      replacement: 'const inheritable = words(c, sets.permitted);',
    },
  ],
  'a full bounding set': [
    {
      file: 'src/plan/compile/process.ts',
      fragment: '  dropBounding(c, capabilities?.bounding ?? []);\n',
      replacement: '',
    },
  ],
  'new privileges by execve': [
    {
      file: 'src/plan/compile/process.ts',
      fragment: '  if (!c.spec.process?.noNewPrivileges) return;\n',
      replacement: '  if (c.spec.process !== undefined) return;\n',
    },
  ],
  'digits that may be names': [
    {
      file: 'src/frontends/users.ts',
      fragment: 'if (!/^[0-9]+$/.test(text)) return undefined;',
      replacement: `if (what === 'user' || text === '') return undefined;`,
    },
  ],
  'ids that wrap': [
    {
      file: 'src/frontends/users.ts',
      fragment: '  if (id > ID_MAX) {\n    throw',
      replacement: '  if (id > ID_MAX) return id % 2 ** 32;\n  if (id < 0) {\n    throw',
    },
  ],
  'groups of the caller': [
    {
      file: 'src/plan/compile/process.ts',
      fragment: '  if (mayCallSetgroups(c)) {\n    const list',
      replacement: '  if (groups.length > 1000) {\n    const list',
    },
  ],
  'identity maps that overlap': [
    {
      file: 'src/spec/id-mapping-check.ts',
      fragment: '  if (mappings.length < 2) return undefined;\n',
      replacement: '  if (mappings.length < 200000) return undefined;\n',
    },
  ],
  'cgroups that can be written': [
    {
      file: 'src/plan/compile/mounts.ts',
      fragment: '    calls.push(...attributesBelow(mounted, options));\n',
      replacement: '',
    },
  ],
  'the cgroup namespace of the host': [
    {
      file: 'src/plan/compile/context.ts',
      fragment: `return this.namespaces.get(type)?.kind === 'new';`,
      replacement: `return type !== 'cgroup' && this.namespaces.get(type)?.kind === 'new';`,
    },
  ],
  'all devices': [
    {
      file: 'src/cgroups/create.ts',
      fragment: `options.devices === 'skip') return [];`,
      replacement: `options.devices !== undefined) return [];`,
    },
  ],
  'no filter of system calls': [
    {
      file: 'src/plan/compile/execute.ts',
      fragment: '  if (filter === undefined) return;\n  if (filter.needsListener)',
      replacement: '  if (filter !== undefined) return;\n  if (filter.needsListener)',
    },
  ],
  'a profile that allows what it does not know': [
    {
      file: 'src/seccomp/default-profile.ts',
      fragment: `defaultAction: 'SCMP_ACT_ERRNO'`,
      replacement: `defaultAction: 'SCMP_ACT_ALLOW'`,
    },
  ],
  'the session of the caller': [
    {
      file: 'src/plan/compile/process.ts',
      fragment: `  c.child('session', 'a session of its own', 'default: no controlling terminal is inherited', [call('setsid', [])]);\n`,
      replacement: '',
    },
  ],
  'CAP_DAC_READ_SEARCH by default': [
    {
      file: 'src/frontends/docker/capabilities.ts',
      fragment: `  'CAP_DAC_OVERRIDE',\n`,
      replacement: `  'CAP_DAC_OVERRIDE',\n  'CAP_DAC_READ_SEARCH',\n`,
    },
  ],
  'a launcher that can be looked into': [
    {
      file: 'src/plan/compile/namespaces.ts',
      fragment: `'default: CVE-2016-9962', [sys.prctl(PR_SET_DUMPABLE, 0)]`,
      replacement: `'default: CVE-2016-9962', [sys.prctl(PR_SET_DUMPABLE, 1)]`,
    },
  ],
  'the session keyring of the caller': [
    {
      file: 'src/plan/compile/process.ts',
      fragment: '  if (c.options.noNewKeyring) return;\n',
      replacement: '  if (c.options !== undefined) return;\n',
    },
  ],
  'no masks': [
    {
      file: 'src/plan/compile/masks.ts',
      fragment: '  if (present.length > 0) {',
      replacement: '  if (present.length > 1000000) {',
    },
  ],
  'no masks and no read-only paths': [
    {
      file: 'src/plan/compile/masks.ts',
      fragment: '  if (present.length > 0) {',
      replacement: '  if (present.length > 1000000) {',
    },
    {
      file: 'src/plan/compile/masks.ts',
      fragment: 'c.spec.linux?.readonlyPaths?.forEach((path, index) => {',
      replacement: '([] as string[]).forEach((path, index) => {',
    },
  ],
  'state that everybody reads': [
    {
      file: 'src/host/bun-files.ts',
      fragment: "syscall('mkdirat', AT_FDCWD, cstring(path), 0o700)",
      replacement: "syscall('mkdirat', AT_FDCWD, cstring(path), 0o755)",
    },
    {
      file: 'src/host/files.ts',
      fragment: '{ recursive: true, mode: 0o700 }',
      replacement: '{ recursive: true, mode: 0o755 }',
    },
  ],
} as const satisfies Readonly<Record<string, readonly Patch[]>>;

export type BrokenName = keyof typeof PATCHES;

export const BROKEN: Readonly<Record<BrokenName, readonly Patch[]>> = PATCHES;

/** Builds it; about a second. */
export function brokenBuild(name: BrokenName): PatchedBuild {
  return patchedBuild(PATCHES[name]);
}
