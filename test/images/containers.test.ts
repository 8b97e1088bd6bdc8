// commit, diff and export of a container that runs, as root and as an ordinary user; and images from nothing.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { succeeded } from '../harness/caisson.ts';
import { CALLERS } from './callers.ts';
import { busyboxLayer, layer, oldArchive } from './image.ts';
import { World } from './world.ts';

const SEED = layer(
  ['etc/keep', 'keep\n'],
  ['etc/change', 'old\n'],
  ['etc/gone', 'x\n'],
  ['opt/dir/file', 'x\n'],
);
const SCRIPT = [
  'echo new > /etc/new',
  'echo new > /etc/change',
  'rm /etc/gone',
  'rm -r /opt/dir; mkdir /opt/dir; echo other > /opt/dir/other',
  'mkdir -m 1777 /made; ln -s target /made/link; ln /etc/new /made/hard; mkfifo /made/pipe',
  'chown 1000:1001 /etc/new; chmod 4755 /etc/new',
  'echo ready; sleep 100',
].join('\n');

for (const { who, caller, skip } of CALLERS) {
  if (skip !== false) {
    test(`containers of ${who}`, { skip }, () => undefined);
    continue;
  }
  const world = new World(caller);
  after(() => {
    world.close();
  });
  const file = oldArchive({
    name: 'base:1',
    layers: [busyboxLayer(world.directory), SEED],
    config: { Env: ['PATH=/bin', 'A=1'], Cmd: ['sh'] },
  });
  world.output(['load', '-q', '-i', world.file('base.tar', file)]);

  test(`${who}: diff, commit and export of a container by its name`, async () => {
    const started = world.start([
      'run',
      '--name',
      'box',
      '-v',
      `${world.directory}:/bound`,
      'base:1',
      'sh',
      '-c',
      SCRIPT,
    ]);
    await started.untilPrinted('ready');
    assert.deepEqual(world.output(['diff', 'box']).split('\n'), [
      'A /bound',
      'C /etc',
      'C /etc/change',
      'D /etc/gone',
      'A /etc/new',
      'A /made',
      'A /made/hard',
      'A /made/link',
      'A /made/pipe',
      'C /opt',
      'C /opt/dir',
      'A /opt/dir/other',
    ]);
    const flags = ['-a', 'me', '-m', 'done', '--change', 'CMD ["cat","/etc/new"]', '--change', 'ENV B=2'];
    const committed = world.call(['commit', ...flags, 'box', 'made:1']);
    const id = succeeded(committed);
    // Nothing is delegated to the test's user.
    assert.equal(/has no cgroup of its own and cannot be paused/.test(committed.stderr), who !== 'root');
    assert.match(id, /^sha256:[0-9a-f]{64}$/);
    const listed = spawnSync('tar', ['-tv', '--numeric-owner'], {
      input: world.bytes(['export', 'box']),
      encoding: 'utf8',
    });
    assert.equal(listed.status, 0, listed.stderr);
    const lines = listed.stdout.split('\n');
    const line = (name: string) => lines.find((each) => each.endsWith(` ${name}`)) ?? '';
    assert.match(line('etc/new'), /^-rwsr-xr-x 1000\/1001 +4 /);
    assert.match(lines.find((each) => each.includes('made/link')) ?? '', /made\/link -> target/);
    assert.match(line('made/pipe'), /^prw/);
    assert.equal(line('etc/gone'), '');
    assert.ok(
      line('proc/') !== '' && !lines.some((each) => / proc\/./.test(each)),
      'what is mounted is left out',
    );
    assert.ok(!lines.some((each) => / bound\/./.test(each)));
    const pid = world.output(['inspect', '-f', '{{.State.Running}} {{.Name}} {{.Config.Image}}', 'box']);
    assert.equal(pid, 'true /box base:1');
    started.kill('SIGTERM');
    started.kill('SIGKILL');
    await started.end();
    world.output(['system', 'repair']);
    world.harness.lookAgain();
  });

  test(`${who}: the committed image is what the container was`, () => {
    assert.equal(world.output(['run', 'made:1']), 'new');
    const script =
      'cat /etc/keep /etc/change; ls /etc/gone /opt/dir; echo $A $B; stat -c "%u:%g %a %h" /etc/new /made';
    const { stdout } = world.call(['run', 'made:1', 'sh', '-c', script]);
    assert.equal(stdout, 'keep\nnew\n/opt/dir:\nother\n1 2\n1000:1001 4755 2\n0:0 1777 2\n');
    const shown = world.output([
      'image',
      'inspect',
      '-f',
      '{{.Author}}|{{.Comment}}|{{len .RootFS.Layers}}',
      'made:1',
    ]);
    assert.equal(shown, 'me|done|3');
    const [first] = world
      .output(['history', '--format', '{{.CreatedBy}}|{{.Comment}}', 'made:1'])
      .split('\n');
    assert.match(first ?? '', /^caisson commit [0-9a-f]{12}\|done$/);
  });

  test(`${who}: what is exported and imported again has the same files`, async () => {
    const started = world.start(['run', '--name', 'again', 'made:1', 'sh', '-c', 'echo ready; sleep 100']);
    await started.untilPrinted('ready');
    world.output(['export', '-o', `${world.directory}/root.tar`, 'again']);
    started.kill('SIGKILL');
    await started.end();
    world.output(['system', 'repair']);
    world.harness.lookAgain();
    world.output(['import', `${world.directory}/root.tar`, 'imported:1']);
    const list = [
      'sh',
      '-c',
      'cd /; find etc made opt bin -xdev | sort | while read f; do stat -c "%n %F %u:%g %a" $f; done',
    ];
    const [before, imported] = ['made:1', 'imported:1'].map((name) =>
      world.output(['run', '--entrypoint', '', name, ...list]),
    );
    assert.equal(imported, before);
  });

  test(`${who}: a container that is not there, or of no image`, async () => {
    for (const command of [
      ['diff'],
      ['commit'],
      ['export', '-o', '/dev/null'],
      ['inspect', '--type', 'container'],
    ]) {
      const { code, stderr } = world.call([...command, 'nobody']);
      assert.equal(code, 1, command.join(' '));
      assert.match(stderr, /No such (container|object): nobody/);
    }
    const started = world.start(['run', '--name', 'host-box', 'host', 'sh', '-c', 'echo ready; sleep 100']);
    await started.untilPrinted('ready');
    assert.match(world.call(['diff', 'host-box']).stderr, /is of no image of the store/);
    started.kill('SIGKILL');
    await started.end();
    world.output(['system', 'repair']);
    world.harness.lookAgain();
  });

  test(`${who}: import from a pipe, a file and an address; changes; what is no archive`, async () => {
    const archive = readFileSync(world.file('plain.tar', busyboxLayer(world.directory)));
    const flags = ['--change', 'CMD ["echo","hi"]', '--change', 'LABEL a=b', '-m', 'note'];
    const id = world.output(['import', ...flags, '-', 'piped:1'], { input: archive.toString('latin1') });
    assert.equal(world.output(['run', 'piped:1']), 'hi');
    assert.equal(world.output(['images', '-q', '--no-trunc', 'piped']), id);
    assert.equal(
      world.output(['image', 'inspect', '-f', '{{.Config.Labels.a}} {{.Comment}}', 'piped:1']),
      'b note',
    );
    assert.match(
      world.call(['import', '--change', 'RUN x', `${world.directory}/plain.tar`]).stderr,
      /RUN is not a valid change command/,
    );
    assert.match(world.call(['import', '/no/such/file']).stderr, /no such file or directory/);
    const bad = world.call(['import', '-', 'bad:1'], { input: 'this is no archive' });
    assert.equal(bad.code, 1);
    assert.equal(world.output(['images', '-q', 'bad']), '');
    const untagged = world.output(['import', `${world.directory}/plain.tar`]);
    assert.equal(world.output(['images', '-q', '--no-trunc', '-f', 'dangling=true']), untagged);
    world.output(['image', 'prune', '-f']);
    assert.equal(world.output(['images', '-q', '-f', 'dangling=true']), '');
  });
}
