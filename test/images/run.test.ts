// `caisson run IMAGE`, as root and as an ordinary user: configuration, layers, changes, and what must not stay.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, test } from 'node:test';
import { CALLERS } from './callers.ts';
import { busyboxLayer, layer, oldArchive } from './image.ts';
import { World } from './world.ts';

const SECOND = layer(
  [{ name: 'srv/app/', type: '5', mode: 0o755, uid: 1000, gid: 1001 }],
  [{ name: 'srv/app/file', uid: 1000, gid: 1001 }, 'from the image\n'],
  ['etc/.wh.group'],
  [{ name: 'data/', type: '5' }],
  ['data/seed', 'seed\n'],
);
const THIRD = layer(['etc/motd', 'third\n'], ['data/.wh..wh..opq'], ['data/fresh', 'fresh\n']);
/** Its own root directory, which is not the usual one, and a layer that says nothing of it. */
const ROOT = layer([{ name: './', type: '5', mode: 0o551 }]);
const CONFIG = {
  Entrypoint: ['sh', '-c'],
  Cmd: ['id -u; pwd; cat file; echo $GREETING; cat /etc/motd; ls /data; test -e /etc/group || echo no group'],
  Env: ['PATH=/bin', 'GREETING=hello'],
  WorkingDir: '/srv/app',
  User: 'alice',
  Volumes: { '/data': {} },
};

for (const { who, caller, skip } of CALLERS) {
  const world = skip === false ? new World(caller) : undefined;
  if (world === undefined) {
    test(`images run as ${who}`, { skip }, () => undefined);
    continue;
  }
  after(() => {
    world.close();
  });
  const base = busyboxLayer(world.directory);
  const many = Array.from({ length: 118 }, (_, at) => layer([`many/${at}`, `${at}\n`], ['last', `${at}\n`]));
  world.output([
    'load',
    '-q',
    '-i',
    world.file(
      'images.tar',
      oldArchive(
        { name: 'example:1', layers: [base, SECOND, THIRD], config: CONFIG },
        { name: 'plain:1', layers: [base] },
        { name: 'many:1', layers: [base, ...many] },
        { name: 'unique:1', layers: [base, layer(['unique', 'unique\n'])] },
        { name: 'root:1', layers: [base, ROOT, layer(['after', ''])] },
        { name: 'nothing:1', layers: [], config: { Cmd: ['/none'] } },
        { name: 'opaque:1', layers: [base, layer(['.wh..wh..opq'], [{ name: 'bin/', type: '5' }]), base] },
        { name: 'windows:1', layers: [base], platform: { os: 'windows' } },
        {
          name: 'foreign:1',
          layers: [
            layer([
              { name: 'bin/sh', mode: 0o755 },
              `\x7fELF\x02\x01\x01${'\0'.repeat(9)}\x02\0\xf3\0`.padEnd(64, '\0'),
            ]),
          ],
          platform: { architecture: 'riscv64' },
        },
      ),
    ),
  ]);

  test(`${who}: the configuration of the image, and flags over it`, () => {
    assert.equal(
      world.output(['run', 'example:1']),
      '1000\n/srv/app\nfrom the image\nhello\nthird\nfresh\nno group',
    );
    assert.equal(world.output(['run', '-e', 'GREETING=bye', 'example:1', 'echo $GREETING']), 'bye');
    assert.equal(world.output(['run', '-u', '0', '-w', '/', 'example:1', 'id -u; pwd']), '0\n/');
    assert.equal(world.output(['run', '--entrypoint', 'echo', 'example:1', 'x']), 'x');
    assert.equal(world.call(['run', '--entrypoint', '', 'example:1', 'sh', '-c', 'exit 7']).code, 7);
    world.assertNoPlaces();
  });

  test(`${who}: owners and modes are those of the layers, the root directory's too`, () => {
    const stat = world.output([
      'run',
      '-u',
      '0',
      'example:1',
      'stat -c "%u:%g %a" / /srv/app /srv/app/file /bin',
    ]);
    assert.equal(stat, '0:0 755\n1000:1001 755\n1000:1001 644\n0:0 755');
    assert.equal(world.output(['run', 'root:1', 'stat', '-c', '%a', '/', '/after']), '551\n644');
  });

  test(`${who}: changes vanish, and stay with --upper`, () => {
    const script =
      'echo changed > /etc/motd; rm /data/fresh; mkdir /new; chown 1000 /new; ls -d /new /etc/motd';
    assert.equal(world.output(['run', '-u', '0', 'example:1', script]), '/etc/motd\n/new');
    assert.equal(
      world.output(['run', '-u', '0', 'example:1', 'cat /etc/motd; ls -d /new 2>&1; true']).split('\n')[0],
      'third',
    );
    const upper = world.harness.makeDirectory('upper');
    world.output(['run', '-u', '0', '--upper', upper, 'example:1', script]);
    const again = 'cat /etc/motd; ls /data | wc -l; stat -c %u /new';
    assert.equal(world.output(['run', '-u', '0', '--upper', upper, 'example:1', again]), 'changed\n1\n1000');
    assert.deepEqual(readdirSync(`${upper}/upper`).includes('new'), true);
    world.assertNoPlaces();
  });

  test(`${who}: a read-only root, whose volumes can be written to all the same`, () => {
    const script = 'touch /x 2>/dev/null || echo read-only; cat /data/fresh; echo y > /data/y; cat /data/y';
    assert.equal(world.output(['run', '-u', '0', '--read-only', 'example:1', script]), 'read-only\nfresh\ny');
  });

  test(`${who}: more than a hundred layers`, () => {
    assert.equal(world.output(['run', 'many:1', 'sh', '-c', 'ls /many | wc -l; cat /last']), '118\n117');
  });

  test(`${who}: an image without layers, and one of which a layer hides all below`, () => {
    assert.match(world.call(['run', 'nothing:1']).stderr, /\/none/);
    assert.equal(world.call(['run', 'nothing:1']).code, 127);
    assert.equal(world.output(['run', 'opaque:1', 'sh', '-c', 'cat /etc/passwd | wc -l']), '2');
  });

  test(`${who}: --pull never and missing, and a name that is none`, () => {
    const never = world.call(['run', '--pull', 'never', 'absent:1']);
    assert.equal(never.code, 125);
    assert.match(never.stderr, /No such image: absent:1/);
    assert.equal(world.call(['run', '--pull', 'sometimes', 'plain:1']).code, 125);
    const refused = world.call(['run', '127.0.0.1:1/x/y:1']);
    assert.equal(refused.code, 125);
    assert.match(refused.stderr, /Unable to find image '127.0.0.1:1\/x\/y:1' locally/);
    assert.match(world.call(['run', 'Upper/Case']).stderr, /invalid reference|must be lower-case/);
  });

  test(`${who}: an image of another operating system or processor says why it does not run`, () => {
    const windows = world.call(['run', 'windows:1']);
    assert.equal(windows.code, 125);
    assert.match(windows.stderr, /this image is for windows\/amd64, and containers share this host's kernel/);
    const foreign = world.call(['run', 'foreign:1', '/bin/sh']);
    assert.equal(foreign.code, 126);
    assert.match(foreign.stderr, /this image is for linux\/riscv64/);
    assert.match(foreign.stderr, /qemu-riscv64 by binfmt_misc/);
    assert.match(foreign.stderr, /does not match the detected host platform/);
    world.assertNoPlaces();
  });

  test(`${who}: a pull of run can be interrupted`, async () => {
    // A registry that never says anything.
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const started = world.start(['run', `127.0.0.1:${port}/never:1`]);
    await started.until(() => started.stderr.includes('Pulling from never'), 'the pull');
    started.kill('SIGINT');
    const { code, stderr } = await started.end();
    server.close();
    assert.equal(code, 130, stderr);
    assert.match(stderr, /interrupted by SIGINT before the program ran/);
    world.assertNoPlaces();
  });

  test(`${who}: the plan of an image, which starts nothing and leaves nothing`, () => {
    const plan = world.output(['plan', 'example:1']);
    assert.match(plan, /overlay 3 layers of the image/);
    assert.match(plan, /image example:1/);
    world.assertNoPlaces();
  });

  test(`${who}: what a killed command leaves is taken away, and images in use stay`, async () => {
    const started = world.start(['run', 'example:1', 'echo up; sleep 100']);
    await started.untilPrinted('up');
    assert.equal(readdirSync(`${world.dataRoot}/containers`).length, 1);
    const conflict = world.call(['rmi', 'example:1']);
    assert.equal(conflict.code, 1);
    assert.match(conflict.stderr, /must force.*is using its referenced image/);
    world.output(['system', 'prune', '-f']);
    assert.equal(world.output(['run', 'example:1', 'cat /etc/motd']), 'third');
    started.kill('SIGKILL');
    await started.end();
    const [place] = readdirSync(`${world.dataRoot}/containers`);
    assert.match(world.output(['system', 'repair']), new RegExp(`removed .*/containers/${place}`));
    world.assertNoPlaces();
    world.harness.lookAgain();
  });

  test(`${who}: layers of an image that is removed while it runs stay until it ends`, async () => {
    const control = world.harness.makeDirectory('control');
    const script = 'echo up; until [ -e /control/go ]; do sleep 0.1; done; cat /unique';
    const started = world.start(['run', '-v', `${control}:/control`, 'unique:1', 'sh', '-c', script]);
    await started.untilPrinted('up');
    const count = readdirSync(`${world.dataRoot}/layers`).length;
    world.output(['rmi', '-f', 'unique:1']);
    world.output(['image', 'prune', '-f']);
    assert.equal(readdirSync(`${world.dataRoot}/layers`).length, count);
    writeFileSync(`${control}/go`, '');
    assert.equal((await started.end()).code, 0, started.stderr);
    assert.equal(started.stdout, 'up\nunique\n');
    world.output(['image', 'prune', '-f']);
    assert.equal(readdirSync(`${world.dataRoot}/layers`).length, count - 1);
  });
}

test('a store where no overlay can be says why', { skip: CALLERS[0]?.skip ?? false }, () => {
  const world = new World(CALLERS[0]?.caller);
  try {
    const layers = [busyboxLayer(world.directory)];
    const archive = world.file('plain.tar', oldArchive({ name: 'plain:1', layers }));
    for (const name of ['lower', 'upper', 'work', 'merged']) mkdirSync(`${world.directory}/${name}`);
    const options = `lowerdir=${world.directory}/lower,upperdir=${world.directory}/upper,workdir=${world.directory}/work`;
    const script = `mount -t overlay overlay -o ${options} ${world.directory}/merged
      export CAISSON_DATA_ROOT=${world.directory}/merged/data
      caisson() { ${world.harness.commandLine(['--version'])[0]} --runtime-root ${world.harness.state} "$@"; }
      caisson load -q -i ${archive} && caisson run plain:1 true`;
    const { status, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', script], { encoding: 'utf8' });
    assert.equal(status, 125, stderr);
    assert.match(stderr, /^caisson: overlay 1 layer of the image: invalid argument \(EINVAL\)$/m);
    assert.match(stderr, /is on overlay; the changes of a container need/);
  } finally {
    world.close();
  }
});

test('the data root is closed to others', { skip: CALLERS[0]?.skip ?? false }, () => {
  const world = new World(CALLERS[0]?.caller);
  try {
    world.output(['images']);
    const ids = ['--reuid', '65532', '--regid', '65532', '--clear-groups'];
    for (const path of ['', '/blobs', '/layers', '/index.json']) {
      const { status } = spawnSync('setpriv', [...ids, 'ls', `${world.dataRoot}${path}`], {
        encoding: 'utf8',
      });
      assert.notEqual(status, 0, path);
    }
    assert.ok(existsSync(`${world.dataRoot}/format`));
    assert.equal(readFileSync(`${world.dataRoot}/format`, 'utf8'), '1\n');
  } finally {
    world.close();
  }
});
