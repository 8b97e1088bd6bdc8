// The differences between caisson and its peers that are meant, each with its reason, and the comparison itself.

import type { Bundle } from './bundles.ts';
import { LAST_SECTION } from './report.ts';
import type { Outcome, Peer } from './runtimes.ts';

/** Lines that may differ: those of `ours` have no match in the peer's report, those of `theirs` none in caisson's. */
export interface Difference {
  readonly reason: string;
  /** All peers unless told. */
  readonly peer?: Peer;
  /** All bundles unless told: a part of their names. */
  readonly bundle?: RegExp;
  readonly section: string;
  /** It depends on the host whether it is seen: its cgroups, its /proc/kcore. */
  readonly host?: true;
  readonly ours?: RegExp;
  readonly theirs?: RegExp;
}

/** What KEYCTL_DESCRIBE says of the session keyring: its length, and type;uid;gid;permissions;name in hexadecimal. */
const KEYRING = /^\d+ 6b657972696e673b/;

/** How a program ended, as lines of a section of its own. */
const EXIT = 'exit';

export const INTENDED: readonly Difference[] = [
  {
    section: 'mounts',
    ours: /^\S+ ro,nosuid,nodev,noexec,relatime : \/ : tmpfs tmpfs rw,nr_inodes=2,mode=755/,
    theirs:
      /^\S+ ro,relatime : (?:\/ : tmpfs tmpfs r[ow],size=4k,nr_inodes=1|BUNDLES\/\S+empty-directory : )/,
    reason: 'masked directories: one tmpfs of two inodes, read-only and without devices and programs besides',
  },
  {
    section: 'mounts',
    ours: /^\S+ rw,relatime : \/null : devtmpfs /,
    theirs: /^\S+ (?:rw,nosuid : \/null : tmpfs|ro,relatime : \/null : devtmpfs) /,
    reason:
      'masked files: the null device of the host, proven by its number; that of the container could be another (CVE-2025-31133)',
  },
  {
    section: 'mounts',
    peer: 'runc',
    bundle: /^masks of files/,
    theirs: /^\/proc\/bus ro,relatime : \/bus : proc proc rw$/,
    reason: 'masks come first, so what is masked and read-only as well is a read-only mask',
  },
  {
    section: 'mounts',
    peer: 'runc',
    ours: /^\/sys ro,\S+ : \/ : sysfs sysfs rw$/,
    theirs: /^\/sys ro,\S+ : \/ : sysfs sysfs ro$/,
    reason: 'read-only is an attribute of the mount, not of the file system',
  },
  {
    section: 'mounts',
    host: true,
    ours: /^\/sys\/fs\/cgroup ro,nosuid,nodev,noexec,relatime : \/ : tmpfs cgroup rw,mode=755/,
    theirs: /^\/sys\/fs\/cgroup rw,nosuid,nodev,noexec,relatime : \/ : tmpfs \S+ rw,(?:mode=755|size=1024k)/,
    reason: 'the directory of the v1 hierarchies is read-only as the configuration says',
  },
  {
    section: 'writable',
    host: true,
    peer: 'crun',
    ours: /^\/sys\/fs\/cgroup not writable$/,
    theirs: /^\/sys\/fs\/cgroup writable$/,
    reason: 'the same: crun leaves the directory to everybody',
  },
  {
    section: 'mounts',
    host: true,
    ours: /^\/sys\/fs\/cgroup\/\S+ ro,nosuid,nodev,noexec,relatime : \S+ : cgroup cgroup rw,/,
    theirs: /^\/sys\/fs\/cgroup\/\S+ ro,nosuid,nodev,noexec,relatime(?:,nosymfollow)? : \S+ : cgroup \S+ rw,/,
    reason:
      'sources are words without meaning; crun adds nosymfollow, and has another cgroup without cgroupsPath',
  },
  {
    section: 'mounts',
    host: true,
    ours: /^\/sys\/fs\/cgroup ro,\S+ : \S+ : cgroup2 cgroup2 rw/,
    theirs: /^\/sys\/fs\/cgroup ro,\S+ : \S+ : cgroup2 \S+ rw/,
    reason:
      'v2: without a cgroup namespace, too, only the directory of the container is shown; the source is a word',
  },
  {
    section: 'hierarchies',
    host: true,
    ours: /^-\S+ \w+\./,
    theirs: /^[-d]\S+ /,
    reason: 'v2: the same',
  },
  {
    section: 'cgroups',
    peer: 'crun',
    ours: /^\S*:\/\S+\/ID$/,
    theirs: /^\S*:\/ID$/,
    reason: 'without cgroupsPath the cgroup is below the own one, as with runc; crun puts it below the root',
  },
  {
    section: 'devices',
    host: true,
    peer: 'crun',
    theirs: /^\/dev\/core -> \/proc\/kcore$/,
    reason: 'the link is made where there is a /proc/kcore, as runc does',
  },
  {
    section: 'hierarchies',
    host: true,
    peer: 'crun',
    theirs: /^lrwxrwxrwx net_(?:cls|prio) -> net_cls,net_prio$/,
    reason: 'links to a hierarchy that is not mounted',
  },
  {
    section: 'calls',
    ours: KEYRING,
    theirs: KEYRING,
    reason:
      'the name of the session keyring is runc’s, which crun calls otherwise; runc lets it be searched for exec',
  },
  {
    section: 'devices',
    peer: 'runc',
    bundle: /^with a user namespace$/,
    ours: /^\/dev\/mqueue directory 1777 0:0 0:0$/,
    theirs: /^\/dev\/mqueue directory 1777 0:65534 0:0$/,
    reason: 'the mount is made after setgid(2), so that it is of a group of the container',
  },
  {
    section: 'mounts',
    peer: 'crun',
    bundle: /^with a user namespace$/,
    ours: /^\/dev\/\w+ rw,relatime : \/\w+ : devtmpfs /,
    theirs: /^\/dev\/\w+ rw,nosuid,noexec,relatime : \/\w+ : devtmpfs /,
    reason: 'devices bound from the host keep the flags of its /dev, as with runc',
  },
  {
    section: 'mounts',
    peer: 'crun',
    bundle: /^propagation of mounts$/,
    ours: /^\/\w+ \S+ unbindable : \/ : tmpfs tmpfs rw,mode=755$/,
    theirs: /^\/\w+ \S+ : \/ : tmpfs tmpfs rw,mode=755$/,
    reason: 'crun knows no unbindable',
  },
  {
    section: 'mounts',
    bundle: /^tmpfs that copies up$/,
    ours: /^\/var rw,relatime : \/ : overlay tmpfs /,
    reason: 'an overlay over the tmpfs in place of copying',
  },
  {
    section: 'mounts',
    peer: 'crun',
    bundle: /^propagation of mounts$/,
    ours: /^\/work rw,relatime shared : /,
    theirs: /^\/work rw,relatime : /,
    reason: 'rshared is what the configuration says, and what runc does',
  },
  {
    section: 'status',
    peer: 'runc',
    bundle: /^no object of capabilities$/,
    ours: /^Cap(?:Bnd|Eff|Prm):\t0000000000000000$/,
    theirs: /^Cap(?:Bnd|Eff|Prm):\t/,
    reason: 'capabilities that were not given are not there (crun agrees)',
  },
  {
    section: 'devices-tried',
    peer: 'runc',
    bundle: /^no object of capabilities$/,
    ours: / not made$/,
    theirs: / made$/,
    reason: 'the same: no CAP_MKNOD',
  },
  {
    section: 'calls',
    peer: 'runc',
    bundle: /^no object of capabilities$/,
    ours: /^-1$/,
    theirs: /^0$/,
    reason: 'the same: no CAP_SYS_ADMIN',
  },
  {
    section: 'environment',
    peer: 'crun',
    bundle: /^an environment with an empty HOME$/,
    ours: /^HOME=\/root$/,
    theirs: /^HOME=$/,
    reason: 'an empty HOME is as good as none, as with runc',
  },
];

/** What is left of a comparison: a line of each report that the other lacks. */
export interface Found {
  readonly section: string;
  readonly ours: readonly string[];
  readonly theirs: readonly string[];
}

/** Compares one bundle's outcomes; `used` collects the differences of the table that were seen. */
export function compare(
  bundle: Bundle,
  peer: Peer,
  ours: Outcome,
  theirs: Outcome,
  used: Set<Difference>,
): Found[] {
  const mine = sectionsOf(ours);
  const others = sectionsOf(theirs);
  const names = new Set([...mine.keys(), ...others.keys()]);
  return [...names].flatMap((section): Found[] => {
    const [left, right] = withoutCommon(mine.get(section) ?? [], others.get(section) ?? []);
    const rules = INTENDED.filter(
      (rule) =>
        rule.section === section && (rule.peer ?? peer) === peer && (rule.bundle?.test(bundle.name) ?? true),
    );
    const keep = (side: 'ours' | 'theirs') => (line: string) => {
      const rule = rules.find((each) => each[side]?.test(line));
      if (rule !== undefined) used.add(rule);
      return rule === undefined;
    };
    const found = { section, ours: left.filter(keep('ours')), theirs: right.filter(keep('theirs')) };
    return found.ours.length + found.theirs.length === 0 ? [] : [found];
  });
}

function sectionsOf({ code, stdout, report }: Outcome): Map<string, readonly string[]> {
  const ended = [
    `code ${code}`,
    ...(report.size === 0 ? stdout.split('\n') : report.has(LAST_SECTION) ? [] : ['report is cut short']),
  ];
  return new Map([...report, [EXIT, ended]]);
}

function withoutCommon(left: readonly string[], right: readonly string[]): [string[], string[]] {
  const rest = [...right];
  const own = left.filter((line) => {
    const at = rest.indexOf(line);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
  return [own, rest];
}
