// dockerd itself: its end and return while containers run, another executable in the runtime's place, user namespaces.

import assert from 'node:assert/strict';
import { copyFileSync, renameSync } from 'node:fs';
import { Docker } from './docker.ts';
import { IMAGE } from './image.ts';
import { matrix } from './matrix.ts';
import { until } from './sleep.ts';
import { inTerminal, shown } from './terminal.ts';

const TICK = 'n=0; trap "exit 12" TERM; while :; do n=$((n+1)); echo $n; sleep 0.05; done';

async function lastTick(docker: Docker, id: string): Promise<number> {
  return Number(await docker.output(['logs', '--tail', '1', id]));
}

/** Ends and starts dockerd under a container and uses the container afterwards. */
async function restarted(docker: Docker, signal: string): Promise<void> {
  const id = await docker.detached(['--health-cmd', 'true', '--health-interval', '300ms'], TICK);
  await until('a tick', async () => (await lastTick(docker, id)) > 0);
  const before = await docker.inspect(id, '{{.State.Pid}} {{.State.StartedAt}}');
  await docker.stop(signal);
  await docker.start();
  assert.equal(await docker.inspect(id, '{{.State.Status}}'), 'running');
  assert.equal(await docker.inspect(id, '{{.State.Pid}} {{.State.StartedAt}}'), before);
  const tick = await lastTick(docker, id);
  await until('further ticks', async () => (await lastTick(docker, id)) > tick);
  assert.equal(await docker.output(['exec', id, 'echo', 'hello']), 'hello');
  await docker.output(['stop', id]);
  assert.equal(await docker.inspect(id, '{{.State.ExitCode}}'), '12');
  await docker.remove(id);
}

matrix('docker --live-restore', (runtime) => Docker.open(runtime, ['--live-restore']), {
  'a restart of dockerd': (docker) => restarted(docker, 'TERM'),
  'dockerd is killed and comes back': (docker) => restarted(docker, 'KILL'),
  'a container that ended meanwhile': async (docker) => {
    const id = await docker.detached([], 'sleep 1; exit 21');
    await docker.stop();
    await docker.room.run(['sleep', '1.5']);
    await docker.start();
    await until('its end', async () => {
      return (await docker.inspect(id, '{{.State.Status}} {{.State.ExitCode}}')) === 'exited 21';
    });
    await docker.remove(id);
  },
  'the runtime is replaced while a container runs': async (docker) => {
    const { program } = docker.room;
    const id = await docker.detached([], TICK);
    copyFileSync(program, `${program}.new`);
    renameSync(`${program}.new`, program);
    assert.equal(await docker.output(['exec', id, 'echo', 'hello']), 'hello');
    await docker.output(['pause', id]);
    await docker.output(['unpause', id]);
    await docker.output(['stop', id]);
    assert.equal(await docker.inspect(id, '{{.State.ExitCode}}'), '12');
    await docker.remove(id);
  },
});

matrix('docker without live-restore', (runtime) => Docker.open(runtime), {
  'a restart of dockerd ends containers and starts those that are to run always': async (docker) => {
    const once = await docker.detached([], 'sleep 1000');
    const always = await docker.detached(['--restart', 'always'], TICK);
    const pid = await docker.inspect(always, '{{.State.Pid}}');
    await docker.output(['kill', once]);
    await docker.stop();
    await docker.start();
    await until('the second run', async () => {
      return (await docker.inspect(always, '{{.State.Status}}')) === 'running';
    });
    assert.notEqual(await docker.inspect(always, '{{.State.Pid}}'), pid);
    assert.equal(await docker.inspect(once, '{{.State.Status}} {{.State.ExitCode}}'), 'exited 137');
    await docker.remove(once);
    await docker.remove(always);
  },
});

matrix('docker --userns-remap', (runtime) => Docker.open(runtime, ['--userns-remap', 'dockremap']), {
  'run: ids are mapped, inside and outside': async (docker) => {
    const id = await docker.detached(['--tmpfs', '/scratch', '-v', 'data:/data']);
    const script =
      'id -u; cat /proc/self/uid_map; touch /data/x /scratch/x; stat -c %u:%g /data/x /etc/passwd';
    const [uid, map, ...owners] = (await docker.output(['exec', id, 'sh', '-c', script])).split('\n');
    assert.deepEqual([uid, map?.trim().split(/ +/)], ['0', ['0', '400000', '65536']]);
    assert.deepEqual(owners, ['0:0', '0:0']);
    const pid = await docker.inspect(id, '{{.State.Pid}}');
    assert.equal(await docker.room.output(['stat', '-c', '%u:%g', `/proc/${pid}`]), '400000:400000');
    await docker.remove(id);
  },
  'run -it, exec -it': async (docker) => {
    const env = { DOCKER_HOST: 'unix:///run/docker.sock' };
    const run = [
      'docker',
      'run',
      '--rm',
      '-it',
      '--network',
      'none',
      IMAGE,
      'sh',
      '-c',
      'tty; echo x > $(tty)',
    ];
    const ran = await docker.room.run(inTerminal(run), { env });
    assert.equal(ran.code, 0, ran.stdout);
    const id = await docker.detached([]);
    const exec = ['docker', 'exec', '-it', '-u', 'alice', id, 'sh', '-c', 'id -u; tty'];
    const said = await docker.room.run(inTerminal(exec), { env });
    assert.equal(said.code, 0, said.stdout);
    assert.match(shown(said.stdout), /1000\n\/dev\/pts\/\d+/);
    await docker.remove(id);
  },
  'a bridge network with a published port': async (docker) => {
    const script = 'mkdir /www; echo served > /www/index.html; exec httpd -f -p 80 -h /www';
    const id = await docker.detached(['--network', 'bridge', '--publish', '127.0.0.1:8080:80'], script);
    const get = ['busybox', 'wget', '-q', '-O', '-', 'http://127.0.0.1:8080/'];
    await until('an answer', async () => (await docker.room.run(get)).stdout === 'served\n');
    await docker.remove(id);
  },
  'build, stop, pause, cp': async (docker) => {
    const id = await docker.detached([], TICK);
    await docker.output(['pause', id]);
    await docker.output(['unpause', id]);
    await docker.room.output(['sh', '-c', 'echo content > /tmp/file']);
    await docker.output(['cp', '/tmp/file', `${id}:/root/file`]);
    assert.equal(await docker.output(['exec', id, 'cat', '/root/file']), 'content');
    await docker.output(['stop', id]);
    assert.equal(await docker.inspect(id, '{{.State.ExitCode}}'), '12');
    await docker.remove(id);
  },
  'run --privileged takes the user namespace of the host': async (docker) => {
    const { stdout, stderr } = await docker.run(
      ['--privileged', '--userns', 'host'],
      'cat /proc/self/uid_map',
    );
    assert.match(stdout, /^ *0 +0 +4294967295\n/, stderr);
  },
});
