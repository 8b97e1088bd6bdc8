// diff, commit, export, cp, rename and update of containers that do not run: merely created, ended, killed with their monitor;
// as root and as an ordinary user.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, test } from 'node:test';
import { Containers, failed } from '../engine/containers.ts';
import { CALLERS } from '../images/callers.ts';
import { busyboxLayer, layer, oldArchive } from '../images/image.ts';

const SEED = layer(['etc/keep', 'keep\n'], ['etc/change', 'old\n'], ['etc/gone', 'x\n']);
const SCRIPT =
  'echo new > /etc/new; echo new > /etc/change; rm /etc/gone; chown 1000:1001 /etc/new; chmod 4755 /etc/new; echo v > /vol/v';
const CHANGES = ['C /etc', 'C /etc/change', 'D /etc/gone', 'A /etc/new', 'A /vol'];

for (const { who, caller, skip } of CALLERS) {
  if (skip !== false) {
    test(`stopped containers of ${who}`, { skip }, () => undefined);
    continue;
  }
  const box = new Containers(caller);
  after(() => box.close());
  const archive = oldArchive({
    name: 'base:1',
    layers: [busyboxLayer(box.directory), SEED],
    config: { Cmd: ['sh'] },
  });
  box.output(['load', '-q', '-i', box.file('base.tar', archive)]);

  const list = (name: string): string[] => {
    const input = box.bytes(['export', name]);
    const listed = spawnSync('tar', ['-tv', '--numeric-owner'], { input, encoding: 'utf8' });
    assert.equal(listed.status, 0, listed.stderr);
    return listed.stdout.split('\n');
  };

  /** All commands on a container that has made the changes of SCRIPT. */
  const examine = (name: string, tag: string): void => {
    assert.deepEqual(box.output(['diff', name]).split('\n'), CHANGES);
    const id = box.output(['commit', '-m', 'note', '--change', 'CMD ["cat","/etc/change"]', name, tag]);
    assert.match(id, /^sha256:[0-9a-f]{64}$/);
    assert.equal(box.output(['run', tag]), 'new');
    const shown = box.output([
      'run',
      tag,
      'sh',
      '-c',
      'stat -c "%u:%g %a" /etc/new; ls /etc/gone 2>&1; ls /vol',
    ]);
    assert.match(
      shown,
      /^1000:1001 4755\nls: \/etc\/gone: No such file or directory$/,
      'volumes are not in an image',
    );
    const lines = list(name);
    const line = (path: string): string => lines.find((each) => each.endsWith(` ${path}`)) ?? '';
    assert.match(line('etc/new'), /^-rwsr-xr-x 1000\/1001 +4 /);
    assert.equal(line('etc/gone'), '');
    assert.equal(line('vol/v'), '');
    assert.notEqual(line('etc/keep'), '');
    box.output(['cp', `${name}:/etc/change`, `${box.directory}/${tag.replace(':', '-')}`]);
  };

  test(`${who}: commands on a container that has ended, before and after others of it`, () => {
    box.output(['run', '-d', '--name', 'ended', '-v', '/vol', 'base:1', 'sh', '-c', SCRIPT]);
    assert.equal(box.output(['wait', 'ended']), '0');
    examine('ended', 'ended:1');
    const given = box.file('given', 'given\n');
    box.output(['cp', given, 'ended:/etc/copied']);
    assert.deepEqual(box.output(['diff', 'ended']).split('\n'), [
      ...CHANGES.slice(0, 2),
      'A /etc/copied',
      ...CHANGES.slice(2),
    ]);
    box.output(['commit', 'ended', 'ended:2']);
    assert.equal(box.output(['run', 'ended:2', 'cat', '/etc/copied']), 'given');
    box.output(['rm', '-v', 'ended']);
    assert.equal(box.output(['run', 'ended:1']), 'new', 'the image needs no container');
  });

  test(`${who}: commands on a container whose monitor and processes were killed`, async () => {
    box.output([
      'run',
      '-d',
      '--name',
      'lost',
      '-v',
      '/vol',
      'base:1',
      'sh',
      '-c',
      `${SCRIPT}; echo ready; sleep 100`,
    ]);
    await box.until(() => box.call(['logs', 'lost']).stdout === 'ready\n', 'its changes');
    const init = box.init('lost');
    for (const pid of [...box.monitors(), init]) process.kill(pid, 'SIGKILL');
    await box.until(() => box.output(['inspect', '-f', '{{.State.Running}}', 'lost']) === 'false', 'its end');
    examine('lost', 'lost:1');
    box.output(['rm', '-v', 'lost']);
  });

  test(`${who}: commands on a container that was merely created`, () => {
    box.output(['create', '--name', 'made', '-v', '/vol', 'base:1', 'cat', '/etc/keep']);
    assert.equal(box.output(['diff', 'made']), '');
    box.output(['commit', 'made', 'made:1']);
    assert.equal(box.output(['run', 'made:1']), 'keep');
    assert.ok(list('made').some((line) => line.endsWith(' etc/keep')));
    box.output(['rm', '-v', 'made']);
  });

  test(`${who}: an image of a container has the configuration of its flags, and of its image what they leave`, () => {
    const config = { Cmd: ['sh'], Entrypoint: ['/bin/echo'], Env: ['PATH=/bin', 'A=1', 'B=2'], User: '7' };
    const labels = { Labels: { kept: 'yes', over: 'image' }, WorkingDir: '/etc' };
    const layers = [busyboxLayer(box.directory)];
    const told = oldArchive({ name: 'told:1', layers, config: { ...config, ...labels } });
    box.output(['load', '-q', '-i', box.file('told.tar', told)]);
    const shown = (name: string): object => {
      const json = box.output(['image', 'inspect', '-f', '{{json .Config}}', name]);
      const fields = Object.entries(JSON.parse(json) as object);
      return Object.fromEntries(fields.filter(([, value]) => value !== null));
    };
    const fixed = { Env: config.Env, WorkingDir: '/etc', Labels: labels.Labels, User: '7' };
    box.output(['create', '--name', 'plain', 'told:1', 'said']);
    box.output(['commit', 'plain', 'plain:1']);
    assert.deepEqual(shown('plain:1'), { ...fixed, Entrypoint: ['/bin/echo'], Cmd: ['said'] });
    assert.equal(box.output(['run', 'plain:1']), 'said');
    const flags = ['-e', 'A=3', '-e', 'C=4', '-u', '8:9', '-w', '/bin', '-l', 'over=flag', '-v', '/data'];
    const health = ['--health-cmd', 'true', '--health-interval', '3s', '--stop-signal', 'INT'];
    box.output(['create', '--name', 'full', ...flags, ...health, '--entrypoint', 'env', 'told:1', '-i']);
    box.output(['commit', '--change', 'LABEL more=change', '--change', 'USER 0', 'full', 'full:1']);
    assert.deepEqual(shown('full:1'), {
      User: '0',
      Env: ['A=3', 'C=4', 'PATH=/bin', 'B=2'],
      Entrypoint: ['env'],
      Cmd: ['-i'],
      Volumes: { '/data': {} },
      WorkingDir: '/bin',
      Labels: { kept: 'yes', more: 'change', over: 'flag' },
      StopSignal: 'INT',
      Healthcheck: {
        ...{ Test: ['CMD-SHELL', 'true'], Interval: 3e9, Timeout: 3e10, StartInterval: 5e9, Retries: 3 },
        ...{ StartPeriod: 0 },
      },
    });
    box.output(['rm', '-v', 'plain', 'full']);
  });

  test(`${who}: rename and update of a container that does not run; it starts with both`, () => {
    box.output(['create', '--name', 'first', 'base:1', 'sh', '-c', 'exit 4']);
    box.output(['create', '--name', 'other', 'base:1', 'true']);
    failed(box.call(['rename', 'first', 'other']), 1, /already in use/);
    box.output(['rename', 'first', 'second']);
    failed(box.call(['inspect', 'first']), 1, /No such/);
    assert.equal(box.output(['inspect', '-f', '{{.Name}}', 'second']), '/second');
    box.output(['update', '--restart', 'on-failure:2', ...(caller.uid === 0 ? ['-m', '64m'] : []), 'second']);
    if (caller.uid === 0)
      assert.equal(box.output(['inspect', '-f', '{{.HostConfig.Memory}}', 'second']), String(64 << 20));
    box.output(['rename', 'other', 'first']);
    box.output(['start', 'second']);
    assert.equal(box.output(['wait', 'second']), '4');
    assert.equal(box.output(['inspect', '-f', '{{.RestartCount}}', 'second']), '2');
    box.output(['rename', 'second', 'third']);
    box.output(['start', '-a', 'first']);
    box.output(['rm', 'first', 'third']);
  });

  test(`${who}: a container of a directory, and of host: what can be asked of them`, () => {
    const { rootfs } = box.harness;
    box.output(['create', '--name', 'tree', '--rootfs', rootfs, '/bin/true']);
    failed(box.call(['commit', 'tree', 'tree:1']), 1, /is of no image of the store/);
    assert.ok(list('tree').some((line) => line.endsWith(' etc/passwd')));
    box.output(['rm', 'tree']);
  });
}
