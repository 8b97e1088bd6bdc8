// cp into and out of containers that run, have ended, or were merely created; as root and as an ordinary user.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs';
import { after, test } from 'node:test';
import { CALLERS } from '../images/callers.ts';
import { busyboxLayer, layer, oldArchive } from '../images/image.ts';
import { World } from '../images/world.ts';

const SEED = layer(
  ['data/file', 'file\n'],
  ['data/sub/deep', 'deep\n'],
  [{ name: 'data/link', type: '2', linkName: 'file' }],
  [{ name: 'out', type: '2', linkName: '/data/sub' }],
);

/** Names of the members of an archive. */
function names(archive: Buffer): string[] {
  return execFileSync('tar', ['t'], { input: archive }).toString().trim().split('\n');
}

for (const { who, caller, skip } of CALLERS) {
  if (skip !== false) {
    test(`cp of ${who}`, { skip }, () => undefined);
    continue;
  }
  const world = new World(caller);
  const kept: string[] = [];
  after(() => {
    for (const name of kept) world.call(['rm', '-f', name]);
    world.close();
  });
  const archive = oldArchive({ name: 'base:1', layers: [busyboxLayer(world.directory), SEED] });
  world.output(['load', '-q', '-i', world.file('base.tar', archive)]);
  const directory = (name: string) => {
    const path = `${world.directory}/${name}`;
    mkdirSync(path);
    world.harness.own(path);
    return path;
  };
  const shared = directory('shared');
  chmodSync(shared, 0o777);
  const make = (name: string, ...words: string[]) => {
    kept.push(name);
    return world.output(['run', '-d', '--name', name, '-v', `${shared}:/shared`, ...words]);
  };
  const fails = (args: string[], message: string) => {
    const { code, stderr } = world.call(['cp', ...args]);
    assert.equal(code, 1, stderr);
    assert.equal(stderr.split('\n')[0], `caisson: ${message}`);
  };
  /** In whatever state it is: everything that a state must not change. */
  const bothWays = (name: string, state: string) => {
    test(`${who}: cp in and out of a container that ${state}`, () => {
      const at = directory(`out-${name}`);
      world.output(['cp', `${name}:/data/file`, at]);
      assert.equal(readFileSync(`${at}/file`, 'utf8'), 'file\n');
      assert.equal(lstatSync(`${at}/file`).uid, lstatSync(at).uid);
      world.output(['cp', `${name}:/data`, `${at}/new`]);
      assert.equal(readFileSync(`${at}/new/sub/deep`, 'utf8'), 'deep\n');
      assert.equal(readlinkSync(`${at}/new/link`), 'file');
      world.output(['cp', `${name}:/data/sub/.`, at]);
      assert.equal(readFileSync(`${at}/deep`, 'utf8'), 'deep\n');
      world.output(['cp', '-L', `${name}:/data/link`, `${at}/followed`]);
      assert.equal(readFileSync(`${at}/followed`, 'utf8'), 'file\n');
      assert.deepEqual(names(world.bytes(['cp', `${name}:/data/sub`, '-'])), ['sub/', 'sub/deep']);
      assert.deepEqual(names(world.bytes(['cp', `${name}:/out/.`, '-'])), ['./', './deep']);
      const given = world.file(`given-${name}`, 'given\n');
      world.output(['cp', given, `${name}:/data/given`]);
      world.output(['cp', given, `${name}:/out`]);
      world.output(['cp', `${at}/new`, `${name}:/data/tree`]);
      world.output(['cp', `${at}/new/.`, `${name}:/shared`]);
      assert.deepEqual(names(world.bytes(['cp', `${name}:/data/tree`, '-'])).sort(), [
        'tree/',
        'tree/file',
        'tree/link',
        'tree/sub/',
        'tree/sub/deep',
      ]);
      assert.equal(
        readFileSync(`${shared}/sub/deep`, 'utf8'),
        'deep\n',
        'what is mounted there is written to',
      );
      execFileSync('rm', ['-r', `${shared}/sub`]);
      const stream = execFileSync('tar', ['c', '-C', at, 'deep']).toString('latin1');
      world.output(['cp', '-', `${name}:/data`], { input: stream });
      assert.deepEqual(names(world.bytes(['cp', `${name}:/data/sub/.`, '-'])), [
        './',
        './deep',
        `./given-${name}`,
      ]);
      assert.equal(world.bytes(['cp', `${name}:/data/given`, '-']).includes('given\n'), true);
      assert.equal(world.bytes(['cp', `${name}:/data/deep`, '-']).includes('deep\n'), true);
    });

    test(`${who}: what cp refuses of a container that ${state}`, () => {
      const given = world.file(`refused-${name}`, 'x\n');
      const missing = (path: string) => `Could not find the file ${path} in container ${name}`;
      fails([`${name}:/nope`, world.directory], missing('/nope'));
      fails([given, `${name}:/nope/x`], missing('/nope/x'));
      fails([given, `${name}:/nope/`], 'no such directory');
      fails([given, `${name}:/data/file/`], 'not a directory');
      fails([world.directory, `${name}:/data/file`], 'cannot copy directory');
      fails(
        [`${name}:/data/file`, `${world.directory}/nope/x`],
        `invalid output path: directory "${world.directory}/nope" does not exist`,
      );
      fails(['/nope/x', `${name}:/`], 'lstat /nope/x: no such file or directory');
      fails([`${name}:/data`, `${name}:/`], 'copying between containers is not supported');
      fails([given, given], 'must specify at least one container source');
      const tree = directory(`kinds-${name}`);
      mkdirSync(`${tree}/file`);
      fails([`${tree}/.`, `${name}:/data`], 'cannot overwrite non-directory "/file" with directory "/file"');
    });
  };

  kept.push('made');
  world.output(['create', '--name', 'made', '-v', `${shared}:/shared`, 'base:1', 'sleep', '1000']);
  bothWays('made', 'was merely created');
  make('runs', 'base:1', 'sleep', '1000');
  bothWays('runs', 'runs');
  make('ended', 'base:1', 'true');
  world.output(['wait', 'ended']);
  bothWays('ended', 'has ended');

  test(`${who}: a start sees what was copied before, as root's`, () => {
    world.output(['start', 'made']);
    const listed = world.output([
      'exec',
      'made',
      'stat',
      '-c',
      '%u:%g %a %F',
      '/data/given',
      '/data/tree/sub',
    ]);
    assert.deepEqual(listed.split('\n'), ['0:0 644 regular file', '0:0 755 directory']);
    assert.equal(world.output(['exec', 'made', 'cat', '/data/given']), 'given');
  });

  test(`${who}: a container of host, before it runs and while it does`, () => {
    kept.push('host');
    world.output(['create', '--name', 'host', 'host', 'sleep', '1000']);
    const given = world.file('for-host', 'host\n');
    world.output(['cp', given, 'host:/srv/copied']);
    world.output(['start', 'host']);
    assert.equal(world.output(['exec', 'host', 'cat', '/srv/copied']), 'host');
    world.output(['cp', 'host:/srv/copied', `${world.directory}/back`]);
    assert.equal(readFileSync(`${world.directory}/back`, 'utf8'), 'host\n');
    assert.equal(existsSync('/srv/copied'), false);
  });

  test(`${who}: a link of the container leads nowhere else, and a read-only root stays`, () => {
    const canary = world.file('canary', 'canary\n');
    world.output([
      'exec',
      'runs',
      'sh',
      '-c',
      `ln -s ${world.directory} /escape; mkdir /safe; ln -s /escape /safe/x`,
    ]);
    fails([canary, 'runs:/escape/written'], 'Could not find the file /escape/written in container runs');
    const tree = directory('trap');
    mkdirSync(`${tree}/x`);
    symlinkSync('/etc', `${tree}/etc`);
    fails([`${tree}/.`, 'runs:/safe'], 'cannot overwrite non-directory "/x" with directory "/x"');
    kept.push('sealed');
    world.output(['create', '--name', 'sealed', '--read-only', 'base:1', 'true']);
    fails([canary, 'sealed:/data'], 'container rootfs is marked read-only');
  });
}
