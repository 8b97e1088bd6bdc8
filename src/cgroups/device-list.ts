// The device rules of a configuration as the one list that the v1 devices controller can hold.
import { type Bytes, isMadeOf } from '../linux/bytes.ts';
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

type Entry = Omit<DeviceException, 'access' | 'provenance'> & { access: Set<string>; provenance: Pointer[] };

const ALL = 'rwm';

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
  let entries = new Map<string, Entry>();
  rules.forEach((rule, index) => {
    const at = provenance[index] ?? `/linux/resources/devices/${index}`;
    const { type, major, minor, access } = normal(rule, at);
    if (type === 'a' && major < 0 && minor < 0 && access === ALL) {
      allowAll = rule.allow;
      reason = [at];
      entries = new Map();
      return;
    }
    for (const one of type === 'a' ? (['b', 'c'] as const) : [type]) {
      const wanted = { type: one, major, minor };
      if (rule.allow === allowAll) withdraw(entries, wanted, access, at);
      else add(entries, wanted, access, at);
    }
  });
  const exceptions = [...entries.values()].map(({ access, ...entry }) => ({
    ...entry,
    access: inOrder(access),
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

function normal(rule: LinuxDeviceCgroup, at: Pointer) {
  const letters = rule.access === undefined || rule.access === '' ? ALL : rule.access;
  const access = inOrder(new Set(letters));
  if (!isMadeOf(letters, 'rwm')) {
    throw new CaissonError(`device access "${rule.access}" must be made of r, w and m`, {
      code: 'EINVALIDSPEC',
      provenance: [`${at}/access`],
    });
  }
  return { type: rule.type ?? 'a', major: rule.major ?? -1, minor: rule.minor ?? -1, access };
}

function add(entries: Map<string, Entry>, devices: Devices, access: Bytes, at: Pointer): void {
  const key = deviceText({ ...devices, access: '' });
  const entry = entries.get(key) ?? { ...devices, access: new Set<string>(), provenance: [] };
  for (const letter of access) entry.access.add(letter);
  if (!entry.provenance.includes(at)) entry.provenance.push(at);
  entries.set(key, entry);
}

/** Takes `access` to `devices` out of the exceptions. */
function withdraw(entries: Map<string, Entry>, devices: Devices, access: Bytes, at: Pointer): void {
  for (const [key, entry] of entries) {
    const touched = [...access].filter((letter) => entry.access.has(letter));
    if (entry.type !== devices.type || touched.length === 0) continue;
    if (!meets(entry.major, devices.major) || !meets(entry.minor, devices.minor)) continue;
    if (!covers(devices.major, entry.major) || !covers(devices.minor, entry.minor)) {
      const rule = deviceText({ ...devices, access });
      const wider = deviceText({ ...entry, access: inOrder(entry.access) });
      throw new CaissonError(
        `device rule "${rule}" cannot be taken out of the wider "${wider}" on cgroup v1: list the devices one by one`,
        { code: 'EUNSUPPORTED', provenance: [at, ...entry.provenance] },
      );
    }
    for (const letter of touched) entry.access.delete(letter);
    if (entry.access.size === 0) entries.delete(key);
  }
}

function covers(wide: number, narrow: number): boolean {
  return wide < 0 || wide === narrow;
}

function meets(one: number, other: number): boolean {
  return covers(one, other) || covers(other, one);
}

function inOrder(letters: ReadonlySet<string>): Bytes {
  return [...ALL].filter((letter) => letters.has(letter)).join('');
}

function star(number: number): string {
  return number < 0 ? '*' : String(number);
}
