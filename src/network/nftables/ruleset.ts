// Writes our nftables tables as text for one `nft -f -`, which is one transaction.
import { addressBytes, addressText } from './address.ts';
import { bridgeChains } from './bridge-chains.ts';
import type { Chain } from './chain.ts';
import { inetChains } from './inet-chains.ts';
import {
  definitionOf,
  type Element,
  isRange,
  type Part,
  type PartRange,
  type PartType,
  SET_NAMES,
  type SetName,
  type TableFamily,
} from './sets.ts';
import type { BridgeNetwork, FirewallState } from './state.ts';

/** The name of both tables. */
export const TABLE = 'caisson';

export const FAMILIES: readonly TableFamily[] = ['inet', 'bridge'];

/** The comment of the first rule of chain `inet caisson loopback` begins with this; the digest follows. */
export const DIGEST_PREFIX = 'caisson ';

/**
 * `define` makes what is missing and writes all rules anew, and keeps the elements that are there, those that a resolver
 * has pinned too. `replace` begins with nothing: after an update of caisson whose sets are defined differently.
 */
export type RulesetMode = 'define' | 'replace';

/** Both tables as text. Throws RangeError for a name or address that cannot be one. */
export function rulesetText(state: FirewallState, mode: RulesetMode = 'define'): string {
  const chains = chainsOf(state);
  const digest = digestOf(state);
  const elements = [...networkElements(state.networks), ...state.elements];
  return FAMILIES.map((family) => {
    const own = chains.filter((chain) => chain.family === family);
    const sets = SET_NAMES.filter((name) => definitionOf(name).family === family);
    const emptied = sets.filter((name) => definitionOf(name).ofNetworks);
    return [
      `add table ${family} ${TABLE}`,
      ...(mode === 'replace' ? [`delete table ${family} ${TABLE}`] : []),
      `table ${family} ${TABLE} {`,
      ...sets.map(setText),
      ...own.map((chain) => `  chain ${chain.name} {${baseText(chain)} }`),
      '}',
      `flush table ${family} ${TABLE}`,
      ...emptied.map((name) => `flush set ${family} ${TABLE} ${name}`),
      `table ${family} ${TABLE} {`,
      ...own.map((chain) => chainText(chain, digest)),
      '}',
      ...sets.flatMap((name) => elementsText(name, elements)),
      '',
    ].join('\n');
  }).join('');
}

/** All chains of both tables with their rules. */
export function chainsOf(state: FirewallState): Chain[] {
  return [...inetChains(state), ...bridgeChains()];
}

/** Sixteen hexadecimal digits for the definition of the tables: networks, rules and sets, without the elements of containers. */
export function digestOf(state: FirewallState): string {
  return fnv1a(
    JSON.stringify([
      chainsOf(state),
      networkElements(state.networks),
      SET_NAMES.map((name) => [name, definitionOf(name)]),
    ]),
  );
}

/** FNV-1a of 64 bits (Fowler, Noll, Vo): a name for a content that nobody forges. */
function fnv1a(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (let at = 0; at < text.length; at++)
    hash = ((hash ^ BigInt(text.charCodeAt(at))) * 0x100000001b3n) & 0xffffffffffffffffn;
  const [high, low] = [Number(hash >> 32n), Number(hash & 0xffffffffn)];
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}

/** What a bridge is called: no quotes, no wildcards. IFNAMSIZ is 16 with the NUL. */
function networkElements(networks: readonly BridgeNetwork[]): Element[] {
  return networks.flatMap(({ bridge, internal, isolated }): Element[] => {
    if (!/^[A-Za-z0-9_.-]{1,15}$/.test(bridge)) throw new RangeError(`${bridge} is no name of a bridge`);
    return [
      { set: 'bridges', key: [bridge] },
      { set: 'same', key: [bridge, bridge] },
      ...(internal ? [{ set: 'internal', key: [bridge] } as const] : []),
      ...(isolated || internal ? [] : [{ set: 'open', key: [bridge] } as const]),
    ];
  });
}

/** Names of types, nft(8). A raw part has a type only as an expression. */
const TYPE_NAMES: Readonly<Record<PartType, string>> = {
  ifname: 'ifname',
  ether: 'ether_addr',
  ipv4: 'ipv4_addr',
  ipv6: 'ipv6_addr',
  protocol: 'inet_proto',
  port: 'inet_service',
  raw128: '@th,64,128',
};

function setText(name: SetName): string {
  const { key, value, interval, timeout } = definitionOf(name);
  const type = key.includes('raw128')
    ? 'typeof iifname . ether saddr . @th,64,128'
    : `type ${key.map((part) => TYPE_NAMES[part]).join(' . ')}`;
  const target = value === undefined ? '' : ` : ${value.map((part) => TYPE_NAMES[part]).join(' . ')}`;
  const flags = [...(interval ? ['interval'] : []), ...(timeout ? ['timeout'] : [])];
  const flagText = flags.length === 0 ? '' : ` flags ${flags.join(', ')};`;
  return `  ${value === undefined ? 'set' : 'map'} ${name} { ${type}${target};${flagText} }`;
}

function baseText({ base }: Chain): string {
  return base === undefined
    ? ''
    : ` type ${base.type} hook ${base.hook} priority ${base.priority}; policy accept;`;
}

function chainText({ name, rules }: Chain, digest: string): string {
  const marked = name === 'loopback' ? ` comment "${DIGEST_PREFIX}${digest}"` : '';
  const lines = rules.map((rule, at) => `    ${rule}${at === 0 ? marked : ''}`);
  return [`  chain ${name} {`, ...lines, '  }'].join('\n');
}

function elementsText(name: SetName, elements: readonly Element[]): string[] {
  const own = elements.filter(({ set }) => set === name);
  if (own.length === 0) return [];
  const { family } = definitionOf(name);
  return [`add element ${family} ${TABLE} ${name} { ${own.map(elementText).join(', ')} }`];
}

/** An element as nft(8) writes it. */
function elementText({ set, key, value, timeout }: Element): string {
  const types = definitionOf(set);
  const keyText = key.map((part, at) => rangeText(part, types.key[at])).join(' . ');
  const valueText =
    value === undefined ? '' : ` : ${value.map((part, at) => partText(part, types.value?.[at])).join(' . ')}`;
  return `${keyText}${timeout === undefined ? '' : ` timeout ${Math.max(1, Math.ceil(timeout))}ms`}${valueText}`;
}

function rangeText(part: Part | PartRange, type: PartType | undefined): string {
  if (!isRange(part)) return partText(part, type);
  const [first, last] = [partText(part[0], type), partText(part[1], type)];
  return first === last ? first : `${first}-${last}`;
}

function partText(part: Part, type: PartType | undefined): string {
  switch (type) {
    case 'ifname':
      if (!/^[A-Za-z0-9_.-]{1,15}$/.test(String(part)))
        throw new RangeError(`${part} is no name of a device`);
      return `"${part}"`;
    case 'ipv4':
    case 'ipv6':
      return addressText(addressBytes(String(part)));
    case 'raw128':
      return `0x${addressBytes(String(part))
        .map((byte) => byte.toString(16).padStart(2, '0'))
        .join('')}`;
    case 'ether':
    case 'protocol':
    case 'port':
      return String(part);
    case undefined:
      throw new RangeError(`a part too many: ${part}`);
  }
}
