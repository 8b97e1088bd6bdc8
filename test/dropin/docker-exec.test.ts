// docker exec, top, stats, logs, attach, cp: what is done with a container that runs.

import assert from 'node:assert/strict';
import { Docker } from './docker.ts';
import { matrix } from './matrix.ts';
import { until } from './sleep.ts';
import { inTerminal, shown } from './terminal.ts';

const CLIENT = { env: { DOCKER_HOST: 'unix:///run/docker.sock' } };

/** Runs the case with a container that sleeps, and removes it. */
async function withContainer(
  docker: Docker,
  flags: readonly string[],
  work: (id: string) => Promise<void>,
  script?: string,
): Promise<void> {
  const id = await docker.detached(flags, script);
  try {
    await work(id);
  } finally {
    await docker.remove(id);
  }
}

matrix('docker', (runtime) => Docker.open(runtime), {
  'run -d: runs until it ends': (docker) =>
    withContainer(
      docker,
      [],
      async (id) => {
        assert.equal(await docker.inspect(id, '{{.State.Status}}'), 'running');
        assert.match(await docker.output(['ps', '--no-trunc']), new RegExp(id));
        assert.equal(await docker.output(['wait', id]), '3');
        assert.equal(await docker.inspect(id, '{{.State.Status}} {{.State.ExitCode}}'), 'exited 3');
      },
      'sleep 1; exit 3',
    ),
  'exec: output, errors, exit status': (docker) =>
    withContainer(docker, [], async (id) => {
      const result = await docker.call(['exec', id, 'sh', '-c', 'echo out; echo err >&2; exit 8']);
      assert.deepEqual(result, { code: 8, stdout: 'out\n', stderr: 'err\n' });
      assert.equal((await docker.call(['exec', id, 'sh', '-c', 'kill -KILL $$'])).code, 137);
    }),
  'exec: environment, user, directory, the same namespaces and cgroups': (docker) =>
    withContainer(docker, ['-e', 'KEPT=1'], async (id) => {
      const flags = ['-e', 'A=b', '-u', 'alice', '-w', '/home'];
      const script = 'echo "$A|$KEPT|$FROM_IMAGE|$HOME|$(id -u):$(id -g)|$(id -G)|$PWD"';
      const said = await docker.output(['exec', ...flags, id, 'sh', '-c', script]);
      assert.equal(said, 'b|1|yes|/home/alice|1000:1001|1001 50 63|/home');
      const same = `for each in cgroup ipc mnt net pid uts; do
        test "$(readlink /proc/self/ns/$each)" = "$(readlink /proc/1/ns/$each)" || echo $each; done
        test "$(cat /proc/self/cgroup)" = "$(cat /proc/1/cgroup)" || cat /proc/self/cgroup`;
      assert.equal(await docker.output(['exec', id, 'sh', '-c', same]), '');
    }),
  'exec: the same confinement': (docker) =>
    withContainer(docker, ['--cap-drop', 'NET_RAW', '--security-opt', 'no-new-privileges'], async (id) => {
      const script = (pid: string) =>
        `grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/${pid}/status; cat /proc/${pid}/oom_score_adj`;
      const own = await docker.output(['exec', id, 'sh', '-c', script('self')]);
      assert.equal(own, await docker.output(['exec', id, 'sh', '-c', script('1')]));
    }),
  'exec -i: standard input': (docker) =>
    withContainer(docker, [], async (id) => {
      const args = ['exec', '-i', id, 'sh', '-c', 'cat; echo end'];
      assert.equal(await docker.output(args, { input: 'one\ntwo\n' }), 'one\ntwo\nend');
    }),
  'exec -it: a terminal with its size, typed commands': (docker) =>
    withContainer(docker, [], async (id) => {
      const command = inTerminal(['docker', 'exec', '-it', id, 'sh']);
      const input = 'sleep 0.5; stty size; tty; exit 9\n';
      const { code, stdout } = await docker.room.run(command, { ...CLIENT, input });
      assert.equal(code, 9, stdout);
      assert.match(shown(stdout), /\n33 111\n\/dev\/pts\/\d+\n/);
    }),
  'exec -d, exec --privileged': (docker) =>
    withContainer(docker, [], async (id) => {
      await docker.output(['exec', '-d', id, 'sh', '-c', 'sleep 0.2; echo done > /marker']);
      await until('the marker', async () => (await docker.call(['exec', id, 'cat', '/marker'])).code === 0);
      const status = ['exec', '--privileged', id, 'grep', 'CapEff', '/proc/self/status'];
      const bounding = await docker.room.output(['grep', 'CapBnd', '/proc/self/status']);
      assert.equal((await docker.output(status)).split('\t')[1], bounding.split('\t')[1]);
    }),
  'exec: no such program is 127, one that is not executable 126, no container 1': (docker) =>
    withContainer(docker, [], async (id) => {
      const missing = await docker.call(['exec', id, 'nonesuch']);
      assert.equal(missing.code, 127, missing.stderr + missing.stdout);
      assert.match(missing.stderr + missing.stdout, /executable file not found in \$PATH/);
      const plain = await docker.call(['exec', id, '/etc/passwd']);
      assert.equal(plain.code, 126, plain.stderr + plain.stdout);
      assert.match(plain.stderr + plain.stdout, /permission denied/);
      await docker.output(['kill', id]);
      const gone = await docker.call(['exec', id, 'true']);
      assert.equal(gone.code, 1);
      assert.match(gone.stderr, /is not running/);
    }),
  'exec: twenty at once': (docker) =>
    withContainer(docker, [], async (id) => {
      const numbers = Array.from({ length: 20 }, (_, number) => String(number));
      const said = await Promise.all(numbers.map((each) => docker.output(['exec', id, 'echo', each])));
      assert.deepEqual(said, numbers);
      const left = await docker.output(['exec', id, 'sh', '-c', 'ps | wc -l']);
      assert.ok(Number(left) <= 5, left);
    }),
  'top: the processes of the container': (docker) =>
    withContainer(docker, [], async (id) => {
      await docker.output(['exec', '-d', id, 'sleep', '888']);
      const lines = (await docker.output(['top', id, '-o', 'pid,args'])).split('\n').slice(1);
      const [first, second] = lines.map((line) => line.trim().replace(/^\d+ +/, ''));
      assert.deepEqual([first, second], ['sleep 1000', 'sleep 888']);
    }),
  'stats: memory, processors and processes': (docker) =>
    withContainer(docker, ['--memory', '64m', '--memory-swap', '64m'], async (id) => {
      const format = '{{.MemUsage}}|{{.MemPerc}}|{{.PIDs}}|{{.CPUPerc}}';
      const said = await docker.output(['stats', '--no-stream', '--format', format, id]);
      assert.match(said, /^[\d.]+[KM]iB \/ 64MiB\|[\d.]+%\|1\|[\d.]+%$/);
      assert.doesNotMatch(said, /^0B/);
    }),
  'logs: both streams, follow, since the start': (docker) =>
    withContainer(
      docker,
      [],
      async (id) => {
        const { stdout, stderr } = await docker.call(['logs', '--follow', id]);
        assert.deepEqual([stdout, stderr], ['one\ntwo\n', 'bad\n']);
        assert.equal(await docker.output(['logs', '--tail', '1', id]), 'two');
      },
      'echo one; echo bad >&2; sleep 0.5; echo two',
    ),
  'logs: twenty thousand lines': (docker) =>
    withContainer(
      docker,
      [],
      async (id) => {
        await docker.output(['wait', id]);
        assert.equal((await docker.output(['logs', id])).length, 108893);
      },
      'seq 1 20000',
    ),
  'attach: output and signals': (docker) =>
    withContainer(
      docker,
      [],
      async (id) => {
        const attached = docker.room.start(['docker', 'attach', id], { ...CLIENT, seconds: 0 });
        await until('the line', () => attached.output().includes('tick'));
        await docker.room.stop(attached, 'TERM');
        assert.equal(await docker.output(['wait', id]), '44');
      },
      'trap "exit 44" TERM; while :; do echo tick; sleep 0.1; done',
    ),
  'cp: in and out of a container': (docker) =>
    withContainer(docker, [], async (id) => {
      const { room } = docker;
      await room.output(['sh', '-c', 'mkdir -p /tmp/in && echo content > /tmp/in/file']);
      await docker.output(['cp', '/tmp/in', `${id}:/root/in`]);
      assert.equal(await docker.output(['exec', id, 'cat', '/root/in/file']), 'content');
      await docker.output(['exec', id, 'sh', '-c', 'echo more >> /root/in/file; ln -s file /root/in/link']);
      await docker.output(['cp', `${id}:/root/in/.`, '/tmp/out']);
      assert.equal(await room.output(['cat', '/tmp/out/link']), 'content\nmore');
    }),
});
