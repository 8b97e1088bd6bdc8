// The fixed destinations of an egress list as elements of interval sets, none of which overlaps another.
import { type AddressRange, addressRange, familyOf, numberText } from './address.ts';
import type { Element, PartRange } from './sets.ts';

/** IP protocol numbers, <linux/in.h>. */
export const PROTOCOLS = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 } as const;

/** What has ports. */
export type PortProtocol = 'tcp' | 'udp' | 'sctp';

/** One entry of an egress list: addresses that are fixed. Those of names are pinned later (`pinnedElement`). */
export interface Allowed {
  /** `10.0.0.0/8`, `fd00::/8`, or one address. */
  readonly to: string;
  /** Without it every protocol, or where there are ports, all that have ports. */
  readonly protocol?: keyof typeof PROTOCOLS;
  /** Every port without it; both ends included. */
  readonly ports?: readonly [first: number, last: number];
}

const LAST_PROTOCOL = 255;
const EVERY_PORT = [0, 65535] as const;
const WITH_PORTS: readonly PortProtocol[] = ['tcp', 'udp', 'sctp'];

/** Protocols and ports that may be used, both from and to. */
type Flow = readonly [protocol: PartRange, ports: PartRange];

/**
 * What source address `from` may reach, of its own family. The kernel refuses an element of an interval set that overlaps
 * another (ENOTEMPTY, net/netfilter/nft_set_pipapo.c): entries that overlap are cut where they begin and end. Throws
 * RangeError for a wrong address.
 */
export function allowedElements(from: string, allowed: readonly Allowed[]): Element[] {
  const family = familyOf(from);
  return pieces(family, allowed.flatMap(withProtocol)).flatMap(({ range, flows }) => {
    const to: PartRange = [numberText(family, range.first), numberText(family, range.last)];
    return flows.map(
      ([protocol, ports]): Element => ({
        set: family === 4 ? 'egressNet4' : 'egressNet6',
        key: [[from, from], to, protocol, ports],
      }),
    );
  });
}

function withProtocol(entry: Allowed): Allowed[] {
  if (entry.protocol !== undefined || entry.ports === undefined) return [entry];
  return WITH_PORTS.map((protocol) => ({ ...entry, protocol }));
}

interface Piece {
  readonly range: AddressRange;
  readonly flows: readonly Flow[];
}

/** Ranges of addresses in their order, and what is allowed with each. */
function pieces(family: 4 | 6, allowed: readonly Allowed[]): Piece[] {
  const entries = allowed
    .map((entry) => ({ entry, range: addressRange(entry.to) }))
    .filter(({ range }) => range.family === family);
  const edges = [...new Set(entries.flatMap(({ range }) => [range.first, range.last + 1n]))];
  edges.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const found: Piece[] = [];
  for (const [at, first] of edges.entries()) {
    const next = edges[at + 1];
    const inside = entries.filter(({ range }) => range.first <= first && first <= range.last);
    if (next === undefined || inside.length === 0) continue;
    const flows = flowsOf(inside.map(({ entry }) => entry));
    const before = found.at(-1);
    const joined =
      before?.range.last === first - 1n && sameFlows(before.flows, flows) ? found.pop() : undefined;
    found.push({ range: { family, first: joined?.range.first ?? first, last: next - 1n }, flows });
  }
  return found;
}

function sameFlows(a: readonly Flow[], b: readonly Flow[]): boolean {
  return a.length === b.length && a.every((flow, at) => flow.flat().join() === b[at]?.flat().join());
}

/** Protocols and ports of entries with the same addresses. */
function flowsOf(entries: readonly Allowed[]): Flow[] {
  const everything = entries.some(({ protocol }) => protocol === undefined);
  if (everything) return [[[0, LAST_PROTOCOL], EVERY_PORT]];
  const names = [...new Set(entries.flatMap(({ protocol }) => protocol ?? []))];
  return names.flatMap((name) => {
    const number = PROTOCOLS[name];
    const own = entries.filter(({ protocol }) => protocol === name);
    return merged(own.map(({ ports }) => ports ?? EVERY_PORT)).map(
      (ports): Flow => [[number, number], ports],
    );
  });
}

/** The same ports in as few ranges as possible. */
function merged(ranges: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const result: [number, number][] = [];
  for (const [first, last] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const open = result.at(-1);
    if (open !== undefined && first <= open[1] + 1) open[1] = Math.max(open[1], last);
    else result.push([first, last]);
  }
  return result;
}
