// What podman must be able to do as root and as an ordinary user alike.

import assert from 'node:assert/strict';
import { IMAGE } from './image.ts';
import type { Cases } from './matrix.ts';
import type { Podman } from './podman.ts';
import { until } from './sleep.ts';
import { inTerminal, shown } from './terminal.ts';

const TRAP =
  'trap "echo got TERM; exit 5" TERM; trap "echo got USR1" USR1; echo ready; while :; do sleep 0.05; done';
const SERVER = 'mkdir /www; echo served > /www/index.html; exec httpd -f -p 80 -h /www';

function printed(podman: Podman, id: string, text: string): Promise<boolean> {
  return until(`"${text}" in the log`, async () => (await podman.output(['logs', id])).includes(text));
}

const RUN: Cases<Podman> = {
  'run: output, errors and exit status': async (podman) => {
    const { code, stdout, stderr } = await podman.run([], 'echo out; echo err >&2; exit 7');
    assert.deepEqual({ code, stdout, stderr }, { code: 7, stdout: 'out\n', stderr: 'err\n' });
    assert.equal((await podman.run(['--init'], 'kill -TERM $$')).code, 143);
  },
  'run: environment, user, groups, directory and host name': async (podman) => {
    const flags = ['-e', 'A=b c', '-u', 'alice:staff', '--group-add', '63', '-w', '/home', '-h', 'inside'];
    const script = 'echo "$A|$FROM_IMAGE|$HOME|$(id -u) $(id -g) $(id -G)|$PWD|$(hostname)"';
    assert.equal(await podman.said(flags, script), 'b c|yes|/home/alice|1000 50 50 63|/home|inside');
  },
  'run -i and run -it': async (podman) => {
    const args = ['run', '--rm', '-i', '--network', 'none', IMAGE, 'tr', 'a-z', 'A-Z'];
    assert.equal(await podman.output(args, { input: 'typed\n' }), 'TYPED');
    const script = 'tty; sleep 0.3; stty size; exit 6';
    const words = podman.commandLine(['run', '--rm', '-it', '--network', 'none', IMAGE, 'sh', '-c', script]);
    const { code, stdout } = await podman.asUser(inTerminal(words));
    assert.equal(code, 6, stdout);
    assert.match(shown(stdout), /\/dev\/(?:pts\/0|console)\n33 111\n/);
  },
  'run: no such program is 127, one that is not executable 126': async (podman) => {
    const missing = await podman.call(['run', '--rm', '--network', 'none', IMAGE, 'nonesuch']);
    assert.equal(missing.code, 127, missing.stderr);
    assert.match(missing.stderr, /executable file .*not found in \$PATH/);
    const plain = await podman.call(['run', '--rm', '--network', 'none', IMAGE, '/etc/passwd']);
    assert.equal(plain.code, 126, plain.stderr);
    assert.match(plain.stderr, /[Pp]ermission denied/);
  },
  'run: volumes, tmpfs, a read-only root': async (podman) => {
    await podman.asUser(['sh', '-c', 'mkdir -p /srv/work/data && echo given > /srv/work/data/file']);
    const flags =
      '--read-only -v /srv/work/data:/data -v /srv/work/data:/fixed:ro -v named:/named --tmpfs /scratch:size=1m';
    const script = `cat /data/file; echo back > /data/back; echo > /named/x; echo > /scratch/x
      (echo > /fixed/x) 2>/dev/null || echo fixed; (echo > /root/x) 2>/dev/null || echo root`;
    assert.equal(await podman.said(flags.split(' '), script), 'given\nfixed\nroot');
    const { stdout } = await podman.asUser(['cat', '/srv/work/data/back']);
    assert.equal(stdout, 'back\n');
  },
  'run: capabilities, no new privileges, seccomp, ulimit': async (podman) => {
    const flags = '--cap-drop ALL --cap-add CHOWN --security-opt no-new-privileges --ulimit nofile=123:456';
    const script =
      'grep -E "^(CapBnd|NoNewPrivs|Seccomp):" /proc/self/status | cut -f 2; ulimit -n; ulimit -H -n';
    assert.equal(await podman.said(flags.split(' '), script), '0000000000000001\n1\n2\n123\n456');
  },
  'run --privileged': async (podman) => {
    const script =
      'mkdir -p /mnt && mount -t tmpfs tmpfs /mnt && echo mounted; grep Seccomp: /proc/self/status';
    assert.equal(await podman.said(['--privileged'], script), 'mounted\nSeccomp:\t0');
  },
};

const EXEC: Cases<Podman> = {
  'exec: output, errors, exit status, user, environment, directory': (podman) =>
    podman.withContainer([], 'sleep 1000', async (id) => {
      const flags = ['-e', 'A=b', '-u', 'alice', '-w', '/home'];
      const script = 'echo "$A|$(id -u)|$PWD"; echo err >&2; exit 8';
      const result = await podman.call(['exec', ...flags, id, 'sh', '-c', script]);
      assert.deepEqual(result, { code: 8, stdout: 'b|1000|/home\n', stderr: 'err\n' });
    }),
  'exec -i, exec -it': (podman) =>
    podman.withContainer([], 'sleep 1000', async (id) => {
      assert.equal(await podman.output(['exec', '-i', id, 'cat'], { input: 'typed\n' }), 'typed');
      const words = podman.commandLine(['exec', '-it', id, 'sh']);
      const { code, stdout } = await podman.asUser(inTerminal(words), {
        input: 'sleep 0.5; stty size; tty; exit 9\n',
      });
      assert.equal(code, 9, stdout);
      assert.match(shown(stdout), /\n33 111\n\/dev\/pts\/\d+\n/);
    }),
  'exec: no such program, exec -d, exec --privileged': (podman) =>
    podman.withContainer([], 'sleep 1000', async (id) => {
      const { code, stderr } = await podman.call(['exec', id, 'nonesuch']);
      assert.equal(code, 127, stderr);
      await podman.output(['exec', '-d', id, 'touch', '/marker']);
      await until(
        'the marker',
        async () => (await podman.call(['exec', id, 'test', '-e', '/marker'])).code === 0,
      );
      const status = ['exec', '--privileged', id, 'grep', 'CapEff', '/proc/self/status'];
      assert.notEqual((await podman.output(status)).split('\t')[1], '00000000800405fb');
    }),
  'logs, top, ps': (podman) =>
    podman.withContainer([], 'echo one; echo two; sleep 1000', async (id) => {
      await printed(podman, id, 'two');
      assert.equal(await podman.output(['logs', '--tail', '1', id]), 'two');
      assert.match(await podman.output(['top', id, 'args']), /sleep 1000/);
      const list = await podman.output(['ps', '--no-trunc', '--format', '{{.ID}} {{.State}}']);
      assert.match(list, new RegExp(`${id} running`));
    }),
  'cp and commit': (podman) =>
    podman.withContainer([], 'sleep 1000', async (id) => {
      await podman.asUser(['sh', '-c', 'echo content > /srv/work/file']);
      await podman.output(['cp', '/srv/work/file', `${id}:/root/file`]);
      assert.equal(await podman.output(['exec', id, 'cat', '/root/file']), 'content');
      await podman.output(['commit', '--quiet', id, 'committed']);
      const args = ['run', '--rm', '--network', 'none', 'committed', 'cat', '/root/file'];
      assert.equal(await podman.output(args), 'content');
    }),
};

const LIFECYCLE: Cases<Podman> = {
  'create, start, stop, start again': async (podman) => {
    const id = await podman.output(['create', '--network', 'none', IMAGE, 'sh', '-c', TRAP]);
    assert.equal(await podman.inspect(id, '{{.State.Status}}'), 'created');
    await podman.output(['start', id]);
    await printed(podman, id, 'ready');
    await podman.output(['stop', id]);
    assert.equal(await podman.inspect(id, '{{.State.Status}} {{.State.ExitCode}}'), 'exited 5');
    await podman.output(['start', id]);
    assert.equal(await podman.inspect(id, '{{.State.Status}}'), 'running');
    await podman.output(['rm', '--force', '--time', '0', id]);
  },
  'stop: SIGKILL when the time is up': (podman) =>
    podman.withContainer([], 'trap "" TERM; echo ready; while :; do sleep 0.05; done', async (id) => {
      await printed(podman, id, 'ready');
      await podman.output(['stop', '--time', '1', id]);
      assert.equal(await podman.inspect(id, '{{.State.ExitCode}}'), '137');
    }),
  'kill: a signal of choice, then SIGKILL': (podman) =>
    podman.withContainer([], TRAP, async (id) => {
      await printed(podman, id, 'ready');
      await podman.output(['kill', '--signal', 'USR1', id]);
      await printed(podman, id, 'got USR1');
      await podman.output(['kill', id]);
      assert.equal(await podman.output(['wait', id]), '137');
    }),
  'restart policy: on-failure twice': (podman) =>
    podman.withContainer(['--restart', 'on-failure:2'], 'echo begin; exit 1', async (id) => {
      await until('three beginnings', async () => {
        return (await podman.output(['logs', id])) === 'begin\nbegin\nbegin';
      });
    }),
  'health check': (podman) =>
    podman.withContainer(
      ['--health-cmd', 'test ! -e /sick', '--health-interval', 'disable', '--health-retries', '1'],
      'sleep 1000',
      async (id) => {
        assert.equal((await podman.call(['healthcheck', 'run', id])).code, 0);
        await podman.output(['exec', id, 'touch', '/sick']);
        assert.equal((await podman.call(['healthcheck', 'run', id])).code, 1);
        assert.equal(await podman.inspect(id, '{{.State.Health.Status}}'), 'unhealthy');
      },
    ),
  'a pod: shared namespaces and an infra container': async (podman) => {
    const pod = await podman.output([
      'pod',
      'create',
      '--infra-image',
      IMAGE,
      '--infra-command',
      'sleep 1000',
      '--network',
      'none',
      '--share',
      'ipc,net,uts,pid',
    ]);
    await podman.output(['run', '--detach', '--pod', pod, IMAGE, 'sh', '-c', SERVER]);
    const script = 'until wget -q -O - http://127.0.0.1/; do sleep 0.1; done; ps | grep -c "[h]ttpd"';
    assert.equal(await podman.said(['--pod', pod], script), 'served\n1');
    await podman.output(['pod', 'rm', '--force', '--time', '0', pod]);
  },
  'a published port': (podman) => {
    const mode = podman.user === 'root' ? 'bridge' : 'pasta';
    return podman.withContainer(['--network', mode, '--publish', '127.0.0.1:8080:80'], SERVER, async () => {
      const get = ['busybox', 'wget', '-q', '-T', '2', '-O', '-', 'http://127.0.0.1:8080/'];
      await until('an answer', async () => (await podman.room.run(get)).stdout === 'served\n');
    });
  },
  'build: RUN, USER, a step that fails': async (podman) => {
    const dockerfile = `FROM ${IMAGE}\nENV GREETING=hello\nCOPY given /given
RUN echo "$GREETING" > /made && cat /given >> /made
RUN --mount=type=tmpfs,target=/scratch touch /scratch/x && ls /scratch >> /made
USER alice\nWORKDIR /tmp\nRUN id -un > who
CMD cat /made who\n`;
    const flags = ['build', '--quiet', '--network', 'none', '--tag', 'built'];
    await podman.output([...flags, podman.buildDirectory('built', dockerfile)]);
    assert.equal(
      await podman.output(['run', '--rm', '--network', 'none', 'built']),
      'hello\ngiven\nx\nalice',
    );
    const bad = podman.buildDirectory('bad', `FROM ${IMAGE}\nRUN echo told && exit 33\n`);
    const { code, stdout, stderr } = await podman.call(['build', '--network', 'none', bad]);
    assert.equal(code, 33, stderr);
    assert.match(stdout, /told/);
  },
  'the end of everything leaves nothing behind': async (podman) => {
    const id = await podman.output(['run', '--detach', '--network', 'none', IMAGE, 'sleep', '1000']);
    const find = `find /sys/fs/cgroup -type d -name 'libpod-*'; pgrep sleep; pgrep conmon
      ls ${podman.user === 'root' ? '/run' : '/run/user/1000'}/${podman.room.runtime.state} 2>/dev/null; true`;
    assert.match(await podman.room.output(['sh', '-c', find]), new RegExp(`^${id}$`, 'm'));
    await podman.output(['rm', '--all', '--force', '--time', '0']);
    await until('nothing', async () => (await podman.room.output(['sh', '-c', find])) === '');
  },
};

/** Cases for both users. */
export const PODMAN_CASES: Cases<Podman> = { ...RUN, ...EXEC, ...LIFECYCLE };
