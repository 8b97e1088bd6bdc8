// The chains of `table inet caisson`: addresses, isolation, published ports, egress lists.
import { addressRange } from './address.ts';
import type { Chain } from './chain.ts';
import type { BridgeNetwork, FirewallState } from './state.ts';

/** Protocols whose ports can be published. */
const WITH_PORTS = 'meta l4proto { tcp, udp, sctp }';

/** What IPv6 needs between neighbours (RFC 4861) and for groups (RFC 3810). */
export const NEIGHBOUR_TYPES =
  '{ nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, mld2-listener-report, mld-listener-done }';

/** An ICMP error about a connection that is known. */
const RELATED_ERROR = 'ct state related meta l4proto { icmp, ipv6-icmp }';

/** Refusals that are handed to nfnetlink_log in a second at most, for each network. */
const LOGGED_PER_SECOND = 100;

/** Bytes of a refused packet that are logged: headers of IP and TCP with room for options. */
const LOGGED_BYTES = 128;

export function inetChains(state: FirewallState): Chain[] {
  return [
    loopback(),
    ...egress(state.networks),
    ...published(),
    forward(state.guardForwarding),
    postrouting(state.networks),
    output(),
  ];
}

/**
 * Where somebody has set route_localnet, packets from a neighbour would reach what listens on loopback (CVE-2020-8558,
 * T70). The kernel itself drops those to ::1.
 */
function loopback(): Chain {
  return {
    family: 'inet',
    name: 'loopback',
    base: { type: 'filter', hook: 'prerouting', priority: -300 },
    rules: ['iifname != "lo" ip daddr 127.0.0.0/8 counter drop'],
  };
}

/**
 * Before addresses are translated: what a program asked for is what is compared, whether it is forwarded or is for the
 * host. Needs the guard of table bridge, for the source is who asks.
 *
 * TCP is reset. The ICMP error to a SYN comes while connect(2) still holds the socket, over a veth pair always, and the
 * kernel then keeps it as a soft error until it sends again, a second later (tcp_v4_err in net/ipv4/tcp_ipv4.c); and it
 * sends one ICMP error in a second to one address (icmp_ratelimit, icmp(7)).
 */
function egress(networks: readonly BridgeNetwork[]): Chain[] {
  const logs = networks.flatMap(({ bridge, refusalGroup }) =>
    refusalGroup === undefined
      ? []
      : [
          `iifname "${bridge}" limit rate ${LOGGED_PER_SECOND}/second log group ${refusalGroup} snaplen ${LOGGED_BYTES}`,
        ],
  );
  return [
    {
      family: 'inet',
      name: 'egress',
      base: { type: 'filter', hook: 'prerouting', priority: -110 },
      rules: ['ip saddr @limited4 jump limited', 'ip6 saddr @limited6 jump limited'],
    },
    {
      family: 'inet',
      name: 'limited',
      rules: [
        'ct state established return',
        `${RELATED_ERROR} return`,
        `icmpv6 type ${NEIGHBOUR_TYPES} return`,
        'ip saddr . ip daddr . meta l4proto . th dport @egress4 return',
        'ip6 saddr . ip6 daddr . meta l4proto . th dport @egress6 return',
        'ip saddr . ip daddr @egressAny4 return',
        'ip6 saddr . ip6 daddr @egressAny6 return',
        'ip saddr . ip daddr . meta l4proto . th dport @egressNet4 return',
        'ip6 saddr . ip6 daddr . meta l4proto . th dport @egressNet6 return',
        ...logs,
        'meta l4proto tcp counter reject with tcp reset',
        'counter reject with icmpx admin-prohibited',
      ],
    },
  ];
}

/** Published ports: from others, and from the host itself. A binding to loopback is never translated. */
function published(): Chain[] {
  const jump = [`fib daddr type local ${WITH_PORTS} jump publish`];
  return [
    {
      family: 'inet',
      name: 'prerouting',
      base: { type: 'nat', hook: 'prerouting', priority: -100 },
      rules: jump,
    },
    { family: 'inet', name: 'output', base: { type: 'nat', hook: 'output', priority: -100 }, rules: jump },
    {
      family: 'inet',
      name: 'publish',
      rules: [
        'ip daddr 127.0.0.0/8 return',
        'ip6 daddr ::1 return',
        'dnat ip to ip daddr . meta l4proto . th dport map @publish4',
        'dnat ip6 to ip6 daddr . meta l4proto . th dport map @publish6',
        'dnat ip to meta l4proto . th dport map @publishAny4',
        'dnat ip6 to meta l4proto . th dport map @publishAny6',
      ],
    },
  ];
}

/**
 * Frames between two ports of one bridge come here too where bridge-nf-call-iptables is set: `same`. What is invalid would
 * leave with the address of the container, for nothing translates it.
 */
function forward(guardForwarding: boolean): Chain {
  return {
    family: 'inet',
    name: 'forward',
    base: { type: 'filter', hook: 'forward', priority: 0 },
    rules: [
      'ct state established accept',
      `${RELATED_ERROR} accept`,
      'iifname . oifname @same accept',
      'iifname @internal counter drop',
      'oifname @internal counter drop',
      'ct state invalid iifname @bridges counter drop',
      'ct state related accept',
      'oifname @bridges ct status dnat accept',
      'iifname @open oifname @open accept',
      'oifname @bridges counter drop',
      'iifname @bridges accept',
      ...(guardForwarding ? ['counter drop'] : []),
    ],
  };
}

function postrouting(networks: readonly BridgeNetwork[]): Chain {
  return {
    family: 'inet',
    name: 'postrouting',
    base: { type: 'nat', hook: 'postrouting', priority: 100 },
    rules: networks.flatMap(({ bridge, subnets, internal, masquerade }) =>
      subnets.flatMap((subnet) => {
        const source = `${addressRange(subnet).family === 4 ? 'ip' : 'ip6'} saddr ${subnet}`;
        return [
          ...(masquerade && !internal ? [`${source} oifname != "${bridge}" masquerade`] : []),
          // To a published port of a neighbour: without it, the neighbour would answer directly.
          `${source} oifname "${bridge}" ct status dnat masquerade`,
        ];
      }),
    ),
  };
}

/** What a container with an egress list sends to a neighbour is routed by the host, which is not to advise against it. */
function output(): Chain {
  return {
    family: 'inet',
    name: 'redirects',
    base: { type: 'filter', hook: 'output', priority: 0 },
    rules: ['oifname @bridges icmp type redirect drop', 'oifname @bridges icmpv6 type nd-redirect drop'],
  };
}
