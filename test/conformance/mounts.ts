// Rows for the mount options of config.md: by their effect on a mount where that can be seen, else by what is read.
import type { Patch } from '../attack/patched-build.ts';
import { oci, patch, type Requirement, rows, unit } from './requirement.ts';

const SECTION = 'config.md#configLinuxMountOptions';
const FILE = 'src/spec/mount-options.ts';

/** All options of the specification in its order; where a container shows them, the test is one of a container. */
const NAMES: readonly string[] = (
  'async atime bind defaults dev diratime dirsync exec iversion lazytime loud noatime nodev nodiratime noexec ' +
  'noiversion nolazytime norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime relatime ' +
  'remount rexec rnoatime rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro rprivate rrelatime ' +
  'rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave strictatime suid ' +
  'symfollow sync unbindable idmap'
).split(' ');

/** What mountinfo does not show of a bind mount. */
const READ: readonly string[] =
  'async defaults dirsync iversion lazytime loud noiversion nolazytime norelatime remount rnorelatime rslave silent slave sync idmap'.split(
    ' ',
  );

const ATTRIBUTES = /^r?(?:no)?(?:suid|dev|exec|diratime|symfollow)$|^r?(?:ro|rw)$/;
const TIMES = /^r?(?:no)?(?:atime|relatime|strictatime)$/;
const PROPAGATIONS = /^r?(?:shared|slave|private|unbindable)$/;

/** The option is no longer known, and becomes data of the file system, or is read as something else. */
function unknown(name: string): readonly Patch[] {
  const recursive = name.startsWith('r') && NAMES.includes(name.slice(1)) && name !== 'rw';
  const plain = recursive ? name.slice(1) : name;
  const unless = (call: string) => patch(FILE, call, `if (name !== '${plain}') ${call}`);
  const [known, flag] = PROPAGATIONS.test(name)
    ? ['PROPAGATION', recursive ? 'bit | MS_REC, flag, set, true' : 'bit, flag, set, false']
    : [TIMES.test(name) ? 'ACCESS_TIME' : 'ATTRIBUTE', ''];
  if (flag !== '') return unless(`table.set(${recursive ? '`r${name}`' : 'name'}, [${known}, ${flag}]);`);
  if (ATTRIBUTES.test(name) || TIMES.test(name)) {
    const value = known === 'ATTRIBUTE' ? 'bit, flag, set' : 'mode, flag, choose';
    return unless(`table.set(${recursive ? '`r${name}`' : 'name'}, [${known}, ${value}, ${recursive}]);`);
  }
  if (['bind', 'rbind', 'remount', 'defaults', 'idmap', 'ridmap'].includes(name))
    return patch(
      FILE,
      `table.set(name, [SWITCH, 0, 0, true, false]);`,
      `if (name !== '${name}') table.set(name, [SWITCH, 0, 0, true, false]);`,
    );
  return unless('table.set(name, [SUPER, bit, flag, set, false]);');
}

const OPTIONS: readonly Requirement[] = NAMES.flatMap((name, index) =>
  rows(
    { [`${SECTION}.${index + 1}`]: `the mount option \`${name}\` is implemented` },
    READ.includes(name)
      ? unit('spec/mount-option-names', `mount option ${name}`)
      : oci('conformance-mounts', `mount option ${name}`),
    unknown(name),
  ),
);

const OTHERS: readonly Requirement[] = [
  ...rows(
    { [`${SECTION}.72`]: 'what mount(8) keeps to itself is no data of the file system either' },
    unit('spec/mount-options', 'mount options: what mount(8) keeps to itself is no data of the file system'),
    patch(FILE, 'if (!isForFstab(option)) this.data.push(option);', 'this.data.push(option);'),
  ),
  ...rows(
    {
      'config-linux.md#configLinuxDefaultFilesystems.1':
        'a configuration that `spec` writes has /proc, /sys, /dev/pts and /dev/shm; others are as they say',
    },
    oci('conformance-linux', 'what spec writes has the default file systems'),
    patch('src/spec/defaults.ts', `destination: '/dev/shm',`, `destination: '/dev/shm2',`),
  ),
];

export const MOUNTS: readonly Requirement[] = [...OPTIONS, ...OTHERS];
