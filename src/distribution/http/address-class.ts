// Classes of network addresses, and which of them a registry may lead a client to.

/** How far an address reaches: anybody's, a site's own, a link's own (where clouds have their metadata), this host's. */
export type AddressClass = 'public' | 'private' | 'link-local' | 'loopback';

/** The class of an IP address in text form (brackets and zone allowed); undefined for what is none. */
export function addressClass(text: string): AddressClass | undefined {
  const address = text.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '');
  const four = parseIPv4(address);
  if (four !== undefined) return classOfIPv4(four);
  const six = address.includes(':') ? parseIPv6(address) : undefined;
  return six === undefined ? undefined : classOfIPv6(six);
}

/** The class of a host as it stands in a URL: an address, or `localhost` (RFC 6761, section 6.3); undefined for names. */
export function hostClass(host: string): AddressClass | undefined {
  const name = host.toLowerCase().replace(/\.$/, '');
  if (name === 'localhost' || name.endsWith('.localhost')) return 'loopback';
  return addressClass(name);
}

/** Whether a host is certainly this one: an address, or the name in every hosts(5); names below it may be looked up elsewhere. */
export function isThisHost(host: string): boolean {
  return host.toLowerCase() === 'localhost' || addressClass(host) === 'loopback';
}

/**
 * Whether what a registry at an address of class `from` names may be reached at an address of class `to`. A public
 * registry must not make the client ask inside (server-side request forgery, CVE-2026-48978); a registry of the
 * site may name others of the site; a link's own addresses and this host's are for registries that are there.
 */
export function mayLead(from: AddressClass, to: AddressClass): boolean {
  if (to === 'public' || from === to) return true;
  return to === 'private' && from !== 'public';
}

type Octets = readonly [number, number, number, number];

/** Dotted decimal as URL hosts are normalised (WHATWG URL): other spellings have become this one. */
function parseIPv4(text: string): Octets | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  const [a = 256, b = 256, c = 256, d = 256] = match.slice(1).map(Number);
  return a < 256 && b < 256 && c < 256 && d < 256 ? [a, b, c, d] : undefined;
}

/** IANA's special-purpose registry (RFC 6890), as far as there can be a server. */
function classOfIPv4([a, b]: Octets): AddressClass {
  if (a === 127 || a === 0) return 'loopback';
  if (a === 169 && b === 254) return 'link-local';
  if (a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168)) return 'private';
  // Shared address space of providers (RFC 6598), where one cloud has its metadata.
  if (a === 100 && b >= 64 && b < 128) return 'private';
  return a === 198 && (b === 18 || b === 19) ? 'private' : 'public';
}

function classOfIPv6(groups: readonly number[]): AddressClass {
  const [first = 0] = groups;
  const zeros = groups.findIndex((group) => group !== 0);
  const low = (groups[6] ?? 0) * 0x10000 + (groups[7] ?? 0);
  if (zeros === -1 || (zeros === 7 && groups[7] === 1)) return 'loopback';
  // IPv4-mapped, IPv4-compatible and NAT64 addresses are the IPv4 address (RFC 4291, RFC 6052).
  const mapped = zeros === 5 && groups[5] === 0xffff;
  const nat64 = first === 0x64 && groups[1] === 0xff9b;
  if (mapped || zeros >= 6 || nat64)
    return classOfIPv4([low >>> 24, (low >>> 16) & 255, (low >>> 8) & 255, low & 255]);
  if ((first & 0xffc0) === 0xfe80) return 'link-local';
  // Unique local addresses, and site-local ones, which are no longer given out.
  return (first & 0xfe00) === 0xfc00 || (first & 0xffc0) === 0xfec0 ? 'private' : 'public';
}

/** The eight groups of an IPv6 address; undefined where it is malformed. */
function parseIPv6(text: string): number[] | undefined {
  const embedded = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const four = embedded === null ? undefined : parseIPv4(embedded[2] ?? '');
  if (embedded !== null && four === undefined) return undefined;
  const plain =
    four === undefined
      ? text
      : `${embedded?.[1]}${((four[0] << 8) | four[1]).toString(16)}:${((four[2] << 8) | four[3]).toString(16)}`;
  const halves = plain.split('::');
  if (halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...new Array<string>(halves.length === 2 ? missing : 0).fill('0'), ...tail];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return groups.map((group) => Number.parseInt(group, 16));
}
