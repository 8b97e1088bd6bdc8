// Flags of `docker run` and `podman run` that a later issue brings: refused by name, never ignored.

import { boolean, type Flag, list, value } from '../flag.ts';

const NETWORKS = { later: 'networks (issue 6)' };
const RUNTIME = { later: 'the OCI runtime (issue 3)' };
const NOT_PLANNED = { later: 'no issue yet' };

/** The flags of `run` that are known and refused. */
export const LATER_RUN_FLAGS: readonly Flag[] = [
  list('storage-opt', 'Storage driver options for the container', NOT_PLANNED),
  list('publish', "Publish a container's port(s) to the host", { short: 'p', ...NETWORKS }),
  boolean('publish-all', 'Publish all exposed ports to random ports', { short: 'P', ...NETWORKS }),
  list('expose', 'Expose a port or a range of ports', NETWORKS),
  value('ip', 'IPv4 address', NETWORKS),
  value('ip6', 'IPv6 address', NETWORKS),
  list('link', 'Add link to another container', NETWORKS),
  list('link-local-ip', 'Container IPv4/IPv6 link-local addresses', NETWORKS),
  value('mac-address', 'Container MAC address', NETWORKS),
  list('network-alias', 'Add network-scoped alias for the container', NETWORKS),
  list('egress', 'Allow only these destinations', NETWORKS),
  boolean('disable-content-trust', 'Skip image verification', NOT_PLANNED),
  value('runtime', 'Runtime to use for this container', RUNTIME),
  boolean('use-api-socket', 'Bind mount the API socket', { later: "docker's API (a later issue)" }),
  value('cpu-rt-period', 'Limit CPU real-time period in microseconds', NOT_PLANNED),
  value('cpu-rt-runtime', 'Limit CPU real-time runtime in microseconds', NOT_PLANNED),
  value('kernel-memory', 'Kernel memory limit', NOT_PLANNED),
  value('isolation', 'Container isolation technology', NOT_PLANNED),
];
