// containerd's CRI plugin, spoken to as a kubelet does: sandboxes, containers, exec, logs, limits, stop, remove.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import {
  environment,
  Kubelet,
  NAMESPACE,
  namespaces,
  type Sandbox,
  type SandboxOptions,
  STATE,
} from './cri.ts';
import { Terminal } from './cri-stream.ts';
import { matrix } from './matrix.ts';
import type { Message } from './protobuf.ts';
import { until } from './sleep.ts';

async function withSandbox(
  kubelet: Kubelet,
  options: SandboxOptions,
  work: (sandbox: Sandbox) => Promise<void>,
): Promise<void> {
  const sandbox = await kubelet.runSandbox(options);
  try {
    await work(sandbox);
  } finally {
    await kubelet.removeSandbox(sandbox);
  }
}

async function ended(kubelet: Kubelet, id: string): Promise<number> {
  await until('the end of the container', async () => (await kubelet.status(id)).number(3) === STATE.exited);
  return (await kubelet.status(id)).number(7);
}

/** The lines of the container's log: stream and text. */
async function logged(kubelet: Kubelet, id: string): Promise<string[]> {
  const path = (await kubelet.status(id)).text(15);
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^\S+ (\S+) F /, '$1 '));
}

async function output(kubelet: Kubelet, id: string, script: string): Promise<string> {
  const { code, stdout, stderr } = await kubelet.exec(id, script);
  assert.equal(code, 0, stderr + stdout);
  return stdout.trimEnd();
}

/** A pod with a user namespace: 65536 ids from 500000 on. */
const MAPPING: Message = [
  [1, 500000],
  [2, 0],
  [3, 65536],
];

matrix('CRI', (runtime) => Kubelet.open(runtime), {
  'sandbox: ready, with an address': (kubelet) =>
    withSandbox(kubelet, {}, async ({ id }) => {
      const status = (await kubelet.call('PodSandboxStatus', [[1, id]])).message(1);
      assert.equal(status.number(3), 0);
      assert.match(status.message(5).text(1), /^10\.88\.0\.\d+$/);
    }),
  'container: created, runs, ends, is removed': (kubelet) =>
    withSandbox(kubelet, {}, async (sandbox) => {
      const id = await kubelet.createContainer(sandbox, 'echo out; echo err >&2; exit 4');
      assert.equal((await kubelet.status(id)).number(3), STATE.created);
      await kubelet.call('StartContainer', [[1, id]]);
      assert.equal(await ended(kubelet, id), 4);
      assert.deepEqual((await logged(kubelet, id)).sort(), ['stderr err', 'stdout out']);
      await kubelet.call('RemoveContainer', [[1, id]]);
      await assert.rejects(kubelet.status(id), /not found/);
    }),
  'container: a program that is not there': (kubelet) =>
    withSandbox(kubelet, {}, async (sandbox) => {
      const id = await kubelet.createContainer(sandbox, '', { command: ['nonesuch'] });
      const start = kubelet.call('StartContainer', [[1, id]]);
      await assert.rejects(start, /executable file not found in \$PATH/);
      assert.equal((await kubelet.status(id)).number(7), 128);
    }),
  'container: environment, user, groups, directory, capabilities': (kubelet) =>
    withSandbox(kubelet, {}, async (sandbox) => {
      const capabilities: Message = [
        [1, 'SYS_TIME'],
        [2, 'KILL'],
      ];
      const id = await kubelet.startContainer(sandbox, 'sleep 1000', {
        fields: [[5, '/home'], ...environment({ A: 'b c' })],
        security: [
          [5, [[1, 1000]]],
          [12, [[1, 50]]],
          [8, 4242],
          [7, true],
          [11, true],
          [1, capabilities],
        ],
      });
      const script = 'echo "$A|$FROM_IMAGE|$PWD|$(id -u) $(id -g)|$(id -G)"';
      assert.equal(await output(kubelet, id, script), 'b c|yes|/home|1000 50|50 63 4242');
      const status = await output(
        kubelet,
        id,
        'grep -E "^(CapBnd|NoNewPrivs|Seccomp):" /proc/1/status | cut -f 2',
      );
      assert.equal(status, '00000000aa0425db\n1\n2');
      assert.notEqual((await kubelet.exec(id, 'touch /x')).code, 0);
    }),
  'exec: output, errors, status, a time limit': (kubelet) =>
    withSandbox(kubelet, {}, async (sandbox) => {
      const id = await kubelet.startContainer(sandbox, 'sleep 1000');
      const result = await kubelet.exec(id, 'echo out; echo err >&2; exit 6');
      assert.deepEqual(result, { code: 6, stdout: 'out\n', stderr: 'err\n' });
      await assert.rejects(kubelet.exec(id, 'sleep 100', 1), /timeout|deadline/i);
      assert.equal(await output(kubelet, id, 'ps | grep -c "sleep 100$"; true'), '0');
    }),
  'exec: a terminal, typed commands, a change of its size': (kubelet) =>
    withSandbox(kubelet, {}, async (sandbox) => {
      const id = await kubelet.startContainer(sandbox, 'sleep 1000');
      const request: Message = [
        [1, id],
        [2, 'sh'],
        [3, true],
        [4, true],
        [5, true],
      ];
      const terminal = await Terminal.open(kubelet, (await kubelet.call('Exec', request)).text(1));
      terminal.resize(99, 33);
      terminal.type('tty; sleep 0.3; stty size\n');
      await until('the size', () => /\/dev\/pts\/\d+\r\n[\s\S]*33 99\r\n/.test(terminal.output));
      terminal.type('exit 5\n');
      await until('the status', () => terminal.status !== '');
      assert.match(terminal.status, /"reason":"NonZeroExitCode".*"message":"5"/);
      terminal.close();
    }),
  'attach: a terminal of a container': (kubelet) =>
    withSandbox(kubelet, {}, async (sandbox) => {
      const fields: Message = [
        [12, true],
        [14, true],
      ];
      const id = await kubelet.startContainer(sandbox, '', { command: ['sh'], fields });
      const request: Message = [
        [1, id],
        [2, true],
        [3, true],
        [4, true],
      ];
      const terminal = await Terminal.open(kubelet, (await kubelet.call('Attach', request)).text(1));
      terminal.type('echo $((6 * 7))\n');
      await until('the answer', () => terminal.output.includes('\r\n42\r\n'));
      terminal.type('exit 6\n');
      assert.equal(await ended(kubelet, id), 6);
      terminal.close();
    }),
  'logs: a terminal, and a log that is opened again': (kubelet) =>
    withSandbox(kubelet, {}, async (sandbox) => {
      const id = await kubelet.startContainer(sandbox, 'tty; while :; do echo tick; sleep 0.1; done', {
        fields: [[14, true]],
      });
      await until('a tick', async () => (await logged(kubelet, id)).includes('stdout tick'));
      assert.match((await logged(kubelet, id))[0] ?? '', /^stdout \/dev\/(?:pts\/0|console)/);
      await kubelet.room.output(['rm', (await kubelet.status(id)).text(15)]);
      await kubelet.call('ReopenContainerLog', [[1, id]]);
      await until('a tick again', async () => (await logged(kubelet, id)).includes('stdout tick'));
    }),
  'limits, and their update': (kubelet) =>
    withSandbox(kubelet, {}, async (sandbox) => {
      const limits: Message = [
        [1, 100000],
        [2, 50000],
        [3, 300],
        [4, 96 * 2 ** 20],
        [5, 900],
      ];
      const id = await kubelet.startContainer(sandbox, 'sleep 1000', { resources: limits });
      const script = `cd /sys/fs/cgroup; cat cpu/cpu.cfs_quota_us cpu/cpu.shares memory/memory.limit_in_bytes
        cat /proc/1/oom_score_adj`;
      assert.equal(await output(kubelet, id, script), `50000\n300\n${96 * 2 ** 20}\n900`);
      const changed: Message = [
        [1, 100000],
        [2, 70000],
        [3, 400],
        [4, 128 * 2 ** 20],
      ];
      await kubelet.call('UpdateContainerResources', [
        [1, id],
        [2, changed],
      ]);
      assert.equal(await output(kubelet, id, script), `70000\n400\n${128 * 2 ** 20}\n900`);
      const stats = (await kubelet.call('ContainerStats', [[1, id]])).message(1);
      assert.ok(stats.message(2).message(2).number(1) > 0);
      assert.ok(stats.message(3).message(2).number(1) > 0);
    }),
  'out of memory is told': (kubelet) =>
    withSandbox(kubelet, {}, async (sandbox) => {
      const id = await kubelet.startContainer(sandbox, 'tail /dev/zero', {
        resources: [
          [4, 16 * 2 ** 20],
          [10, 16 * 2 ** 20],
        ],
      });
      assert.equal(await ended(kubelet, id), 137);
      await until('the reason', async () => (await kubelet.status(id)).text(10) === 'OOMKilled');
    }),
  'two containers share the network and, if wanted, the processes': (kubelet) =>
    withSandbox(kubelet, { security: [[1, namespaces({ pid: NAMESPACE.pod })]] }, async (sandbox) => {
      const security: Message = [[3, namespaces({ pid: NAMESPACE.pod })]];
      const server = 'mkdir /www; echo served > /www/index.html; exec httpd -f -p 80 -h /www';
      await kubelet.startContainer(sandbox, server, { security });
      const id = await kubelet.startContainer(sandbox, 'sleep 1000', { security });
      const fetch = 'until wget -q -O - http://127.0.0.1/; do sleep 0.1; done';
      assert.equal(await output(kubelet, id, fetch), 'served');
      assert.match(await output(kubelet, id, 'ps'), /httpd -f/);
    }),
  'mounts: read-only, and recursively so': (kubelet) =>
    withSandbox(kubelet, {}, async (sandbox) => {
      await kubelet.room.output(['sh', '-c', 'mkdir -p /srv/a/sub; mount -t tmpfs tmpfs /srv/a/sub']);
      const mount = (path: string, ...more: Message): readonly [number, Message] => [
        7,
        [[1, path], [2, '/srv/a'], ...more],
      ];
      const fixed = mount('/fixed', [3, true]);
      const deep = mount('/deep', [3, true], [8, true]);
      const id = await kubelet.startContainer(sandbox, 'sleep 1000', {
        fields: [mount('/open'), fixed, deep],
      });
      const script = `for each in open fixed fixed/sub deep deep/sub; do
        (: > /$each/x) 2>/dev/null && echo $each; done; true`;
      assert.equal(await output(kubelet, id, script), 'open\nfixed/sub');
      await kubelet.call('StopContainer', [[1, id]]);
      await kubelet.room.output(['umount', '/srv/a/sub']);
    }),
  'stop: SIGTERM, then SIGKILL': (kubelet) =>
    withSandbox(kubelet, {}, async (sandbox) => {
      const trap = (action: string) => `trap "${action}" TERM; echo ready; while :; do sleep 0.05; done`;
      const polite = await kubelet.startContainer(sandbox, trap('exit 11'));
      const deaf = await kubelet.startContainer(sandbox, trap(''));
      for (const id of [polite, deaf])
        await until('the trap', async () => (await logged(kubelet, id)).includes('stdout ready'));
      for (const id of [polite, deaf])
        await kubelet.call('StopContainer', [
          [1, id],
          [2, 1],
        ]);
      assert.deepEqual([await ended(kubelet, polite), await ended(kubelet, deaf)], [11, 137]);
    }),
  'privileged, on the network of the host': (kubelet) => {
    const security: Message = [
      [6, true],
      [1, namespaces({ network: NAMESPACE.node, pid: NAMESPACE.node, ipc: NAMESPACE.node })],
    ];
    return withSandbox(kubelet, { security, fields: [[2, '']] }, async (sandbox) => {
      const id = await kubelet.startContainer(sandbox, 'sleep 1000', {
        security: [
          [2, true],
          [3, namespaces({ network: NAMESPACE.node, pid: NAMESPACE.node, ipc: NAMESPACE.node })],
        ],
      });
      const own = await kubelet.room.output(['sh', '-c', 'readlink /proc/self/ns/net /proc/self/ns/pid']);
      assert.equal(await output(kubelet, id, 'readlink /proc/self/ns/net; readlink /proc/self/ns/pid'), own);
      const bounding = (await kubelet.room.output(['grep', 'CapBnd', '/proc/self/status'])).split('\t')[1];
      assert.equal((await output(kubelet, id, 'grep CapEff /proc/self/status')).split('\t')[1], bounding);
    });
  },
  'a pod with a user namespace': (kubelet) => {
    const user: Message = [
      [1, 0],
      [2, MAPPING],
      [3, MAPPING],
    ];
    const options: Message = [...namespaces({ pid: NAMESPACE.container }), [5, user]];
    return withSandbox(kubelet, { security: [[1, options]] }, async (sandbox) => {
      const id = await kubelet.startContainer(sandbox, 'sleep 1000', { security: [[3, options]] });
      const script = 'cat /proc/self/uid_map; touch /x; stat -c %u /x /etc/passwd';
      assert.match(await output(kubelet, id, script), /^ *0 +500000 +65536\n0\n0$/);
    });
  },
  'a sandbox whose process is killed is not ready': async (kubelet) => {
    const sandbox = await kubelet.runSandbox();
    const request: Message = [
      [1, sandbox.id],
      [2, true],
    ];
    const info = (await kubelet.call('PodSandboxStatus', request)).message(2);
    const { pid } = JSON.parse(info.text(2)) as { pid: number };
    await kubelet.room.output(['kill', '-KILL', String(pid)]);
    await until('its state', async () => {
      return (await kubelet.call('PodSandboxStatus', [[1, sandbox.id]])).message(1).number(3) === 1;
    });
    await kubelet.removeSandbox(sandbox);
  },
  'the end of everything leaves nothing behind': async (kubelet) => {
    const find = `find /sys/fs/cgroup -type d -path '*/pods/pod-*/?*'; ls /run/containerd/runc/k8s.io; pgrep sleep; true`;
    const sandbox = await kubelet.runSandbox();
    await kubelet.startContainer(sandbox, 'sleep 1000');
    assert.notEqual(await kubelet.room.output(['sh', '-c', find]), '');
    await kubelet.removeSandbox(sandbox);
    await until('nothing', async () => (await kubelet.room.output(['sh', '-c', find])) === '');
  },
});
