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

/** Attribute options: [attribute, MS_ flag, set or clear]. `r` in front makes the recursive one. */
const ATTRIBUTES: ReadonlyMap<Bytes, readonly [number, number, boolean]> = new Map([
  ['ro', [MOUNT_ATTR_RDONLY, MS_RDONLY, true]],
  ['rw', [MOUNT_ATTR_RDONLY, MS_RDONLY, false]],
  ['nosuid', [MOUNT_ATTR_NOSUID, MS_NOSUID, true]],
  ['suid', [MOUNT_ATTR_NOSUID, MS_NOSUID, false]],
  ['nodev', [MOUNT_ATTR_NODEV, MS_NODEV, true]],
  ['dev', [MOUNT_ATTR_NODEV, MS_NODEV, false]],
  ['noexec', [MOUNT_ATTR_NOEXEC, MS_NOEXEC, true]],
  ['exec', [MOUNT_ATTR_NOEXEC, MS_NOEXEC, false]],
  ['nodiratime', [MOUNT_ATTR_NODIRATIME, MS_NODIRATIME, true]],
  ['diratime', [MOUNT_ATTR_NODIRATIME, MS_NODIRATIME, false]],
  ['nosymfollow', [MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW, true]],
  ['symfollow', [MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW, false]],
]);

/** Access time modes are one value, not bits (mount_setattr(2)); [mode, MS_ flag, choose or leave]. */
const ACCESS_TIMES: ReadonlyMap<Bytes, readonly [number, number, boolean]> = new Map([
  ['noatime', [MOUNT_ATTR_NOATIME, MS_NOATIME, true]],
  ['atime', [MOUNT_ATTR_NOATIME, MS_NOATIME, false]],
  ['relatime', [MOUNT_ATTR_RELATIME, MS_RELATIME, true]],
  ['norelatime', [MOUNT_ATTR_RELATIME, MS_RELATIME, false]],
  ['strictatime', [MOUNT_ATTR_STRICTATIME, MS_STRICTATIME, true]],
  ['nostrictatime', [MOUNT_ATTR_STRICTATIME, MS_STRICTATIME, false]],
]);

/** Super block options: [the fsconfig name or '' where mount(2) alone can say it, MS_ flag, set or clear]. */
const SUPER_FLAGS: ReadonlyMap<Bytes, readonly [Bytes, number, boolean]> = new Map([
  ['sync', ['sync', MS_SYNCHRONOUS, true]],
  ['async', ['sync', MS_SYNCHRONOUS, false]],
  ['dirsync', ['dirsync', MS_DIRSYNC, true]],
  ['lazytime', ['lazytime', MS_LAZYTIME, true]],
  ['nolazytime', ['lazytime', MS_LAZYTIME, false]],
  ['mand', ['mand', MS_MANDLOCK, true]],
  ['nomand', ['mand', MS_MANDLOCK, false]],
  ['iversion', ['', MS_I_VERSION, true]],
  ['noiversion', ['', MS_I_VERSION, false]],
  ['silent', ['', MS_SILENT, true]],
  ['loud', ['', MS_SILENT, false]],
]);

const PROPAGATION: ReadonlyMap<Bytes, number> = new Map([
  ['shared', MS_SHARED],
  ['rshared', MS_SHARED | MS_REC],
  ['slave', MS_SLAVE],
  ['rslave', MS_SLAVE | MS_REC],
  ['private', MS_PRIVATE],
  ['rprivate', MS_PRIVATE | MS_REC],
  ['unbindable', MS_UNBINDABLE],
  ['runbindable', MS_UNBINDABLE | MS_REC],
]);

const SWITCHES = ['bind', 'rbind', 'remount', 'defaults', 'idmap', 'ridmap', 'tmpcopyup'] as const;

/** Every option that is not passed to the file system, sorted: what `features` prints. */
export const MOUNT_OPTION_NAMES: readonly Bytes[] = [
  ...SWITCHES,
  ...ATTRIBUTES.keys(),
  ...ACCESS_TIMES.keys(),
  ...[...ATTRIBUTES.keys(), ...ACCESS_TIMES.keys()].map((name) => `r${name}`),
  ...SUPER_FLAGS.keys(),
  ...PROPAGATION.keys(),
].sort();

/** The MS_* flag of a propagation name (`rslave`: MS_SLAVE | MS_REC), undefined for any other word. */
export function propagationFlag(name: Bytes): number | undefined {
  return PROPAGATION.get(name);
}

/**
 * Reads the `options` of a mount (config.md, Linux mount options); unknown ones are data for the file system.
 * Of contradicting options the last one holds. `type` is the mount's type: `bind` is a bind mount.
 */
export function parseMountOptions(options: readonly Bytes[] = [], type: Bytes = ''): MountOptions {
  const reader = new OptionReader();
  for (const option of options) reader.read(option);
  return reader.result(type);
}

class OptionReader {
  private bind = false;
  private recursive = false;
  private remount = false;
  private idmap: 'idmap' | 'ridmap' | undefined;
  private tmpcopyup = false;
  private readonly own = new Attributes();
  private readonly all = new Attributes();
  private flagsSet = 0;
  private flagsClear = 0;
  private readonly superFlags = new Set<Bytes>();
  private readonly propagation: number[] = [];
  private readonly data: Bytes[] = [];
  private readonly undone: (readonly [Bytes, Bytes])[] = [];
  /** The last option that spoke about a flag, for `undone`. */
  private readonly spoken = new Map<Bytes, readonly [Bytes, boolean]>();

  read(option: Bytes): void {
    if (this.readSwitch(option) || this.readAttribute(option, option, this.own)) return;
    const inner = option.startsWith('r') ? option.slice(1) : '';
    if (this.readAttribute(option, inner, this.all)) return;
    const superFlag = SUPER_FLAGS.get(option);
    const propagation = PROPAGATION.get(option);
    if (superFlag !== undefined) {
      const [name, flag, set] = superFlag;
      if (name !== '' && set) this.superFlags.add(name);
      else this.superFlags.delete(name);
      this.flag(flag, set);
      this.speak(option, `super ${flag}`, set);
    } else if (propagation !== undefined) {
      this.propagation.push(propagation);
    } else {
      this.data.push(option);
    }
  }

  private readSwitch(option: Bytes): boolean {
    switch (option) {
      case 'bind':
      case 'rbind':
        this.bind = true;
        this.recursive = option === 'rbind';
        return true;
      case 'remount':
        this.remount = true;
        return true;
      case 'idmap':
      case 'ridmap':
        this.idmap = option;
        return true;
      case 'tmpcopyup':
        this.tmpcopyup = true;
        return true;
      default:
        return option === 'defaults';
    }
  }

  private readAttribute(option: Bytes, name: Bytes, attributes: Attributes): boolean {
    const own = attributes === this.own;
    const attribute = ATTRIBUTES.get(name);
    if (attribute !== undefined) {
      const [bit, flag, set] = attribute;
      attributes.put(bit, set);
      if (own) this.flag(flag, set);
      this.speak(option, `${own} ${bit}`, set);
      return true;
    }
    const time = ACCESS_TIMES.get(name);
    if (time === undefined) return false;
    const [mode, flag, choose] = time;
    attributes.accessTime(mode, choose);
    if (own) {
      if (choose) this.flag(MS_NOATIME | MS_RELATIME | MS_STRICTATIME, false);
      this.flag(flag, choose);
    }
    this.speak(option, `${own} time ${mode}`, choose);
    return true;
  }

  private flag(flag: number, set: boolean): void {
    this.flagsSet = set ? this.flagsSet | flag : this.flagsSet & ~flag;
    this.flagsClear = set ? this.flagsClear & ~flag : this.flagsClear | flag;
  }

  private speak(option: Bytes, about: string, set: boolean): void {
    const before = this.spoken.get(about);
    if (before !== undefined && before[1] !== set) this.undone.push([before[0], option]);
    this.spoken.set(about, [option, set]);
  }

  result(type: Bytes): MountOptions {
    return {
      bind: this.bind || type === 'bind',
      recursive: this.recursive,
      remount: this.remount,
      attrSet: this.own.set,
      attrClear: this.own.clear,
      recursiveAttrSet: this.all.set,
      recursiveAttrClear: this.all.clear,
      flagsSet: this.flagsSet,
      flagsClear: this.flagsClear,
      superFlags: [...this.superFlags],
      propagation: this.propagation,
      idmap: this.idmap,
      tmpcopyup: this.tmpcopyup,
      data: this.data,
      undone: this.undone,
    };
  }
}

/** attr_set and attr_clr in the making. */
class Attributes {
  set = 0;
  clear = 0;

  put(bit: number, set: boolean): void {
    this.set = set ? this.set | bit : this.set & ~bit;
    this.clear = set ? this.clear & ~bit : this.clear | bit;
  }

  /** Choosing a mode replaces the mode; leaving one goes back to the kernel's default, MOUNT_ATTR_RELATIME. */
  accessTime(mode: number, choose: boolean): void {
    const chosen = this.set & MOUNT_ATTR__ATIME;
    if (choose) this.set = (this.set & ~MOUNT_ATTR__ATIME) | mode;
    else if (chosen === mode) this.set &= ~MOUNT_ATTR__ATIME;
    this.clear |= MOUNT_ATTR__ATIME;
  }
}
