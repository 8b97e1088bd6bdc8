// The sets and maps of our nftables tables: their names, the types of their keys and values, and their elements.

/** How one part of a key or value is written. `raw128` is the target of a neighbour advertisement: an IPv6 address. */
export type PartType = 'ifname' | 'ether' | 'ipv4' | 'ipv6' | 'protocol' | 'port' | 'raw128';

export type TableFamily = 'inet' | 'bridge';

export interface SetDefinition {
  readonly family: TableFamily;
  readonly key: readonly PartType[];
  /** It is a map. */
  readonly value?: readonly PartType[];
  /** Parts of a key may be ranges. */
  readonly interval?: true;
  /** Elements may end by themselves. */
  readonly timeout?: true;
  /** Its content is known from the networks alone and written with the rules. */
  readonly ofNetworks?: true;
}

const FLOW4 = ['ipv4', 'ipv4', 'protocol', 'port'] as const;
const FLOW6 = ['ipv6', 'ipv6', 'protocol', 'port'] as const;

/** All sets by name; the name is unique in both tables. */
export const SETS = {
  /** Our bridges; those of internal networks; those whose networks are not isolated from each other. */
  bridges: { family: 'inet', key: ['ifname'], ofNetworks: true },
  internal: { family: 'inet', key: ['ifname'], ofNetworks: true },
  open: { family: 'inet', key: ['ifname'], ofNetworks: true },
  /** Each bridge with itself. */
  same: { family: 'inet', key: ['ifname', 'ifname'], ofNetworks: true },
  /** Published ports of one address, and of all addresses of the host. */
  publish4: { family: 'inet', key: ['ipv4', 'protocol', 'port'], value: ['ipv4', 'port'] },
  publish6: { family: 'inet', key: ['ipv6', 'protocol', 'port'], value: ['ipv6', 'port'] },
  publishAny4: { family: 'inet', key: ['protocol', 'port'], value: ['ipv4', 'port'] },
  publishAny6: { family: 'inet', key: ['protocol', 'port'], value: ['ipv6', 'port'] },
  /** Addresses of containers that have an egress list. */
  limited4: { family: 'inet', key: ['ipv4'] },
  limited6: { family: 'inet', key: ['ipv6'] },
  /** What they may reach: source, destination, protocol, port; with every port; and by prefixes. */
  egress4: { family: 'inet', key: FLOW4, timeout: true },
  egress6: { family: 'inet', key: FLOW6, timeout: true },
  egressAny4: { family: 'inet', key: ['ipv4', 'ipv4'], timeout: true },
  egressAny6: { family: 'inet', key: ['ipv6', 'ipv6'], timeout: true },
  egressNet4: { family: 'inet', key: FLOW4, interval: true },
  egressNet6: { family: 'inet', key: FLOW6, interval: true },
  /** What may come from a port of a bridge. */
  ports: { family: 'bridge', key: ['ifname', 'ether'] },
  guard4: { family: 'bridge', key: ['ifname', 'ether', 'ipv4'] },
  guard6: { family: 'bridge', key: ['ifname', 'ether', 'ipv6'] },
  /** What a neighbour advertisement of a port may be about. */
  target6: { family: 'bridge', key: ['ifname', 'ether', 'raw128'] },
  /** Ports and MAC addresses of containers with an egress list -> the MAC address of the bridge. */
  outward: { family: 'bridge', key: ['ifname'], value: ['ether'] },
  inward: { family: 'bridge', key: ['ether'], value: ['ether'] },
} as const satisfies Readonly<Record<string, SetDefinition>>;

export type SetName = keyof typeof SETS;

/** A definition by name, as what all of them are. */
export function definitionOf(name: SetName): SetDefinition {
  return SETS[name];
}

export const SET_NAMES = Object.keys(SETS).filter((name): name is SetName => name in SETS);

/** Text for names and addresses, numbers for protocols and ports. */
export type Part = string | number;

/** A part of a key of an interval set: from, to, both included. */
export type PartRange = readonly [first: Part, last: Part];

/** One element of a set or map of ours. */
export interface Element {
  readonly set: SetName;
  readonly key: readonly (Part | PartRange)[];
  readonly value?: readonly Part[];
  /** Milliseconds until the kernel takes it away; without it the element stays. */
  readonly timeout?: number;
}

export function isRange(part: Part | PartRange): part is PartRange {
  return typeof part === 'object';
}
