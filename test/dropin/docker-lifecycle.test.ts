// docker stop, kill, restart, pause, update, health checks and restart policies.

import assert from 'node:assert/strict';
import { Docker } from './docker.ts';
import { matrix } from './matrix.ts';
import { sleep, until } from './sleep.ts';

const TRAP =
  'trap "echo got TERM; exit 5" TERM; trap "echo got USR1" USR1; echo ready; while :; do sleep 0.05; done';

async function withContainer(
  docker: Docker,
  flags: readonly string[],
  script: string,
  work: (id: string) => Promise<void>,
): Promise<void> {
  const id = await docker.detached(flags, script);
  try {
    await work(id);
  } finally {
    await docker.remove(id);
  }
}

function printed(docker: Docker, id: string, text: string): Promise<boolean> {
  return until(`"${text}" in the log`, async () => (await docker.output(['logs', id])).includes(text));
}

function becomes(docker: Docker, id: string, template: string, value: string): Promise<boolean> {
  return until(`${template} = ${value}`, async () => (await docker.inspect(id, template)) === value);
}

matrix('docker', (runtime) => Docker.open(runtime), {
  'stop: SIGTERM, and its exit status': (docker) =>
    withContainer(docker, [], TRAP, async (id) => {
      await printed(docker, id, 'ready');
      await docker.output(['stop', id]);
      assert.equal(await docker.inspect(id, '{{.State.Status}} {{.State.ExitCode}}'), 'exited 5');
      assert.match(await docker.output(['logs', id]), /got TERM/);
    }),
  'stop: SIGKILL when the time is up': (docker) =>
    withContainer(docker, [], 'trap "" TERM; echo ready; while :; do sleep 0.05; done', async (id) => {
      await printed(docker, id, 'ready');
      await docker.output(['stop', '--time', '1', id]);
      assert.equal(await docker.inspect(id, '{{.State.ExitCode}}'), '137');
    }),
  'kill: a signal of choice, then SIGKILL': (docker) =>
    withContainer(docker, [], TRAP, async (id) => {
      await printed(docker, id, 'ready');
      await docker.output(['kill', '--signal', 'USR1', id]);
      await printed(docker, id, 'got USR1');
      await docker.output(['kill', id]);
      assert.equal(await docker.output(['wait', id]), '137');
      assert.match((await docker.call(['kill', id])).stderr, /is not running/);
    }),
  'kill: all processes of a container with the PID namespace of the host end': (docker) =>
    withContainer(docker, ['--pid', 'host'], 'sleep 4321 & sleep 4321', async (id) => {
      await docker.output(['kill', id]);
      await docker.output(['wait', id]);
      await until('the end of all', async () => {
        const { stdout } = await docker.room.run(['pgrep', '-f', '^sleep 4321']);
        return stdout === '';
      });
    }),
  'restart: by hand': (docker) =>
    withContainer(docker, [], `echo begin; ${TRAP}`, async (id) => {
      await printed(docker, id, 'ready');
      await docker.output(['restart', '--time', '1', id]);
      await until('two beginnings', async () => {
        return (await docker.output(['logs', id])).split('begin').length === 3;
      });
      assert.equal(await docker.inspect(id, '{{.State.Running}}'), 'true');
    }),
  'restart policy: on-failure twice': (docker) =>
    withContainer(docker, ['--restart', 'on-failure:2'], 'echo begin; exit 1', async (id) => {
      await becomes(docker, id, '{{.RestartCount}} {{.State.Status}}', '2 exited');
      assert.equal(await docker.output(['logs', id]), 'begin\nbegin\nbegin');
    }),
  'restart policy: always, after a kill from outside': (docker) =>
    withContainer(docker, ['--restart', 'always'], 'sleep 1000', async (id) => {
      const pid = await docker.inspect(id, '{{.State.Pid}}');
      await docker.room.output(['kill', '-KILL', pid]);
      await becomes(docker, id, '{{.RestartCount}} {{.State.Status}}', '1 running');
      assert.notEqual(await docker.inspect(id, '{{.State.Pid}}'), pid);
    }),
  'pause and unpause': (docker) =>
    withContainer(docker, [], 'while :; do echo tick; sleep 0.05; done', async (id) => {
      await printed(docker, id, 'tick');
      await docker.output(['pause', id]);
      assert.equal(await docker.inspect(id, '{{.State.Status}}'), 'paused');
      await sleep(200);
      const before = await docker.output(['logs', id]);
      await sleep(300);
      assert.equal(await docker.output(['logs', id]), before);
      assert.match((await docker.call(['exec', id, 'true'])).stderr, /is paused/);
      await docker.output(['unpause', id]);
      await until('further ticks', async () => (await docker.output(['logs', id])).length > before.length);
    }),
  'pause, then remove by force': (docker) =>
    withContainer(docker, [], 'sleep 1000', async (id) => {
      await docker.output(['pause', id]);
    }),
  'update: limits of a container that runs': (docker) =>
    withContainer(docker, ['--memory', '64m', '--memory-swap', '64m'], 'sleep 1000', async (id) => {
      const flags =
        '--memory 80m --memory-swap 100m --cpus 0.25 --pids-limit 44 --cpuset-cpus 1 --cpu-shares 200';
      await docker.output(['update', ...flags.split(' '), id]);
      const files = [
        'memory/memory.limit_in_bytes',
        'memory/memory.memsw.limit_in_bytes',
        'cpu/cpu.cfs_quota_us',
        'cpu/cpu.shares',
        'pids/pids.max',
        'cpuset/cpuset.cpus',
      ];
      const script = `cd /sys/fs/cgroup; cat ${files.join(' ')}`;
      const said = await docker.output(['exec', id, 'sh', '-c', script]);
      assert.equal(said, `${80 * 2 ** 20}\n${100 * 2 ** 20}\n25000\n200\n44\n1`);
    }),
  'update: the restart policy alone': (docker) =>
    withContainer(docker, [], 'sleep 1000', async (id) => {
      await docker.output(['update', '--restart', 'always', id]);
      assert.equal(await docker.inspect(id, '{{.HostConfig.RestartPolicy.Name}}'), 'always');
    }),
  'health check: healthy, then not': (docker) => {
    const times = ['--health-interval', '300ms', '--health-retries', '1', '--health-timeout', '5s'];
    const flags = ['--health-cmd', 'test ! -e /sick', ...times];
    return withContainer(docker, flags, 'sleep 1000', async (id) => {
      await becomes(docker, id, '{{.State.Health.Status}}', 'healthy');
      await docker.output(['exec', id, 'touch', '/sick']);
      await becomes(docker, id, '{{.State.Health.Status}}', 'unhealthy');
    });
  },
  'health check: one that takes too long': (docker) => {
    const times = ['--health-interval', '300ms', '--health-retries', '1', '--health-timeout', '1s'];
    return withContainer(docker, ['--health-cmd', 'sleep 100', ...times], 'sleep 1000', async (id) => {
      await becomes(docker, id, '{{.State.Health.Status}}', 'unhealthy');
      const template = '{{range .State.Health.Log}}{{.Output}}{{end}}';
      assert.match(await docker.inspect(id, template), /Health check exceeded timeout/);
    });
  },
  'the end of everything leaves nothing behind': async (docker) => {
    const ids = await Promise.all([1, 2, 3, 4].map(() => docker.detached([])));
    const present = `find /sys/fs/cgroup -type d -path '*/docker/?*' | wc -l; ls -d /run/docker/runtime-*/moby/* /run/containerd/runc/moby/* 2>/dev/null | wc -l`;
    const running = await docker.room.output(['sh', '-c', present]);
    assert.ok(!running.startsWith('0\n'), running);
    assert.match(running, /\n4$/);
    await docker.output(['rm', '--force', ...(await docker.output(['ps', '-aq'])).split('\n')]);
    assert.equal(ids.length, 4);
    await until('no cgroup, no state', async () => {
      return (await docker.room.output(['sh', '-c', present])) === '0\n0';
    });
    assert.equal(await docker.room.output(['sh', '-c', 'pgrep -f "^sleep" | wc -l']), '0');
  },
});
