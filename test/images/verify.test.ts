// `image verify` and the files of unpacked layers: what differs from the archive is found, named, and unpacked anew.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { after, test } from 'node:test';
import { listing, treeProgram } from '../layers/harness.ts';
import { CALLERS } from './callers.ts';
import { busyboxLayer, layer, oldArchive } from './image.ts';
import { World } from './world.ts';

const UPPER = layer(
  [{ name: './', type: '5', mode: 0o755, mtime: 1000 }],
  [{ name: 'srv/', type: '5', mode: 0o751, uid: 1000, gid: 1001, mtime: 2000 }],
  [{ name: 'srv/small', mode: 0o640, mtime: 3000 }, 'small\n'],
  [{ name: 'srv/large', mtime: 3000 }, 'x'.repeat(700_000)],
  [{ name: 'srv/link', type: '2', linkName: 'small', mtime: 3000 }],
  [{ name: 'srv/hard', type: '1', linkName: 'srv/small' }],
  [{ name: 'srv/twin', mode: 0o640, mtime: 3000 }, 'small\n'],
  [{ name: 'implied/by/name', mtime: 3000 }, 'x\n'],
  ['etc/.wh.group'],
  ['root/.wh..wh..opq'],
);

/** What is done to the upper layer's tree, and what is said of it. */
const DAMAGE: readonly (readonly [string, (tree: string) => void, RegExp])[] = [
  [
    'a flipped byte of a small file',
    (tree) => flip(`${tree}/srv/small`, 0),
    /\/srv\/hard: its content differs/,
  ],
  [
    'a flipped byte of a large file',
    (tree) => flip(`${tree}/srv/large`, 650_000),
    /\/srv\/large: its content differs/,
  ],
  [
    'a file that is gone',
    (tree) => keepTimes(`${tree}/srv`, () => unlinkSync(`${tree}/srv/twin`)),
    /\/srv\/twin is missing/,
  ],
  [
    'a file too many',
    (tree) => keepTimes(`${tree}/srv`, () => writeFileSync(`${tree}/srv/extra`, '')),
    /\/srv\/extra is not in the archive/,
  ],
  ['another mode', (tree) => chmodSync(`${tree}/srv/small`, 0o600), /\/srv\/hard: mode 0600 instead of 0640/],
  ['another mode of the root', (tree) => chmodSync(tree, 0o700), / \/: mode 0700 instead of 0755/],
  [
    'another time',
    (tree) => utimesSync(`${tree}/srv/twin`, 1, 1),
    /\/srv\/twin: was changed at another time/,
  ],
  ['another time of a link', (tree) => lutimesSync(`${tree}/srv/link`, 1, 1), /\/srv\/link: was changed/],
  [
    'a link that leads elsewhere',
    (tree) =>
      keepTimes(`${tree}/srv`, () => {
        unlinkSync(`${tree}/srv/link`);
        const { uid, gid } = lstatSync(`${tree}/srv/large`);
        symlinkSync('twin', `${tree}/srv/link`);
        lchownSync(`${tree}/srv/link`, uid, gid);
        lutimesSync(`${tree}/srv/link`, 3000, 3000);
      }),
    /\/srv\/link: leads elsewhere/,
  ],
  [
    'a name of another file',
    (tree) =>
      keepTimes(`${tree}/srv`, () => {
        unlinkSync(`${tree}/srv/hard`);
        linkSync(`${tree}/srv/twin`, `${tree}/srv/hard`);
      }),
    /\/srv\/(?:small|twin): [12] names instead of [12]/,
  ],
  [
    'a directory instead of a file',
    (tree) =>
      keepTimes(`${tree}/srv`, () => {
        rmSync(`${tree}/srv/twin`);
        mkdirSync(`${tree}/srv/twin`);
      }),
    /\/srv\/twin: is a directory instead of a file/,
  ],
  [
    'an attribute',
    (tree) => void execFileSync(treeProgram(), ['--set', `${tree}/srv/twin`, 'user.mine', '00']),
    /\/srv\/twin: its attribute user.mine differs/,
  ],
  [
    'a removed file that shows again',
    (tree) => keepTimes(`${tree}/etc`, () => rmSync(`${tree}/etc/group`)),
    /\/etc\/group is missing/,
  ],
  [
    'a name that would move the cursor',
    (tree) => keepTimes(tree, () => writeFileSync(`${tree}/\x1b[2J`, '')),
    /\/\\x1b\[2J is not in the archive/,
  ],
];

function flip(path: string, at: number): void {
  const { atime, mtime } = lstatSync(path);
  const file = openSync(path, 'r+');
  writeSync(file, 'y', at);
  closeSync(file);
  utimesSync(path, atime, mtime);
}

/** All about the files, but for times from when it was unpacked. */
function lasting(tree: string): string[] {
  return listing(tree).map((line) => line.replace(/ 1[7-9][0-9]{8}\.[0-9]{9} /, ' then '));
}

/** The directory itself does not tell. */
function keepTimes(directory: string, change: () => void): void {
  const { atime, mtime } = lstatSync(directory);
  change();
  utimesSync(directory, atime, mtime);
}

for (const { who, caller, skip } of CALLERS) {
  if (skip !== false) {
    test(`image verify of ${who}`, { skip }, () => undefined);
    continue;
  }
  const world = new World(caller);
  after(() => {
    world.close();
  });
  const layers = [busyboxLayer(world.directory), UPPER];
  world.output(['load', '-q', '-i', world.file('images.tar', oldArchive({ name: 'box:1', layers }))]);
  const find = () => {
    const names = readdirSync(`${world.dataRoot}/layers`).map(
      (name) => `${world.dataRoot}/layers/${name}/tree`,
    );
    return names.find((tree) => existsSync(`${tree}/implied`)) ?? '';
  };
  const quarantined = () => {
    const path = `${world.dataRoot}/quarantine`;
    return existsSync(path) ? readdirSync(path).length : 0;
  };

  test(`${who}: layers as they were unpacked`, () => {
    assert.match(
      world.output(['image', 'verify']),
      /2 unpacked layers \(2 compared with their archives\): all of them good$/,
    );
    assert.match(world.output(['image', 'verify', '--quick']), /\(0 compared .*: all of them good$/);
    assert.equal(quarantined(), 0);
  });

  test(`${who}: what differs is named, set aside, and unpacked anew`, () => {
    const good = lasting(find());
    for (const [what, damage, message] of DAMAGE) {
      const before = quarantined();
      damage(find());
      assert.notDeepEqual([...lasting(find()), lstatSync(find()).mode], [...good, 0o40755], what);
      assert.match(world.output(['image', 'verify', '--quick']), /all of them good$/, what);
      const told = world.call(['image', 'verify', '--dry-run']);
      assert.equal(told.code, 1, what);
      assert.match(told.stdout, message, what);
      assert.equal(quarantined(), before, what);
      const repaired = world.call(['image', 'verify']);
      assert.equal(repaired.code, 1, what);
      assert.match(repaired.stdout, /^layer sha256:[0-9a-f]{64}: .*; moved to /m, what);
      assert.match(repaired.stdout, message, what);
      assert.equal(quarantined(), before + 1, what);
      assert.deepEqual(lasting(find()), good, what);
    }
    assert.match(world.output(['image', 'verify']), /all of them good$/);
    assert.equal(world.output(['run', '--rm', 'box:1', 'cat', '/srv/hard']), 'small');
    assert.deepEqual(
      readdirSync(`${world.dataRoot}/layers`).filter((name) => name.startsWith('.')),
      [],
    );
  });

  test(`${who}: a layer whose archive is gone is not compared`, () => {
    flip(`${find()}/srv/small`, 0);
    const config = JSON.parse(readFileSync(`${world.dataRoot}/index.json`, 'utf8')).manifests[0]
      .digest as string;
    const manifest = JSON.parse(readFileSync(blob(config), 'utf8'));
    const last = manifest.layers.at(-1).digest as string;
    renameSync(blob(last), `${world.directory}/archive`);
    const { stdout } = world.call(['image', 'verify']);
    assert.match(stdout, /\(1 compared with their archives\)/);
    assert.doesNotMatch(stdout, /content differs/);
    renameSync(`${world.directory}/archive`, blob(last));
    assert.match(world.call(['image', 'verify']).stdout, /\/srv\/hard: its content differs/);

    function blob(digest: string): string {
      return `${world.dataRoot}/blobs/${digest.replace(':', '/')}`;
    }
  });
}
