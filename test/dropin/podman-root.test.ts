// podman as root: what an ordinary user can do too, and what only root can.

import assert from 'node:assert/strict';
import { matrix } from './matrix.ts';
import { Podman } from './podman.ts';
import { PODMAN_CASES } from './podman-cases.ts';
import { sleep, until } from './sleep.ts';

matrix('podman as root', (runtime) => Podman.open(runtime, 'root'), {
  'run: limits': async (podman) => {
    const flags = '--memory 96m --memory-swap 96m --cpus 0.5 --pids-limit 55 --cpuset-cpus 0'.split(' ');
    const script = `cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us pids/pids.max cpuset/cpuset.cpus`;
    assert.equal(await podman.said(flags, script), `${96 * 2 ** 20}\n50000\n55\n0`);
  },
  'run: out of memory is told': (podman) =>
    podman.withContainer(['--memory', '16m', '--memory-swap', '16m'], 'tail /dev/zero', async (id) => {
      assert.equal(await podman.output(['wait', id]), '137');
      assert.equal(await podman.inspect(id, '{{.State.OOMKilled}}'), 'true');
    }),
  'run: devices': async (podman) => {
    const script = '(: < /dev/other) && echo opened; (: > /dev/other) 2>/dev/null || echo refused';
    assert.equal(await podman.said(['--device', '/dev/fuse:/dev/other:r'], script), 'opened\nrefused');
  },
  'pause and unpause': (podman) =>
    podman.withContainer([], 'while :; do echo tick; sleep 0.05; done', async (id) => {
      await until('a tick', async () => (await podman.output(['logs', id])).includes('tick'));
      await podman.output(['pause', id]);
      assert.equal(await podman.inspect(id, '{{.State.Status}}'), 'paused');
      const before = await podman.output(['logs', id]);
      await sleep(300);
      assert.equal(await podman.output(['logs', id]), before);
      await podman.output(['unpause', id]);
      await until('further ticks', async () => (await podman.output(['logs', id])).length > before.length);
    }),
  'stats and update': (podman) =>
    podman.withContainer(['--memory', '64m'], 'sleep 1000', async (id) => {
      const said = await podman.output(['stats', '--no-stream', '--format', '{{.MemUsage}}|{{.PIDs}}', id]);
      assert.match(said, /^[\d.]+[kM]B \/ 67.11MB\|1$/);
      await podman.output(['update', '--memory', '80m', '--cpus', '0.25', '--pids-limit', '44', id]);
      const script = `cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us pids/pids.max`;
      assert.equal(await podman.output(['exec', id, 'sh', '-c', script]), `${80 * 2 ** 20}\n25000\n44`);
    }),
  'run: a user namespace of its own': async (podman) => {
    const flags = ['--uidmap', '0:300000:65536', '--gidmap', '0:300000:65536'];
    const script = 'cat /proc/self/uid_map; touch /x; stat -c %u:%g /x /etc/passwd';
    assert.match(await podman.said(flags, script), /^ *0 +300000 +65536\n0:0\n0:0$/);
  },
  ...PODMAN_CASES,
});
