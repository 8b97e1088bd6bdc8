// Secrets: files in memory that are in no environment, no record and no image, and go with their container.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, test } from 'node:test';
import { busyboxLayer, oldArchive } from '../images/image.ts';
import { Containers, failed, rootless, skip } from './containers.ts';

/** A directory in memory: the runtime root of these containers is below it. */
const MEMORY = '/dev/shm';
const isMemory =
  spawnSync('stat', ['-f', '-c', '%T', MEMORY], { encoding: 'utf8' }).stdout.trim() === 'tmpfs';
const reason = skip || (!isMemory && `${MEMORY} is no tmpfs`);

const disk = tmpdir();
if (isMemory) process.env.TMPDIR = MEMORY;
const box = new Containers();
process.env.TMPDIR = disk;
after(() => box.close());

const SECRET = 'hunter2-and-the-rest';
const source = reason === false ? box.file('token', SECRET) : '';
const FLAG = ['--secret', `id=token,src=${source}`];

/** Files below a directory that have the secret in them. */
function holders(directory: string): string[] {
  const { stdout } = spawnSync('grep', ['-rlsaF', '--devices=skip', SECRET, directory], { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line !== '' && line !== source);
}

/** Processes whose environment or arguments have it. */
function environments(): string[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .flatMap((pid) => ['environ', 'cmdline'].map((name) => `/proc/${pid}/${name}`))
    .filter((path) => {
      try {
        return readFileSync(path, 'latin1').includes(SECRET);
      } catch {
        return false;
      }
    });
}

test('a secret is a file in memory, and nowhere else', { skip: reason }, () => {
  const ended = box.call(
    [
      'run',
      '-d',
      '--name',
      'kept',
      ...FLAG,
      '--secret',
      `id=own,src=${source},target=/etc/own.key,mode=0400`,
    ].concat(['--rootfs', box.harness.rootfs, '/bin/sh', '-c', 'sleep 100']),
  );
  assert.deepEqual([ended.code, ended.stderr], [0, '']);
  const inside = (script: string) => box.output(['exec', 'kept', 'sh', '-c', script]);
  assert.equal(inside('cat /run/secrets/token; echo; cat /etc/own.key'), `${SECRET}\n${SECRET}`);
  assert.equal(inside('stat -c "%a %u %s" /run/secrets/token /etc/own.key'), `444 0 20\n400 0 20`);
  assert.equal(inside('stat -f -c %T /run/secrets /run/secrets/token /etc/own.key'), 'tmpfs\ntmpfs\ntmpfs');
  failed(box.call(['exec', 'kept', 'sh', '-c', 'echo x > /run/secrets/token']), 1, /Read-only file system/);
  assert.deepEqual(environments(), []);
  const shown = box.output(['inspect', 'kept']) + box.output(['ps', '-a', '--no-trunc', '--format', 'json']);
  assert.ok(!shown.includes(SECRET));
  const state = `${box.harness.state}/${box.id('kept')}`;
  assert.deepEqual(holders(box.directory).sort(), []);
  assert.deepEqual(holders(box.harness.state).sort(), [`${state}/secret-0`, `${state}/secret-1`]);
  assert.equal(statSync(state).mode & 0o777, 0o700, 'others on the host have no way to it');
  box.output(['kill', 'kept']);
  assert.equal(existsSync(state), false, 'it is gone with the run');
  assert.deepEqual(holders(box.harness.directory), []);
  box.clear();
});

test('mounts of the container do not hide it', { skip: reason }, () => {
  const own = box.harness.makeDirectory('own');
  for (const flags of [['--tmpfs', '/run'], ['-v', `${own}:/run/secrets`], ['--read-only']]) {
    const ended = box.call(['run', '--rm', ...flags, ...FLAG, 'host', 'cat', '/run/secrets/token']);
    assert.deepEqual([ended.code, ended.stdout], [0, SECRET], `${flags.join(' ')}: ${ended.stderr}`);
  }
  assert.equal(readFileSync(`${own}/token`, 'utf8'), '', 'a mount point, as of any other mount');
  box.clear();
});

test('each start reads it: a restart has what the file has by then', { skip: reason }, () => {
  const own = box.file('changing', 'first');
  box.output(['run', '-d', '--name', 'again', '--secret', `id=it,src=${own}`, 'host', 'sleep', '100']);
  writeFileSync(own, 'second');
  assert.equal(box.output(['exec', 'again', 'cat', '/run/secrets/it']), 'first');
  box.output(['restart', '-t', '0', 'again']);
  assert.equal(box.output(['exec', 'again', 'cat', '/run/secrets/it']), 'second');
  box.output(['kill', 'again']);
  rmSync(own);
  failed(box.call(['start', 'again']), 1, /--secret id=it,src=.*changing: no such file/);
  box.clear();
});

test('a variable of the caller, and a pipe that can be read once', { skip: reason }, () => {
  const flags = ['--secret', 'id=it,env=HIDDEN', 'host', 'cat', '/run/secrets/it'];
  const bound = box.call(['run', '--rm', ...flags], { env: { HIDDEN: SECRET } });
  assert.deepEqual([bound.code, bound.stdout, bound.stderr], [0, SECRET, '']);
  box.output(['create', '--name', 'later', ...flags], { env: { HIDDEN: SECRET } });
  assert.deepEqual(holders(box.dataRoot), []);
  failed(box.call(['start', 'later']), 1, /HIDDEN is not set in the environment of the command/);
  assert.equal(box.output(['start', '-a', 'later'], { env: { HIDDEN: 'other' } }), 'other');
  const kept = ['run', '--rm=false', '--secret', 'id=it,src=/dev/stdin', 'host', 'cat', '/run/secrets/it'];
  const prefix = ['/bin/sh', '-c', `printf 'from a pipe' | "$@"`, 'sh'];
  // A pipe that root has made is not open to others.
  if (!rootless) assert.equal(box.output(kept, { prefix }), 'from a pipe');
  box.clear();
});

test('no image and no archive of the container has it', { skip: reason }, () => {
  const archive = oldArchive({
    name: 'base:1',
    layers: [busyboxLayer(box.directory)],
    config: { Env: ['PATH=/bin', 'IMAGE_TOKEN=x'], Cmd: ['sh'] },
  });
  box.output(['load', '-q', '-i', box.file('base.tar', archive)]);
  const ended = box.call(['run', '-d', '--name', 'made', ...FLAG, 'base:1', 'sleep', '100']);
  assert.deepEqual([ended.code, ended.stderr], [0, ''], "no word about an image's own variable");
  box.output(['commit', 'made', 'made:1']);
  assert.ok(!box.bytes(['save', 'made:1']).toString('latin1').includes(SECRET));
  assert.ok(!box.bytes(['export', 'made']).toString('latin1').includes(SECRET));
  assert.deepEqual(holders(box.dataRoot), []);
  const again = box.output([
    'run',
    '--rm',
    'made:1',
    'sh',
    '-c',
    'ls /run/secrets; cat /run/secrets/* 2>&1; true',
  ]);
  assert.ok(!again.includes(SECRET));
  box.output(['rm', '-f', 'made']);
  box.output(['rmi', 'made:1', 'base:1']);
  box.clear();
});

test('where the runtime directory is on a disk, that is told', { skip: reason }, () => {
  const type = spawnSync('stat', ['-f', '-c', '%T', disk], { encoding: 'utf8' }).stdout.trim();
  if (type === 'tmpfs') return;
  const onDisk = new Containers();
  try {
    const own = onDisk.file('token', SECRET);
    const told = onDisk.call([
      'run',
      '--rm',
      '--secret',
      `id=it,src=${own}`,
      'host',
      'cat',
      '/run/secrets/it',
    ]);
    assert.deepEqual([told.code, told.stdout], [0, SECRET], told.stderr);
    assert.match(
      told.stderr,
      /^caisson: .*--secret: \S+ is on a disk \(\w+\), and a secret that was written [^\n]*\n$/,
    );
  } finally {
    onDisk.close();
  }
});

test('--env NAME=VALUE that looks like a secret is told of once', { skip: reason }, () => {
  const flags = ['-e', `API_TOKEN=${SECRET}`];
  for (const words of [
    ['run', '--rm', ...flags],
    ['run', '--rm=false', '--name', 'told', ...flags],
  ]) {
    const { code, stderr } = box.call([...words, 'host', 'true']);
    assert.deepEqual([code, stderr.trim().split('\n').length], [0, 1], stderr);
    assert.match(stderr, /--env API_TOKEN looks like a secret/);
    assert.ok(!stderr.includes(SECRET));
  }
  assert.equal(box.call(['start', '-a', 'told']).stderr, '');
  box.clear();
});
