// The device rules of a configuration as the one list that the v1 devices controller can hold.
import type { Bytes } from '../linux/bytes.ts';
import { CaissonError, type Pointer } from '../spec/error.ts';
import type { LinuxDeviceCgroup } from '../spec/runtime-spec.ts';

/** Devices that are treated unlike all others. */
export interface DeviceException {
  readonly type: 'b' | 'c';
  /** -1 is any. */
  readonly major: number;
  readonly minor: number;
  /** Of `rwm`, in this order. */
  readonly access: Bytes;
  readonly provenance: readonly Pointer[];
}

/** All devices are allowed, or denied, but for the exceptions. */
export interface DeviceList {
  readonly allowAll: boolean;
  /** Of the rule that decides `allowAll`. */
  readonly provenance: readonly Pointer[];
  readonly exceptions: readonly DeviceException[];
}

interface Entry extends Devices {
  access: number;
  readonly provenance: Pointer[];
}

const ALL = 'rwm';

/** Accesses by their bits: r is 1, w is 2, m is 4. */
const ACCESSES: readonly Bytes[] = ['', 'r', 'w', 'rw', 'm', 'rm', 'wm', ALL];
const ALL_BITS = 7;

/**
 * Applies the rules in their order to a list that denies everything; `provenance` has the pointer of each rule.
 *
 * Throws CaissonError for an access that is not of `rwm`, and for a rule that takes some devices out of a wider
 * exception: the kernel ignores such a write without an error (devcgroup_update_access), the container would keep
 * the access.
 */
export function deviceList(rules: readonly LinuxDeviceCgroup[], provenance: readonly Pointer[]): DeviceList {
  let allowAll = false;
  let reason: readonly Pointer[] = ['default: devices are denied unless allowed'];
  let entries: Entry[] = [];
  for (let index = 0; index < rules.length; index++) {
    const rule = rules[index] as LinuxDeviceCgroup;
    const at = provenance[index] ?? `/linux/resources/devices/${index}`;
    const access = accessBits(rule, at);
    const { allow, type = 'a', major = -1, minor = -1 } = rule;
    if (type === 'a' && major < 0 && minor < 0 && access === ALL_BITS) {
      allowAll = allow;
      reason = [at];
      entries = [];
      continue;
    }
    for (const one of type === 'a' ? (['b', 'c'] as const) : [type]) {
      const wanted = { type: one, major, minor };
      if (allow === allowAll) entries = withdraw(entries, wanted, access, at);
      else add(entries, wanted, access, at);
    }
  }
  const exceptions = entries.map(({ type, major, minor, access, provenance: pointers }) => ({
    type,
    major,
    minor,
    access: ACCESSES[access] as Bytes,
    provenance: pointers,
  }));
  return { allowAll, provenance: reason, exceptions };
}

/** `c 1:3 rwm`, `b *:* m`: an exception as the kernel reads it. */
export function deviceText({ type, major, minor, access }: Omit<DeviceException, 'provenance'>): Bytes {
  return `${type} ${star(major)}:${star(minor)} ${access}`;
}

/** The exceptions of a devices.list that does not allow all; undefined for one that does. */
export function parseDeviceList(text: Bytes): Omit<DeviceException, 'provenance'>[] | undefined {
  const found: Omit<DeviceException, 'provenance'>[] = [];
  for (const line of text.split('\n')) {
    const fields = /^([abc]) (\*|\d+):(\*|\d+) ([rwm]+)$/.exec(line);
    if (fields === null) continue;
    const [, type = '', major = '', minor = '', access = ''] = fields;
    if (type === 'a') return undefined;
    const number = (field: string) => (field === '*' ? -1 : Number(field));
    found.push({ type: type === 'b' ? 'b' : 'c', major: number(major), minor: number(minor), access });
  }
  return found;
}

type Devices = Pick<DeviceException, 'type' | 'major' | 'minor'>;

function accessBits({ access }: LinuxDeviceCgroup, at: Pointer): number {
  if (access === undefined || access === '' || access === ALL) return ALL_BITS;
  let bits = 0;
  for (const letter of access) {
    const place = ALL.indexOf(letter);
    if (place < 0) {
      throw new CaissonError(`device access "${access}" must be made of r, w and m`, {
        code: 'EINVALIDSPEC',
        provenance: [`${at}/access`],
      });
    }
    bits |= 1 << place;
  }
  return bits;
}

function add(entries: Entry[], { type, major, minor }: Devices, access: number, at: Pointer): void {
  for (const entry of entries) {
    if (entry.type !== type || entry.major !== major || entry.minor !== minor) continue;
    entry.access |= access;
    if (!entry.provenance.includes(at)) entry.provenance.push(at);
    return;
  }
  entries.push({ type, major, minor, access, provenance: [at] });
}

/** Takes `access` to `devices` out of the exceptions. */
function withdraw(entries: Entry[], devices: Devices, access: number, at: Pointer): Entry[] {
  for (const entry of entries) {
    if (entry.type !== devices.type || (entry.access & access) === 0) continue;
    if (!meets(entry.major, devices.major) || !meets(entry.minor, devices.minor)) continue;
    if (!covers(devices.major, entry.major) || !covers(devices.minor, entry.minor)) {
      const rule = deviceText({ ...devices, access: ACCESSES[access] as Bytes });
      const wider = deviceText({ ...entry, access: ACCESSES[entry.access] as Bytes });
      throw new CaissonError(
        `device rule "${rule}" cannot be taken out of the wider "${wider}" on cgroup v1: list the devices one by one`,
        { code: 'EUNSUPPORTED', provenance: [at, ...entry.provenance] },
      );
    }
    entry.access &= ~access;
  }
  return entries.filter((entry) => entry.access !== 0);
}

function covers(wide: number, narrow: number): boolean {
  return wide < 0 || wide === narrow;
}

function meets(one: number, other: number): boolean {
  return covers(one, other) || covers(other, one);
}

function star(number: number): string {
  return number < 0 ? '*' : String(number);
}
