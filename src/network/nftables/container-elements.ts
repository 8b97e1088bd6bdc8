// The elements of one container in our tables: guard against spoofing, published ports, and the egress list.
import { familyOf, linkLocal } from './address.ts';
import { type Allowed, allowedElements, type PortProtocol, PROTOCOLS } from './egress-list.ts';
import type { Element } from './sets.ts';

/** One port of a bridge with the container behind it. */
export interface Attachment {
  /** Name of the host's end of the veth pair, at most 15 bytes. */
  readonly port: string;
  /** MAC address of the container's end. */
  readonly mac: string;
  /** The container's IPv4 and IPv6 addresses on this network, without its link-local one. */
  readonly addresses: readonly string[];
  /** It has an egress list: nothing else may be reached. */
  readonly limited?: Limits;
}

export interface Limits {
  /** MAC address of the bridge: all that goes to or from the container is routed by the host, never bridged. */
  readonly bridgeMac: string;
  readonly allowed: readonly Allowed[];
}

/** A port of the host whose connections are handed to a container by DNAT. Never an address of loopback. */
export interface Published {
  /** An address of the host; without it all of them of the family of `to`. */
  readonly address?: string;
  readonly protocol: PortProtocol;
  readonly port: number;
  /** Address and port of the container, of the family of `address`. */
  readonly to: string;
  readonly toPort: number;
}

/** All elements of an attachment and of the ports that are published to its addresses. Throws RangeError for a wrong address. */
export function containerElements(attachment: Attachment, published: readonly Published[] = []): Element[] {
  return [
    ...guardElements(attachment),
    ...(attachment.limited === undefined ? [] : limitElements(attachment, attachment.limited)),
    ...publishedElements(published),
  ];
}

/** What frames from the port may claim to be from. */
export function guardElements({ port, mac, addresses }: Attachment): Element[] {
  const six = [linkLocal(mac), ...addresses.filter((address) => familyOf(address) === 6)];
  return [
    { set: 'ports', key: [port, mac] },
    ...addresses
      .filter((address) => familyOf(address) === 4)
      .map((address): Element => ({ set: 'guard4', key: [port, mac, address] })),
    ...six.flatMap((address): Element[] => [
      { set: 'guard6', key: [port, mac, address] },
      { set: 'target6', key: [port, mac, address] },
    ]),
  ];
}

function limitElements({ port, mac, addresses }: Attachment, limits: Limits): Element[] {
  const own = [linkLocal(mac), ...addresses];
  return [
    { set: 'outward', key: [port], value: [limits.bridgeMac] },
    { set: 'inward', key: [mac], value: [limits.bridgeMac] },
    ...own.map(
      (address): Element => ({ set: familyOf(address) === 4 ? 'limited4' : 'limited6', key: [address] }),
    ),
    ...addresses.flatMap((address) => allowedElements(address, limits.allowed)),
  ];
}

/**
 * A destination that container `from` may reach for `timeout` milliseconds, as the resolver pins it: `port` and
 * `protocol` undefined mean all of them. `refresh` of an element batch begins its time again.
 */
export function pinnedElement(
  from: string,
  to: string,
  timeout: number,
  flow?: { readonly protocol: PortProtocol; readonly port: number },
): Element {
  const four = familyOf(from) === 4;
  return flow === undefined
    ? { set: four ? 'egressAny4' : 'egressAny6', key: [from, to], timeout }
    : { set: four ? 'egress4' : 'egress6', key: [from, to, PROTOCOLS[flow.protocol], flow.port], timeout };
}

/** Elements of published ports alone. */
export function publishedElements(published: readonly Published[]): Element[] {
  return published.map(publishedElement);
}

function publishedElement({ address, protocol, port, to, toPort }: Published): Element {
  const four = familyOf(to) === 4;
  const value = [to, toPort];
  return address === undefined
    ? { set: four ? 'publishAny4' : 'publishAny6', key: [PROTOCOLS[protocol], port], value }
    : { set: four ? 'publish4' : 'publish6', key: [address, PROTOCOLS[protocol], port], value };
}
