// Unpacked layers of a new image are the trees that its build has made: no run unpacks them, and they are what its
// archives unpack to.
import assert from 'node:assert/strict';
import { lstatSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { after, test } from 'node:test';
import type { Ended } from '../harness/caisson.ts';
import { CALLERS } from '../images/callers.ts';
import { readText } from '../images/world.ts';
import { listing } from '../layers/harness.ts';
import { cached, Site } from './site.ts';

/** Whiteouts, opaque directories, links, owners, a fifo, attributes of directories that were copied up. */
const RICH = `FROM bb
RUN mkdir -p /d/deep /gone/x && echo 1 > /d/deep/f && ln /d/deep/f /d/hard && ln -s deep/f /d/soft && mkfifo /d/fifo
RUN chown 7:8 /d/hard && chmod 4711 /d/deep/f && rm -r /gone && mkdir /gone && echo new > /gone/y && rm /bin/ls
COPY --chown=1000:50 --chmod=640 tree /d/tree
RUN rm -r /gone && truncate -s 5M /sparse && touch -d '2001-02-03 04:05:06' /etc/group && rm /d/soft
WORKDIR /made/for/me`;

const FILES = { 'tree/a/b': 'b\n', 'tree/c': { link: 'a/b' } };

/** Chain IDs of unpacked layers, with the inode of each tree. */
function trees({ dataRoot }: Site): Map<string, number> {
  const names = readdirSync(`${dataRoot}/layers`).filter((name) => !name.startsWith('.'));
  return new Map(names.map((name) => [name, statSync(`${dataRoot}/layers/${name}/tree`).ino]));
}

function facts({ dataRoot }: Site, chain: string): unknown {
  return JSON.parse(readText(`${dataRoot}/layers/${chain}/facts.json`));
}

/** Owner and mode of the root, and all files; of a whiteout what is seen of it, which is that it is there. */
function treeOf({ dataRoot }: Site, chain: string): unknown[] {
  const path = `${dataRoot}/layers/${chain}/tree`;
  const { mode, uid, gid } = statSync(path);
  // Overlay links the whiteouts of one mount to each other, at a time of its own.
  const lines = listing(path).map((line) => line.replace(/^(\S+ c 0000 \S+ 0,0) .*$/, '$1'));
  return [{ mode, uid, gid }, ...lines];
}

/** The image in a store that has unpacked it from its archives alone. */
function unpackedElsewhere(site: Site, other: Site, name: string): void {
  const file = `${site.directory}/saved.tar`;
  rmSync(file, { force: true });
  site.output(['save', '-o', file, name]);
  other.output(['load', '-q', '-i', file]);
}

function assertNothingUnpacked(ended: Ended): void {
  assert.equal(ended.code, 0, ended.stderr);
  assert.doesNotMatch(ended.stderr, /Extracting/);
}

for (const { who, caller, skip } of CALLERS) {
  const site = skip === false ? new Site(caller) : undefined;
  if (site === undefined) {
    test(`layers of builds as ${who}`, { skip }, () => undefined);
    continue;
  }
  const other = new Site(caller);
  after(() => {
    site.close();
    other.close();
  });

  test(`a run of a fresh build unpacks nothing, and its layers are what its archives say (${who})`, () => {
    const ended = site.build(RICH, FILES, ['-t', 'rich']);
    assert.equal(ended.code, 0, ended.stderr);
    const before = trees(site);
    assert.equal(before.size, site.image('rich:latest').layers.length);
    assertNothingUnpacked(site.call(['run', '--rm', 'rich', 'cat', '/d/tree/a/b']));
    assert.deepEqual(trees(site), before);
    unpackedElsewhere(site, other, 'rich');
    for (const chain of before.keys()) {
      assert.deepEqual(facts(site, chain), facts(other, chain));
      assert.deepEqual(treeOf(site, chain), treeOf(other, chain));
    }
    site.output(['image', 'verify']);
  });

  test(`results are layers, and stay when the image goes (${who})`, () => {
    const dockerfile = 'FROM bb\nRUN echo kept > /kept\nRUN echo more >> /kept';
    assert.equal(site.build(dockerfile, {}, ['-t', 'goes']).code, 0);
    const steps = () => {
      const directory = `${site.dataRoot}/build/steps`;
      return readdirSync(directory).filter((name) =>
        lstatSync(`${directory}/${name}/upper`).isSymbolicLink(),
      );
    };
    const links = steps().map((name) => readlinkSync(`${site.dataRoot}/build/steps/${name}/upper`));
    for (const link of links) assert.match(link, /^\.\.\/\.\.\/\.\.\/layers\/[0-9a-f]{64}\/tree$/);
    const before = steps().length;
    site.output(['rmi', 'goes']);
    assert.equal(steps().length, before);
    const again = site.build(`${dockerfile}\nRUN cat /kept > /copy`, {}, ['-t', 'again']);
    assert.equal(again.code, 0, again.stderr);
    assert.equal(cached(again), 2);
    assert.equal(site.output(['run', '--rm', 'again', 'cat', '/copy']), 'kept\nmore');
    // Without the cache what no image has goes, and the images still run.
    site.output(['rmi', 'again']);
    const size = trees(site).size;
    site.output(['builder', 'prune', '-f']);
    assert.equal(steps().length, 0);
    assert.ok(trees(site).size < size);
    assert.equal(site.output(['run', '--rm', 'rich', 'cat', '/d/tree/a/b']), 'b');
    assert.equal(site.build(dockerfile, {}, ['-t', 'anew']).code, 0);
    assert.equal(site.output(['run', '--rm', 'anew', 'cat', '/kept']), 'kept\nmore');
  });

  test(`with SOURCE_DATE_EPOCH the archive differs from the tree, and is unpacked by the build (${who})`, () => {
    const args = ['-t', 'dated', '--build-arg', 'SOURCE_DATE_EPOCH=1000000000'];
    const ended = site.build('FROM bb\nRUN echo dated > /dated', {}, args);
    assert.equal(ended.code, 0, ended.stderr);
    const before = trees(site);
    assertNothingUnpacked(site.call(['run', '--rm', 'dated', 'stat', '-c', '%Y', '/dated']));
    assert.deepEqual(trees(site), before);
    assert.equal(site.output(['run', '--rm', '-q', 'dated', 'stat', '-c', '%Y', '/dated']), '1000000000');
  });

  test(`a run of a fresh commit unpacks nothing (${who})`, async () => {
    const running = site.start([
      'run',
      '--rm',
      '--name',
      'c',
      'bb',
      'sh',
      '-c',
      'echo 1 > /c; echo up; sleep 60',
    ]);
    await running.until(() => running.stdout.includes('up'), 'the container runs');
    site.output(['commit', 'c', 'committed']);
    running.child.kill('SIGKILL');
    await running.end();
    const before = trees(site);
    assertNothingUnpacked(site.call(['run', '--rm', 'committed', 'cat', '/c']));
    assert.deepEqual(trees(site), before);
    unpackedElsewhere(site, other, 'committed');
    const common = [...before.keys()].filter((chain) => trees(other).has(chain));
    assert.ok(common.length >= site.image('committed:latest').layers.length);
    for (const chain of common) assert.deepEqual(treeOf(site, chain), treeOf(other, chain));
    site.output(['system', 'repair']);
  });
}
