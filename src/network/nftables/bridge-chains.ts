// The chains of `table bridge caisson`: nobody claims to be somebody else, and containers with an egress list are routed.
import type { Chain } from './chain.ts';
import { NEIGHBOUR_TYPES } from './inet-chains.ts';

/** Names of the host's ends of veth pairs. */
const PORTS = 'iifname "cv*"';

/**
 * A frame of a port of ours passes when port, MAC address and IP address belong together. Everything that is neither ARP
 * nor IP is dropped, so are VLAN tags. A port that is in no set may send nothing.
 */
export function bridgeChains(): Chain[] {
  return [
    {
      family: 'bridge',
      name: 'ports',
      base: { type: 'filter', hook: 'prerouting', priority: -300 },
      rules: [`${PORTS} jump guard`, 'ether type { ip, ip6 } jump divert'],
    },
    {
      family: 'bridge',
      name: 'guard',
      rules: [
        'ether type arp goto guardArp',
        'ether type ip goto guardIp',
        'ether type ip6 goto guardIp6',
        'counter drop',
      ],
    },
    guardArp(),
    guardIp(),
    guardIp6(),
    divert(),
  ];
}

/** RFC 826; a probe (RFC 5227) has no sender yet. */
function guardArp(): Chain {
  return {
    family: 'bridge',
    name: 'guardArp',
    rules: [
      'iifname . ether saddr != @ports counter drop',
      'iifname . arp saddr ether . arp saddr ip @guard4 return',
      'iifname . arp saddr ether @ports arp saddr ip 0.0.0.0 arp operation request return',
      'counter drop',
    ],
  };
}

function guardIp(): Chain {
  return {
    family: 'bridge',
    name: 'guardIp',
    rules: [
      'udp sport 67 udp dport 68 counter drop',
      'iifname . ether saddr . ip saddr @guard4 return',
      'counter drop',
    ],
  };
}

/** RFC 4861; the target of an advertisement is at offset 8 of its message. */
function guardIp6(): Chain {
  return {
    family: 'bridge',
    name: 'guardIp6',
    rules: [
      'icmpv6 type { nd-router-advert, nd-redirect } counter drop',
      'udp sport 547 udp dport 546 counter drop',
      'icmpv6 type nd-neighbor-advert iifname . ether saddr . @th,64,128 != @target6 counter drop',
      'iifname . ether saddr . ip6 saddr @guard6 return',
      `ip6 saddr :: iifname . ether saddr @ports icmpv6 type ${NEIGHBOUR_TYPES} return`,
      'counter drop',
    ],
  };
}

/**
 * What goes to or comes from a container with an egress list is for the bridge itself from here on, so that it passes the
 * host's hooks with their memory of connections: neighbours are reached under the same rules as everything else, also
 * where bridge-nf-call-iptables is off. Between neighbours only their discovery stays.
 */
function divert(): Chain {
  return {
    family: 'bridge',
    name: 'divert',
    rules: [
      `icmpv6 type ${NEIGHBOUR_TYPES} return`,
      'ether daddr set ether daddr map @inward meta pkttype set host return',
      'ether daddr set iifname map @outward meta pkttype set host return',
    ],
  };
}
