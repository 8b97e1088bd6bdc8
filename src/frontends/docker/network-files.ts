// The generated /etc/hosts, /etc/hostname and /etc/resolv.conf, as docker mounts them into every container.

import type { Bytes } from '../../linux/bytes.ts';
import type { Mount } from '../../spec/runtime-spec.ts';
import type { FrontendFacts } from './facts.ts';
import { comesLater, flagSource, invalidArgument } from './flag-error.ts';
import type { NamespaceModes } from './namespaces.ts';
import type { Sourced } from './recorder.ts';
import type { RunFlags } from './run-flags.ts';

/** A file that the engine writes into the runtime directory before the start. */
export interface GeneratedFile {
  readonly path: Bytes;
  readonly content: Bytes;
  /** Default 0644. */
  readonly mode?: number;
  /** Its content belongs on no disk. */
  readonly secret?: true;
}

/** The files and the binds that put them into the container. */
export interface NetworkFiles {
  readonly files: readonly GeneratedFile[];
  readonly mounts: readonly Sourced<Mount>[];
}

/** Loopback names, hosts(5). */
const LOOPBACK = '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n';

/** The three files. Throws docker's messages on bad `--add-host`, `--dns*`. */
export function networkFiles(
  flags: RunFlags,
  modes: NamespaceModes,
  hostname: Bytes,
  facts: FrontendFacts,
): NetworkFiles {
  const host = modes.network.value === 'host';
  const contents: readonly (readonly [Bytes, Bytes, string | undefined])[] = [
    ['hosts', hostsFile(flags, host, hostname, facts), sourceOf('add-host', flags.addHost)],
    [
      'hostname',
      `${hostname}\n`,
      flags.hostname === undefined ? undefined : flagSource('hostname', flags.hostname),
    ],
    ['resolv.conf', resolvConf(flags, host, facts), sourceOf('dns', flags.dns)],
  ];
  return {
    files: contents.map(([name, content]) => ({ path: `${facts.stateDirectory}/${name}`, content })),
    mounts: contents.map(([name, , source]) => {
      const value: Mount = {
        destination: `/etc/${name}`,
        type: 'bind',
        source: `${facts.stateDirectory}/${name}`,
        options: ['bind', 'nosuid', 'nodev', 'noexec', 'rprivate'],
      };
      return source === undefined ? { value } : { value, source };
    }),
  };
}

function sourceOf(name: 'add-host' | 'dns', texts: readonly Bytes[] | undefined): string | undefined {
  return texts?.[0] === undefined ? undefined : flagSource(name, texts[0]);
}

function hostsFile(flags: RunFlags, host: boolean, hostname: Bytes, facts: FrontendFacts): Bytes {
  const added = (flags.addHost ?? []).map((text) => {
    const { names, address } = parseAddHost(text);
    if (address === 'host-gateway' && !host) {
      throw comesLater(flagSource('add-host', text), 'networks (issue 6)');
    }
    return `${address === 'host-gateway' ? '127.0.0.1' : address}\t${names}\n`;
  });
  // With the host's network its names hold; without a network only the container's own.
  const base = host ? facts.hosts : `${LOOPBACK}127.0.0.1\t${hostname}\n`;
  const separator = base === '' || base.endsWith('\n') ? '' : '\n';
  return `${base}${separator}${added.join('')}`;
}

/** `name:ip` or `name=ip`; the address may be in brackets. */
export function parseAddHost(text: Bytes): { readonly names: Bytes; readonly address: Bytes } {
  const match = /^([^:=\s]+)[:=](.+)$/.exec(text);
  if (match === null) throw invalidArgument('add-host', text, `bad format for add-host: "${text}"`);
  const [, names = '', given = ''] = match;
  const address = given.replace(/^\[(.*)\]$/, '$1');
  if (address !== 'host-gateway' && !isAddress(address))
    throw invalidArgument('add-host', text, `invalid IP address in add-host: "${given}"`);
  return { names, address };
}

function resolvConf(flags: RunFlags, host: boolean, facts: FrontendFacts): Bytes {
  for (const server of flags.dns ?? []) {
    if (!isAddress(server))
      throw invalidArgument('dns', server, `IP address is not correctly formatted: ${server}`);
  }
  for (const [name, texts] of [
    ['dns-search', flags.dnsSearch],
    ['dns-option', flags.dnsOption],
  ] as const) {
    for (const text of texts ?? []) {
      if (!/^[A-Za-z0-9_.:-]+$/.test(text))
        throw invalidArgument(name, text, `${text} is not a valid domain or option`);
    }
  }
  const inherited = host ? facts.resolvConf.split('\n') : [];
  const kept = (keyword: RegExp): string[] => inherited.filter((line) => keyword.test(line));
  const search = flags.dnsSearch?.filter((domain) => domain !== '.');
  const lines = [
    ...(flags.dns?.map((server) => `nameserver ${server}`) ?? kept(/^\s*nameserver\s/)),
    ...(search === undefined
      ? kept(/^\s*(?:search|domain)\s/)
      : search.length === 0
        ? []
        : [`search ${search.join(' ')}`]),
    ...(flags.dnsOption === undefined ? kept(/^\s*options\s/) : [`options ${flags.dnsOption.join(' ')}`]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** An IPv4 or IPv6 address as text (inet_pton(3)). */
export function isAddress(text: Bytes): boolean {
  if (/^(?:[0-9]{1,3}\.){3}[0-9]{1,3}$/.test(text)) {
    return text.split('.').every((part) => Number(part) < 256 && !/^0[0-9]/.test(part));
  }
  if (!/^[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?$/.test(text) || !text.includes(':')) return false;
  const bare = text.replace(/%.*$/, '');
  const tail = /:((?:[0-9]{1,3}\.){3}[0-9]{1,3})$/.exec(bare);
  if (tail !== null && !isAddress(tail[1] as string)) return false;
  const groups = tail === null ? bare : `${bare.slice(0, -(tail[1] as string).length)}0:0`;
  const halves = groups.split('::');
  if (halves.length > 2) return false;
  const parts = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  if (!parts.every((part) => /^[0-9A-Fa-f]{1,4}$/.test(part))) return false;
  return halves.length === 2 ? parts.length < 8 : parts.length === 8;
}
