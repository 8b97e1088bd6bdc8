// docker: rarer flags, many containers at once, a swarm, and cgroups of version 2 alone.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { Docker } from './docker.ts';
import { IMAGE } from './image.ts';
import { longMatrix } from './matrix.ts';
import { succeeded } from './room.ts';
import { until } from './sleep.ts';

async function output(docker: Docker, flags: readonly string[], script: string): Promise<string> {
  return succeeded(await docker.run(flags, script), ['docker', 'run', ...flags]);
}

/** Sends what is mounted at /srv of the room on to others. */
async function makeShared(docker: Docker): Promise<void> {
  const script = 'mkdir -p /srv/shared; mount -t tmpfs tmpfs /srv/shared; mount --make-rshared /srv/shared';
  await docker.room.output(['sh', '-c', script]);
}

longMatrix('docker', (runtime) => Docker.open(runtime), {
  'run: a seccomp profile of its own': async (docker) => {
    const file = `${docker.room.directory}/profile.json`;
    const refused = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 };
    const personality = {
      names: ['personality'],
      action: 'SCMP_ACT_ERRNO',
      args: [{ index: 0, value: 8, op: 'SCMP_CMP_EQ' }],
    };
    writeFileSync(
      file,
      JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [refused, personality] }),
    );
    const { code, stderr } = await docker.run(['--security-opt', `seccomp=${file}`], 'mkdir /x');
    assert.equal(code, 1);
    assert.match(stderr, /No space left on device/);
  },
  'run: nothing masked': async (docker) => {
    const script =
      '(: > /proc/sys/kernel/domainname) && echo writable; grep -c " /proc/" /proc/self/mountinfo';
    const flags = ['--security-opt', 'systempaths=unconfined', '--security-opt', 'seccomp=unconfined'];
    assert.match((await docker.run([...flags, '--cap-add', 'SYS_ADMIN'], script)).stdout, /^writable\n0$/m);
  },
  'run: propagation of mounts, in and out': async (docker) => {
    await makeShared(docker);
    const bind = 'type=bind,source=/srv/shared,target=/shared,bind-propagation=rshared';
    const id = await docker.detached(['--privileged', '--mount', bind]);
    const inside = 'mkdir /shared/in && mount -t tmpfs tmpfs /shared/in && touch /shared/in/x';
    await docker.output(['exec', id, 'sh', '-c', inside]);
    assert.equal(await docker.room.output(['ls', '/srv/shared/in']), 'x');
    const outside =
      'mkdir /srv/shared/out && mount -t tmpfs tmpfs /srv/shared/out && touch /srv/shared/out/y';
    await docker.room.output(['sh', '-c', outside]);
    assert.equal(await docker.output(['exec', id, 'ls', '/shared/out']), 'y');
    await docker.room.output(['umount', '/srv/shared/out', '/srv/shared/in']);
    await docker.remove(id);
    await docker.room.output(['umount', '/srv/shared']);
  },
  'run: a read-only bind, recursively or not': async (docker) => {
    const setUp = 'mkdir -p /srv/deep/sub && mount -t tmpfs tmpfs /srv/deep/sub';
    await docker.room.output(['sh', '-c', setUp]);
    const mount = (more: string) => ['--mount', `type=bind,source=/srv/deep,target=/deep,readonly${more}`];
    const script = '(: > /deep/x) 2>/dev/null && echo top; (: > /deep/sub/x) 2>/dev/null && echo sub; true';
    assert.equal(await output(docker, mount(',bind-recursive=writable'), script), 'sub');
    assert.equal(
      await output(docker, mount(',bind-recursive=readonly,bind-propagation=rprivate'), script),
      '',
    );
    assert.equal(await output(docker, mount(',bind-recursive=disabled'), script), '');
    await docker.room.output(['umount', '/srv/deep/sub']);
  },
  'run: privileged with devices that are bound as well': async (docker) => {
    const flags = ['--privileged', '-v', '/dev/fuse:/dev/fuse', '-v', '/dev/net:/dev/net'];
    assert.equal(
      await output(docker, flags, 'test -c /dev/fuse && test -c /dev/net/tun && echo both'),
      'both',
    );
  },
  'run: the namespaces of the host': async (docker) => {
    const flags = '--ipc host --pid host --uts host --cgroupns host --network host'.split(' ');
    const script = 'for each in ipc pid uts cgroup net; do readlink /proc/self/ns/$each; done';
    const said = await docker.output(['run', '--rm', ...flags, IMAGE, 'sh', '-c', script]);
    assert.equal(said, await docker.room.output(['sh', '-c', script]));
  },
  'run: block devices, swappiness, reservation, parent': async (docker) => {
    const device = await docker.room.output([
      'sh',
      '-c',
      'for each in /dev/vda /dev/sda; do test -b $each && echo $each && break; done',
    ]);
    const flags = `--memory 64m --memory-reservation 32m --memory-swappiness 10 --cgroup-parent /above
      --device-read-bps ${device}:1mb --device-write-iops ${device}:77`.split(/\s+/);
    const script = `cd /sys/fs/cgroup; cat memory/memory.soft_limit_in_bytes memory/memory.swappiness
      cut -d ' ' -f 2 blkio/blkio.throttle.read_bps_device blkio/blkio.throttle.write_iops_device
      sed -n s/.*:pids://p /proc/self/cgroup`;
    const said = await output(docker, [...flags, '--cgroupns', 'host'], script);
    assert.match(said, /^33554432\n10\n1048576\n77\n\/above\/[0-9a-f]{64}$/);
  },
  'run: the stop signal of the image and of the command': async (docker) => {
    const id = await docker.detached(
      ['--stop-signal', 'USR2'],
      'trap "exit 22" USR2; echo ready; while :; do sleep 0.05; done',
    );
    await until('the trap', async () => (await docker.output(['logs', id])) === 'ready');
    await docker.output(['stop', id]);
    assert.equal(await docker.inspect(id, '{{.State.ExitCode}}'), '22');
    await docker.remove(id);
  },
  'run --rm -d, rename, diff, export': async (docker) => {
    const id = await docker.detached(['--rm', '--name', 'first'], 'touch /new; exec sleep 1000');
    await docker.output(['rename', 'first', 'second']);
    await until('the file', async () => (await docker.output(['diff', 'second'])).includes('A /new'));
    await docker.output(['kill', 'second']);
    await until('its removal', async () => (await docker.call(['inspect', id])).code !== 0);
  },
  'thirty at once': async (docker) => {
    const numbers = Array.from({ length: 30 }, (_, number) => String(number));
    const said = await Promise.all(numbers.map((each) => output(docker, [], `echo ${each}`)));
    assert.deepEqual(said, numbers);
  },
  'exec and kill at once': async (docker) => {
    const id = await docker.detached([]);
    const execs = Array.from({ length: 10 }, () => docker.call(['exec', id, 'sleep', '1000']));
    await docker.output(['kill', id]);
    for (const { code } of await Promise.all(execs)) assert.notEqual(code, 0);
    await docker.remove(id);
  },
  'a service of a swarm': async (docker) => {
    await docker.output(['swarm', 'init', '--advertise-addr', '127.0.0.1', '--listen-addr', '127.0.0.1']);
    const flags = [
      '--detach',
      '--no-resolve-image',
      '--name',
      'ticker',
      '--replicas',
      '2',
      '--network',
      'host',
    ];
    const script = 'while :; do echo tick; sleep 0.1; done';
    await docker.output(['service', 'create', ...flags, IMAGE, 'sh', '-c', script]);
    const running = async () =>
      (await docker.output(['ps', '-q', '--filter', 'name=ticker'])).split('\n').filter(Boolean);
    await until('two tasks', async () => (await running()).length === 2, 40);
    await docker.output(['kill', (await running())[0] ?? '']);
    await until('its replacement', async () => (await running()).length === 2, 40);
    await docker.output(['service', 'scale', '--detach', 'ticker=1']);
    await until('one task', async () => (await running()).length === 1, 40);
    await docker.output(['service', 'rm', 'ticker']);
    await until('none', async () => (await running()).length === 0, 40);
    await docker.output(['swarm', 'leave', '--force']);
  },
});

longMatrix('docker on cgroup v2', (runtime) => Docker.open(runtime, [], true), {
  'run, exec, the own cgroup': async (docker) => {
    const id = await docker.detached([], 'exec sleep 1000');
    const grep = ['grep', '-h', '^0:', '/proc/self/cgroup', '/proc/1/cgroup'];
    assert.equal(await docker.output(['exec', id, ...grep]), '0::/\n0::/');
    assert.match(await docker.output(['exec', id, 'cat', '/sys/fs/cgroup/cgroup.procs']), /^1\n\d+$/);
    await docker.remove(id);
  },
  'pause and unpause': async (docker) => {
    const id = await docker.detached([], 'while :; do echo tick; sleep 0.05; done');
    await docker.output(['pause', id]);
    assert.equal(await docker.inspect(id, '{{.State.Status}}'), 'paused');
    const before = await docker.output(['logs', id]);
    await docker.output(['unpause', id]);
    await until('further ticks', async () => (await docker.output(['logs', id])).length > before.length);
    await docker.remove(id);
  },
  'devices are refused and allowed by a program': async (docker) => {
    const flags = ['--device', '/dev/fuse:/dev/other:r', '--device-cgroup-rule', 'c 1:11 rwm'];
    const script = `(: < /dev/other) && echo opened; (: > /dev/other) 2>/dev/null || echo refused
      mknod /kmsg c 1 11; (: > /kmsg) && echo kmsg; mknod /mem c 1 1; (: < /mem) 2>/dev/null || echo memory`;
    assert.equal(await output(docker, flags, script), 'opened\nrefused\nkmsg\nmemory');
  },
  'privileged: cgroups can be made': async (docker) => {
    const script = 'mkdir /sys/fs/cgroup/below && rmdir /sys/fs/cgroup/below && echo made';
    assert.equal(await output(docker, ['--privileged'], script), 'made');
  },
  'kill ends all, and nothing is left': async (docker) => {
    const id = await docker.detached(['--pid', 'host'], 'sleep 4321 & exec sleep 4321');
    await docker.output(['kill', id]);
    await docker.output(['wait', id]);
    await docker.remove(id);
    const find = `pgrep -f '^sleep 4321'; find /sys/fs/cgroup/docker -mindepth 1 -type d; true`;
    await until('nothing', async () => (await docker.room.output(['sh', '-c', find])) === '');
  },
});
