// Mount option strings of the runtime specification -> flags of mount(2), mount_setattr(2) and fsconfig(2).

import type { Bytes } from '../linux/bytes.ts';
import {
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_RELATIME,
  MOUNT_ATTR_STRICTATIME,
  MS_DIRSYNC,
  MS_I_VERSION,
  MS_LAZYTIME,
  MS_MANDLOCK,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_RELATIME,
  MS_SHARED,
  MS_SILENT,
  MS_SLAVE,
  MS_STRICTATIME,
  MS_SYNCHRONOUS,
  MS_UNBINDABLE,
} from '../linux/constants/mount.ts';

/** What a list of mount options asks for. All numbers are masks for the system call that is named. */
export interface MountOptions {
  /** `bind`, `rbind`, or the mount type `bind` (which crun takes so, too). */
  readonly bind: boolean;
  /** `rbind`: with the mounts below the source. */
  readonly recursive: boolean;
  readonly remount: boolean;
  /**
   * mount_setattr(2) attr_set and attr_clr of this mount alone. Where an access time mode was asked for,
   * MOUNT_ATTR__ATIME is in attr_clr, as the kernel requires; attr_set alone is right for fsmount(2).
   */
  readonly attrSet: number;
  readonly attrClear: number;
  /** The same with AT_RECURSIVE (`rro`, `rnosuid`, ...); both 0: nothing to do. */
  readonly recursiveAttrSet: number;
  readonly recursiveAttrClear: number;
  /** mount(2) MS_* flags to set and to clear, without MS_BIND, MS_REC, MS_REMOUNT and the propagation. */
  readonly flagsSet: number;
  readonly flagsClear: number;
  /** Super block flags as fsconfig(FSCONFIG_SET_FLAG) takes them: `sync`, `dirsync`, `lazytime`, `mand`. */
  readonly superFlags: readonly Bytes[];
  /** mount(2) propagation calls in order: one of MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE, with MS_REC or not. */
  readonly propagation: readonly number[];
  /** An id-mapped mount was asked for, of this mount or of all below it. */
  readonly idmap: 'idmap' | 'ridmap' | undefined;
  /** Copy what the image has at the destination into the new tmpfs. */
  readonly tmpcopyup: boolean;
  /** What is left for the file system: `size=64k`, in order. */
  readonly data: readonly Bytes[];
  /** Pairs in which the second option undid the first; the last one holds, as in mount(8). */
  readonly undone: readonly (readonly [Bytes, Bytes])[];
}

/** What an option does; see OptionReader. */
const ATTRIBUTE = 0;
const ACCESS_TIME = 1;
const SUPER = 2;
const PROPAGATION = 3;
const SWITCH = 4;

/** [what, bit (an attribute or a propagation), MS_* flag, set or clear, of all mounts below]. */
type Meaning = readonly [what: number, bit: number, flag: number, set: boolean, recursive: boolean];

type Row = readonly [name: Bytes, bit: number, flag: number, set: boolean];

/** Attributes of a mount; with `r` in front of the name, of all mounts below it. */
const ATTRIBUTES: readonly Row[] = [
  ['ro', MOUNT_ATTR_RDONLY, MS_RDONLY, true],
  ['rw', MOUNT_ATTR_RDONLY, MS_RDONLY, false],
  ['nosuid', MOUNT_ATTR_NOSUID, MS_NOSUID, true],
  ['suid', MOUNT_ATTR_NOSUID, MS_NOSUID, false],
  ['nodev', MOUNT_ATTR_NODEV, MS_NODEV, true],
  ['dev', MOUNT_ATTR_NODEV, MS_NODEV, false],
  ['noexec', MOUNT_ATTR_NOEXEC, MS_NOEXEC, true],
  ['exec', MOUNT_ATTR_NOEXEC, MS_NOEXEC, false],
  ['nodiratime', MOUNT_ATTR_NODIRATIME, MS_NODIRATIME, true],
  ['diratime', MOUNT_ATTR_NODIRATIME, MS_NODIRATIME, false],
  ['nosymfollow', MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW, true],
  ['symfollow', MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW, false],
];

/** Access time modes are one value, not bits (mount_setattr(2)): chosen, or left again. */
const ACCESS_TIMES: readonly Row[] = [
  ['noatime', MOUNT_ATTR_NOATIME, MS_NOATIME, true],
  ['atime', MOUNT_ATTR_NOATIME, MS_NOATIME, false],
  ['relatime', MOUNT_ATTR_RELATIME, MS_RELATIME, true],
  ['norelatime', MOUNT_ATTR_RELATIME, MS_RELATIME, false],
  ['strictatime', MOUNT_ATTR_STRICTATIME, MS_STRICTATIME, true],
  ['nostrictatime', MOUNT_ATTR_STRICTATIME, MS_STRICTATIME, false],
];

/** Super block flags, for mount(2). */
const SUPER_FLAGS: readonly Row[] = [
  ['sync', 0, MS_SYNCHRONOUS, true],
  ['async', 0, MS_SYNCHRONOUS, false],
  ['dirsync', 0, MS_DIRSYNC, true],
  ['lazytime', 0, MS_LAZYTIME, true],
  ['nolazytime', 0, MS_LAZYTIME, false],
  ['mand', 0, MS_MANDLOCK, true],
  ['nomand', 0, MS_MANDLOCK, false],
  ['iversion', 0, MS_I_VERSION, true],
  ['noiversion', 0, MS_I_VERSION, false],
  ['silent', 0, MS_SILENT, true],
  ['loud', 0, MS_SILENT, false],
];

/** Those that fsconfig(2) knows, too (common_set_sb_flag of the kernel's fs_context.c). */
const FSCONFIG_FLAGS: readonly (readonly [Bytes, number])[] = [
  ['sync', MS_SYNCHRONOUS],
  ['dirsync', MS_DIRSYNC],
  ['lazytime', MS_LAZYTIME],
  ['mand', MS_MANDLOCK],
];

const FSCONFIG_MASK = MS_SYNCHRONOUS | MS_DIRSYNC | MS_LAZYTIME | MS_MANDLOCK;

function fsconfigNames(flags: number): Bytes[] {
  return FSCONFIG_FLAGS.filter(([, flag]) => (flags & flag) !== 0).map(([name]) => name);
}

const PROPAGATIONS: readonly Row[] = [
  ['shared', MS_SHARED, 0, true],
  ['slave', MS_SLAVE, 0, true],
  ['private', MS_PRIVATE, 0, true],
  ['unbindable', MS_UNBINDABLE, 0, true],
];

const SWITCHES = ['bind', 'rbind', 'remount', 'defaults', 'idmap', 'ridmap', 'tmpcopyup'] as const;

/** Words for those who read fstab(5): mount(8) tells the kernel nothing of them, nor of what begins with `x-`. */
const FOR_FSTAB: readonly Bytes[] = ['auto', 'noauto', 'nofail', 'nouser', '_netdev'];

function isForFstab(option: Bytes): boolean {
  return FOR_FSTAB.includes(option) || option.startsWith('x-') || option.startsWith('X-');
}

const MEANINGS: ReadonlyMap<Bytes, Meaning> = meanings();

function meanings(): Map<Bytes, Meaning> {
  const table = new Map<Bytes, Meaning>();
  for (const name of SWITCHES) table.set(name, [SWITCH, 0, 0, true, false]);
  for (const [name, bit, flag, set] of SUPER_FLAGS) table.set(name, [SUPER, bit, flag, set, false]);
  for (const [name, bit, flag, set] of ATTRIBUTES) {
    table.set(name, [ATTRIBUTE, bit, flag, set, false]);
    table.set(`r${name}`, [ATTRIBUTE, bit, flag, set, true]);
  }
  for (const [name, mode, flag, choose] of ACCESS_TIMES) {
    table.set(name, [ACCESS_TIME, mode, flag, choose, false]);
    table.set(`r${name}`, [ACCESS_TIME, mode, flag, choose, true]);
  }
  for (const [name, bit, flag, set] of PROPAGATIONS) {
    table.set(name, [PROPAGATION, bit, flag, set, false]);
    table.set(`r${name}`, [PROPAGATION, bit | MS_REC, flag, set, true]);
  }
  return table;
}

/** Every option that is not passed to the file system, sorted: what `features` prints. */
export function mountOptionNames(): Bytes[] {
  return [...MEANINGS.keys()].sort();
}

/** The MS_* flag of a propagation name (`rslave`: MS_SLAVE | MS_REC), undefined for any other word. */
export function propagationFlag(name: Bytes): number | undefined {
  const meaning = MEANINGS.get(name);
  return meaning?.[0] === PROPAGATION ? meaning[1] : undefined;
}

/** What was read last of a list; nobody changes one, and everybody who looks at a mount reads it again. */
const KNOWN = new WeakMap<readonly Bytes[], MountOptions>();

const NO_OPTIONS: readonly Bytes[] = [];

/**
 * Reads the `options` of a mount (config.md, Linux mount options); unknown ones are data for the file system, but
 * for what mount(8) keeps to itself.
 * Of contradicting options the last one holds. `type` is the mount's type: `bind` is a bind mount.
 */
export function parseMountOptions(options: readonly Bytes[] = NO_OPTIONS, type: Bytes = ''): MountOptions {
  let read = KNOWN.get(options);
  if (read === undefined) {
    const reader = new OptionReader(options);
    for (let i = 0; i < options.length; i++) reader.read(i);
    read = reader.result();
    KNOWN.set(options, read);
  }
  return type === 'bind' && !read.bind ? { ...read, bind: true } : read;
}

class OptionReader {
  private bind = false;
  private recursive = false;
  private remount = false;
  private idmap: 'idmap' | 'ridmap' | undefined;
  private tmpcopyup = false;
  private attrSet = 0;
  private attrClear = 0;
  private recursiveAttrSet = 0;
  private recursiveAttrClear = 0;
  private flagsSet = 0;
  private flagsClear = 0;
  private readonly propagation: number[] = [];
  private readonly data: Bytes[] = [];
  private readonly undone: (readonly [Bytes, Bytes])[] = [];
  private readonly options: readonly Bytes[];

  constructor(options: readonly Bytes[]) {
    this.options = options;
  }

  read(index: number): void {
    const option = this.options[index] as Bytes;
    const meaning = MEANINGS.get(option);
    if (meaning === undefined) {
      if (!isForFstab(option)) this.data.push(option);
      return;
    }
    const [what, bit, flag, set, recursive] = meaning;
    if (what === SWITCH) {
      this.switch(option);
    } else if (what === PROPAGATION) {
      this.propagation.push(bit);
    } else {
      const opposite = set ? this.flagsClear : this.flagsSet;
      if (recursive || (opposite & flag) !== 0) this.noteUndone(index, meaning);
      if (what === ATTRIBUTE) this.attribute(bit, set, recursive);
      else if (what === ACCESS_TIME) this.accessTime(bit, set, recursive);
      if (!recursive) this.flag(flag, set);
    }
  }

  private switch(option: Bytes): void {
    if (option === 'bind' || option === 'rbind') {
      this.bind = true;
      this.recursive = option === 'rbind';
    } else if (option === 'remount') {
      this.remount = true;
    } else if (option === 'tmpcopyup') {
      this.tmpcopyup = true;
    } else if (option === 'idmap' || option === 'ridmap') {
      this.idmap = option;
    }
  }

  private attribute(bit: number, set: boolean, recursive: boolean): void {
    if (recursive) {
      this.recursiveAttrSet = set ? this.recursiveAttrSet | bit : this.recursiveAttrSet & ~bit;
      this.recursiveAttrClear = set ? this.recursiveAttrClear & ~bit : this.recursiveAttrClear | bit;
    } else {
      this.attrSet = set ? this.attrSet | bit : this.attrSet & ~bit;
      this.attrClear = set ? this.attrClear & ~bit : this.attrClear | bit;
    }
  }

  /** Choosing a mode replaces the mode; leaving one goes back to the kernel's default, MOUNT_ATTR_RELATIME. */
  private accessTime(mode: number, choose: boolean, recursive: boolean): void {
    const attributes = recursive ? this.recursiveAttrSet : this.attrSet;
    let after = attributes;
    if (choose) after = (attributes & ~MOUNT_ATTR__ATIME) | mode;
    else if ((attributes & MOUNT_ATTR__ATIME) === mode) after = attributes & ~MOUNT_ATTR__ATIME;
    if (recursive) {
      this.recursiveAttrSet = after;
      this.recursiveAttrClear |= MOUNT_ATTR__ATIME;
    } else {
      this.attrSet = after;
      this.attrClear |= MOUNT_ATTR__ATIME;
      if (choose) this.flag(MS_NOATIME | MS_RELATIME | MS_STRICTATIME, false);
    }
  }

  private flag(flag: number, set: boolean): void {
    this.flagsSet = set ? this.flagsSet | flag : this.flagsSet & ~flag;
    this.flagsClear = set ? this.flagsClear & ~flag : this.flagsClear | flag;
  }

  /** Notes the last option before `index` that said the opposite. */
  private noteUndone(index: number, meaning: Meaning): void {
    for (let i = index - 1; i >= 0; i--) {
      const before = MEANINGS.get(this.options[i] as Bytes);
      if (before === undefined || before[2] !== meaning[2] || before[4] !== meaning[4]) continue;
      if (before[0] === SWITCH || before[0] === PROPAGATION) continue;
      if (before[3] !== meaning[3])
        this.undone.push([this.options[i] as Bytes, this.options[index] as Bytes]);
      return;
    }
  }

  result(): MountOptions {
    return {
      bind: this.bind,
      recursive: this.recursive,
      remount: this.remount,
      attrSet: this.attrSet,
      attrClear: this.attrClear,
      recursiveAttrSet: this.recursiveAttrSet,
      recursiveAttrClear: this.recursiveAttrClear,
      flagsSet: this.flagsSet,
      flagsClear: this.flagsClear,
      superFlags: (this.flagsSet & FSCONFIG_MASK) === 0 ? [] : fsconfigNames(this.flagsSet),
      propagation: this.propagation,
      idmap: this.idmap,
      tmpcopyup: this.tmpcopyup,
      data: this.data,
      undone: this.undone,
    };
  }
}
