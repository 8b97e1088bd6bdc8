// EXPOSE: `[ip:][host:]port[-port][/protocol]` as the ports that it names, `80/tcp`.
import { isAddress } from '../../frontends/docker/network-files.ts';

const PROTOCOLS = new Set(['tcp', 'udp', 'sctp']);
const LARGEST = 65_535;

/** The ports of one word, a range one by one. Throws Error with what is wrong. */
export function exposedPorts(word: string): string[] {
  const parts = word.split(':');
  const container = parts.pop() ?? '';
  const host = parts.pop() ?? '';
  const address = parts.join(':');
  if (address !== '' && !isAddress(address.replace(/^\[(.*)\]$/, '$1')))
    throw new Error(`invalid IP address: ${address}`);
  const [range = '', protocol = ''] = cut(container);
  if (range === '') throw new Error(`invalid port: ${JSON.stringify(word)}: no port specified`);
  const lower = protocol.toLowerCase();
  if (lower !== '' && !PROTOCOLS.has(lower))
    throw new Error(`invalid port: ${JSON.stringify(word)}: invalid proto: ${protocol}`);
  const own = portRange(range);
  if (own === undefined) throw new Error(`invalid containerPort: ${range}`);
  checkHost(host, range, own);
  const ports: string[] = [];
  for (let port = own.first; port <= own.last; port++) ports.push(`${port}/${lower === '' ? 'tcp' : lower}`);
  return ports;
}

function cut(text: string): [string, string] {
  const slash = text.indexOf('/');
  return slash < 0 ? [text, ''] : [text.slice(0, slash), text.slice(slash + 1)];
}

interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** A range of the host's ports is as long as the container's, or there is one port in the container. */
function checkHost(host: string, range: string, own: PortRange): void {
  if (host === '') return;
  const outer = portRange(host);
  if (outer === undefined) throw new Error(`invalid hostPort: ${host}`);
  if (own.last === own.first || own.last - own.first === outer.last - outer.first) return;
  throw new Error(`invalid ranges specified for container and host Ports: ${range} and ${host}`);
}

function portRange(text: string): PortRange | undefined {
  const dash = text.indexOf('-');
  const first = port(dash < 0 ? text : text.slice(0, dash));
  const last = dash < 0 ? first : port(text.slice(dash + 1));
  if (first === undefined || last === undefined || last < first) return undefined;
  return { first, last };
}

function port(text: string): number | undefined {
  return /^\+?\d{1,6}$/.test(text) && Number(text) <= LARGEST ? Number(text) : undefined;
}
