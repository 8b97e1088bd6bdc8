// podman: rarer flags that reach the runtime: hooks, notifications, descriptors, a directory as root, cgroup modes.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { IMAGE } from './image.ts';
import { type Cases, longMatrix } from './matrix.ts';
import { Podman } from './podman.ts';
import { until } from './sleep.ts';

const CASES: Cases<Podman> = {
  'hooks of the engine': async (podman) => {
    const directory = `${podman.room.directory}/hooks`;
    mkdirSync(directory);
    const stages = [
      'prestart',
      'createRuntime',
      'createContainer',
      'startContainer',
      'poststart',
      'poststop',
    ];
    const outside = stages.filter((stage) => stage !== 'startContainer');
    for (const stage of outside) {
      const hook = { path: '/bin/sh', args: ['sh', '-c', `cat > /srv/work/hook-${stage}-${podman.user}`] };
      const file = { version: '1.0.0', hook, when: { always: true }, stages: [stage] };
      writeFileSync(`${directory}/${stage}.json`, JSON.stringify(file));
    }
    const flags = ['--hooks-dir', directory, 'run', '--rm', '--network', 'none', IMAGE, 'true'];
    await podman.output(flags);
    for (const stage of outside) {
      const text = await podman.room.output(['cat', `/srv/work/hook-${stage}-${podman.user}`]);
      const state = JSON.parse(text) as { status: string; id: string; pid?: number };
      assert.match(state.id, /^[0-9a-f]{64}$/, stage);
      assert.equal((state.pid ?? 0) > 0, stage !== 'poststop', `${stage}: ${text}`);
    }
  },
  'sdnotify: readiness reaches the caller, the socket the container': async (podman) => {
    const socket = `/srv/work/notify-${podman.user}`;
    const receive = `socket(S, AF_UNIX, SOCK_DGRAM, 0); bind(S, pack_sockaddr_un($ARGV[0])) or die;
      chmod 0777, $ARGV[0]; $| = 1; while (defined recv(S, $text, 1000, 0)) { print $text }`;
    const listener = podman.room.start(['perl', '-MSocket', '-e', receive, socket]);
    await until('the socket', async () => (await podman.room.run(['test', '-S', socket])).code === 0);
    const run = ['run', '--rm', '--network', 'none', '--sdnotify'];
    const env = { NOTIFY_SOCKET: socket };
    await podman.output([...run, 'conmon', IMAGE, 'sleep', '0.3'], { env });
    await until('READY=1', () => listener.output().includes('READY=1'));
    await podman.output([...run, 'container', IMAGE, 'sh', '-c', 'test -S "$NOTIFY_SOCKET"'], { env });
    await podman.room.stop(listener);
  },
  'preserve-fds: descriptors of the caller': async (podman) => {
    const words = podman.commandLine(['run', '--rm', '--preserve-fds', '2', '--network', 'none', IMAGE]);
    const script = 'exec 3< /etc/hostname 4< /etc/hosts; exec "$@" sh -c "cat <&4 | head -n 1"';
    const { code, stdout, stderr } = await podman.asUser(['sh', '-c', script, 'sh', ...words]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /localhost/);
  },
  'a directory as root': async (podman) => {
    const directory = `${podman.room.directory}/root-${podman.user}`;
    const make = `mkdir -p ${directory}/bin && cp /bin/busybox ${directory}/bin/ && ln -s busybox ${directory}/bin/sh && chmod -R a+rX ${directory} && chown -R ${podman.user} ${directory}`;
    await podman.room.output(['sh', '-c', make]);
    const args = ['run', '--rm', '--network', 'none', '--rootfs', directory, '/bin/sh', '-c', 'echo inside'];
    assert.equal(await podman.output(args), 'inside');
  },
  'attach and a detached terminal': (podman) =>
    podman.withContainer(['-t'], 'while :; do echo tick; sleep 0.1; done', async (id) => {
      const attached = podman.start(['attach', '--sig-proxy=false', id], { seconds: 30 });
      await until('a tick', () => attached.output().includes('tick'));
      await podman.output(['kill', id]);
      await attached.ended;
    }),
  'cgroups disabled, seccomp and masks off': async (podman) => {
    const flags = ['--security-opt', 'seccomp=unconfined', '--security-opt', 'unmask=ALL'];
    const script = 'grep Seccomp: /proc/self/status | cut -f 2; grep -c " /proc/" /proc/self/mountinfo; true';
    assert.equal(await podman.said(flags, script), '0\n0');
  },
  'a user namespace that podman chooses': async (podman) => {
    const flags = podman.user === 'root' ? ['--userns', 'nomap'] : ['--userns', 'nomap'];
    const { code, stdout } = await podman.run(flags, 'cat /proc/self/uid_map');
    if (podman.user === 'root') assert.notEqual(code, 0);
    else assert.match(stdout, /^ *0 +1 +\d+/);
  },
  'kube play': async (podman) => {
    const file = `${podman.room.directory}/pod-${podman.user}.json`;
    const container = { name: 'one', image: IMAGE, command: ['sh', '-c', 'echo played; sleep 1000'] };
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'played' },
      spec: { hostNetwork: true, containers: [{ ...container, imagePullPolicy: 'Never' }] },
    };
    writeFileSync(file, JSON.stringify(pod));
    await podman.output(['kube', 'play', '--no-hosts', file]);
    await until('its log', async () => (await podman.output(['logs', 'played-one'])) === 'played');
    await podman.output(['kube', 'down', '--force', file]);
  },
  'ten at once': async (podman) => {
    const numbers = Array.from({ length: 10 }, (_, number) => String(number));
    assert.deepEqual(await Promise.all(numbers.map((each) => podman.said([], `echo ${each}`))), numbers);
  },
};

longMatrix('podman as root', (runtime) => Podman.open(runtime, 'root'), CASES);
longMatrix('podman as an ordinary user', (runtime) => Podman.open(runtime, 'dweller'), CASES);
