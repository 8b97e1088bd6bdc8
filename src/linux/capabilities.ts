// Capability names, numbers and masks (capabilities(7)).

/** Name to bit number, <linux/capability.h>. */
export const CAPABILITIES = {
  CAP_CHOWN: 0,
  CAP_DAC_OVERRIDE: 1,
  CAP_DAC_READ_SEARCH: 2,
  CAP_FOWNER: 3,
  CAP_FSETID: 4,
  CAP_KILL: 5,
  CAP_SETGID: 6,
  CAP_SETUID: 7,
  CAP_SETPCAP: 8,
  CAP_LINUX_IMMUTABLE: 9,
  CAP_NET_BIND_SERVICE: 10,
  CAP_NET_BROADCAST: 11,
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_IPC_LOCK: 14,
  CAP_IPC_OWNER: 15,
  CAP_SYS_MODULE: 16,
  CAP_SYS_RAWIO: 17,
  CAP_SYS_CHROOT: 18,
  CAP_SYS_PTRACE: 19,
  CAP_SYS_PACCT: 20,
  CAP_SYS_ADMIN: 21,
  CAP_SYS_BOOT: 22,
  CAP_SYS_NICE: 23,
  CAP_SYS_RESOURCE: 24,
  CAP_SYS_TIME: 25,
  CAP_SYS_TTY_CONFIG: 26,
  CAP_MKNOD: 27,
  CAP_LEASE: 28,
  CAP_AUDIT_WRITE: 29,
  CAP_AUDIT_CONTROL: 30,
  CAP_SETFCAP: 31,
  CAP_MAC_OVERRIDE: 32,
  CAP_MAC_ADMIN: 33,
  CAP_SYSLOG: 34,
  CAP_WAKE_ALARM: 35,
  CAP_BLOCK_SUSPEND: 36,
  CAP_AUDIT_READ: 37,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
  CAP_CHECKPOINT_RESTORE: 40,
} as const;

/** A capability as the kernel and the runtime specification spell it, `CAP_NET_ADMIN`. */
export type CapabilityName = keyof typeof CAPABILITIES;

/** The highest capability known here; a kernel says its own in /proc/sys/kernel/cap_last_cap. */
export const CAP_LAST_CAP = 40;

const NAMES = Object.keys(CAPABILITIES) as readonly CapabilityName[];

/** The capability that `text` names, in any case, with or without `CAP_`; undefined when there is none. */
export function parseCapability(text: string): CapabilityName | undefined {
  const upper = text.toUpperCase();
  const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  return isCapability(name) ? name : undefined;
}

/** Whether `name` is the exact spelling of a known capability. */
export function isCapability(name: string): name is CapabilityName {
  return Object.hasOwn(CAPABILITIES, name);
}

/** The two 32-bit words [low, high] of a capability set, as capset(2) takes them. Throws RangeError on an unknown name. */
export function capabilityWords(names: Iterable<string>): [number, number] {
  let low = 0;
  let high = 0;
  for (const name of names) {
    if (!isCapability(name)) throw new RangeError(`unknown capability ${name}`);
    const bit = CAPABILITIES[name];
    if (bit < 32) low |= 1 << bit;
    else high |= 1 << (bit - 32);
  }
  return [low >>> 0, high >>> 0];
}

/** The mask of a capability set, bit n for capability number n. Throws RangeError on an unknown name. */
export function capabilityMask(names: Iterable<string>): bigint {
  const [low, high] = capabilityWords(names);
  return (BigInt(high) << 32n) | BigInt(low);
}

/** The names in a mask (such as CapEff of proc_pid_status(5)), by number; bits above CAP_LAST_CAP have no name. */
export function capabilityNames(mask: bigint): CapabilityName[] {
  return NAMES.filter((name) => ((mask >> BigInt(CAPABILITIES[name])) & 1n) === 1n);
}
