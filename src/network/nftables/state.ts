// What our nftables tables are made from: the networks, and the elements of containers.
import type { Element } from './sets.ts';

/** One bridge network. */
export interface BridgeNetwork {
  /** Name of the bridge device, at most 15 bytes: letters, digits and `-`. */
  readonly bridge: string;
  /** `172.17.0.0/16`, `fd00:1::/64`. */
  readonly subnets: readonly string[];
  /** Nothing is forwarded to it or from it. */
  readonly internal: boolean;
  /** What leaves by another device gets that device's address. Ignored for an internal network. */
  readonly masquerade: boolean;
  /** False: it may exchange packets with other networks that are not isolated. */
  readonly isolated: boolean;
  /** Group of nfnetlink_log that gets the first bytes of what an egress list has refused, 1..65535; none without it. */
  readonly refusalGroup?: number;
}

/** All that our tables contain. */
export interface FirewallState {
  readonly networks: readonly BridgeNetwork[];
  /** Elements of running containers (`containerElements`), so that a table that was flushed is whole again. */
  readonly elements: readonly Element[];
  /**
   * The engine has switched net.ipv4.ip_forward on: what is forwarded and does not concern our bridges is dropped, as it
   * was not forwarded before.
   */
  readonly guardForwarding: boolean;
}
