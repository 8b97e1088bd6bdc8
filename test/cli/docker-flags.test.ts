// Every flag of `docker run` (28.2) is known: it holds, or it is refused by name.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONTAINER_FLAGS } from '../../src/cli/commands/run-shape.ts';

/** `docker run --help`, without those for Windows: name, or name and letter. */
const DOCKER = `add-host annotation attach,a blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns
  cidfile cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares,c cpus cpuset-cpus cpuset-mems detach,d
  detach-keys device device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops
  disable-content-trust dns dns-option dns-search domainname entrypoint env,e env-file expose gpus group-add health-cmd
  health-interval health-retries health-start-interval health-start-period health-timeout hostname,h init interactive,i
  ip ip6 ipc isolation kernel-memory label,l label-file link link-local-ip log-driver log-opt mac-address memory,m
  memory-reservation memory-swap memory-swappiness mount name network network-alias no-healthcheck oom-kill-disable
  oom-score-adj pid pids-limit platform privileged publish,p publish-all,P pull quiet,q read-only restart rm runtime
  security-opt shm-size sig-proxy stop-signal stop-timeout storage-opt sysctl tmpfs tty,t ulimit use-api-socket user,u
  userns uts volume,v volume-driver volumes-from workdir,w`;

test('no flag of docker run is unknown, and its letter is the same', () => {
  for (const word of DOCKER.split(/\s+/)) {
    const [name, short] = word.split(',');
    const flag = CONTAINER_FLAGS.find((each) => each.name === name);
    assert.ok(flag !== undefined, name);
    assert.equal(flag.short, short, name);
  }
});
