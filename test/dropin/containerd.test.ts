// containerd's own client through the shim for runc: run, task exec, kill, pause, metrics, delete.

import assert from 'node:assert/strict';
import { Containerd } from './containerd.ts';
import { IMAGE } from './image.ts';
import { matrix } from './matrix.ts';
import { succeeded } from './room.ts';
import { until } from './sleep.ts';
import { inTerminal, shown } from './terminal.ts';

async function withTask(
  containerd: Containerd,
  id: string,
  script: string,
  work: () => Promise<void>,
  flags: readonly string[] = [],
): Promise<void> {
  succeeded(await containerd.run(id, script, ['--detach', ...flags]));
  try {
    await work();
  } finally {
    await containerd.output(['task', 'delete', '--force', id]);
    await containerd.output(['container', 'delete', id]);
  }
}

async function status(containerd: Containerd, id: string): Promise<string | undefined> {
  const lines = (await containerd.output(['task', 'list'])).split('\n');
  return lines.find((line) => line.startsWith(`${id} `))?.split(/ +/)[2];
}

matrix('ctr', (runtime) => Containerd.open(runtime), {
  'run: output, errors and exit status': async (containerd) => {
    const { code, stdout, stderr } = await containerd.run('one', 'echo out; echo err >&2; exit 7', ['--rm']);
    assert.deepEqual([code, stdout, stderr.includes('err')], [7, 'out\n', true]);
  },
  'run: environment, directory, user, limits, mounts': async (containerd) => {
    const flags = [
      '--rm',
      '--env',
      'A=b',
      '--cwd',
      '/home',
      '--user',
      '1000:50',
      '--memory-limit',
      '67108864',
    ];
    const mount = ['--mount', 'type=bind,src=/etc,dst=/mnt,options=rbind:ro', '--read-only'];
    const script = `echo "$A|$PWD|$(id -u):$(id -g)"; test -f /mnt/debian_version && echo mounted
      touch /mnt/x /x 2>&1 | wc -l; grep memory /proc/self/cgroup`;
    const said = succeeded(await containerd.run('two', script, [...flags, ...mount]));
    assert.match(said, /^b\|\/home\|1000:50\nmounted\n2\n\d+:memory:\/(?:default\/two)?$/);
  },
  'run --tty': async (containerd) => {
    const args = ['run', '--rm', '--tty', '--runc-binary', containerd.room.program, IMAGE, 'three'];
    const command = containerd.commandLine([...args, 'sh', '-c', 'tty; stty size; exit 3']);
    const { code, stdout } = await containerd.room.run(inTerminal(command));
    assert.equal(code, 3, stdout);
    assert.match(shown(stdout), /\/dev\/(?:pts\/0|console)\n/);
  },
  'run: no such program': async (containerd) => {
    const args = ['run', '--rm', '--runc-binary', containerd.room.program, IMAGE, 'four', 'nonesuch'];
    const { code, stderr } = await containerd.call(args);
    assert.equal(code, 1);
    assert.match(stderr, /executable file not found in \$PATH/);
    assert.match(await containerd.output(['task', 'list']), /^TASK +PID +STATUS *$/);
  },
  'task: list, exec, ps, metrics': (containerd) =>
    withTask(containerd, 'five', 'sleep 1000', async () => {
      assert.equal(await status(containerd, 'five'), 'RUNNING');
      const exec = ['task', 'exec', '--exec-id', 'first', 'five', 'sh', '-c', 'echo in; exit 9'];
      const { code, stdout } = await containerd.call(exec);
      assert.deepEqual([code, stdout], [9, 'in\n']);
      assert.equal((await containerd.output(['task', 'ps', 'five'])).split('\n').length, 2);
      assert.match(await containerd.output(['task', 'metrics', 'five']), /memory\.usage_in_bytes +[1-9]/);
    }),
  'task: exec --tty, exec as a user in a directory': (containerd) =>
    withTask(containerd, 'six', 'sleep 1000', async () => {
      const flags = ['task', 'exec', '--tty', '--exec-id', 'a', '--cwd', '/home', '--user', '1000', 'six'];
      const command = containerd.commandLine([...flags, 'sh', '-c', 'tty; pwd; id -u']);
      const { code, stdout } = await containerd.room.run(inTerminal(command));
      assert.equal(code, 0, stdout);
      assert.match(shown(stdout), /\/dev\/pts\/\d+\n\/home\n1000\n/);
    }),
  'task: pause and resume': (containerd) =>
    withTask(containerd, 'seven', 'sleep 1000', async () => {
      await containerd.output(['task', 'pause', 'seven']);
      assert.equal(await status(containerd, 'seven'), 'PAUSED');
      await containerd.output(['task', 'resume', 'seven']);
      assert.equal(await status(containerd, 'seven'), 'RUNNING');
    }),
  'task: kill, and the state afterwards': (containerd) =>
    withTask(containerd, 'eight', 'trap "exit 5" TERM; while :; do sleep 0.05; done', async () => {
      await containerd.output(['task', 'kill', '--signal', 'SIGTERM', 'eight']);
      await until('the end', async () => (await status(containerd, 'eight')) === 'STOPPED');
      assert.match(
        (await containerd.call(['task', 'kill', 'eight'])).stderr,
        /process already finished|not found/,
      );
    }),
  'task: kill --all': (containerd) =>
    withTask(containerd, 'nine', 'sleep 2222 & sleep 2222', async () => {
      await containerd.output(['task', 'kill', '--all', '--signal', 'SIGKILL', 'nine']);
      await until('the end', async () => (await status(containerd, 'nine')) === 'STOPPED');
      assert.equal((await containerd.room.run(['pgrep', '-f', '^sleep 2222'])).stdout, '');
    }),
  'the same id again, two at once, nothing left': async (containerd) => {
    for (const round of ['first', 'second'])
      assert.equal(succeeded(await containerd.run('ten', `echo ${round}`, ['--rm'])), round);
    const ids = Array.from({ length: 8 }, (_, number) => `many-${number}`);
    const said = await Promise.all(ids.map((id) => containerd.run(id, `echo ${id}`, ['--rm'])));
    assert.deepEqual(
      said.map((result) => succeeded(result)),
      ids,
    );
    const find = `find /sys/fs/cgroup -type d -path '*/default/?*'; ls /run/containerd/runc/default; pgrep sleep; true`;
    await until('nothing', async () => (await containerd.room.output(['sh', '-c', find])) === '');
  },
});
