// Writing layers: what is read from a tree is unpacked as the same tree, and gives the same bytes each time.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { changeLines, treeChanges } from '../../src/image/layer/changes.ts';
import { type WriteOptions, type WrittenLayer, writeLayer } from '../../src/image/layer/write.ts';
import { OCI_LAYER_GZIP } from '../../src/spec/media-types.ts';
import { EVERYTHING } from './corpus.ts';
import {
  apply,
  type Caller,
  directory,
  listing,
  packed,
  place,
  portOf,
  skip,
  treeProgram,
} from './harness.ts';

async function written(
  path: string,
  options: Partial<WriteOptions> & { caller?: Caller } = {},
): Promise<{ bytes: Buffer; layer: WrittenLayer }> {
  const { caller = 'root', ...more } = options;
  const parts: Uint8Array[] = [];
  const full = { cause: 'test', form: 'plain', compression: 'gzip', ...more } as const;
  const layer = await writeLayer(portOf(caller), path, full, (chunk) => {
    parts.push(chunk.slice());
  });
  return { bytes: Buffer.concat(parts), layer };
}

test('everything, and back; twice the same bytes, whatever the order on disk', { skip }, async (t) => {
  const base = place(t);
  packed(base, 'all', EVERYTHING);
  const source = join(base, 'source-all');
  execFileSync(treeProgram(), ['--set', join(source, 'large'), 'user.long', '61'.repeat(2000)]);
  const { bytes, layer } = await written(source);
  const target = directory(base, 'target');
  const applied = await apply(bytes, target, { mediaType: OCI_LAYER_GZIP });
  assert.deepEqual(listing(target), listing(source));
  assert.equal(applied.diffId, layer.diffId);
  assert.equal(applied.size, layer.archiveSize);
  assert.equal(layer.size, bytes.length);
  const copy = directory(base, 'copy');
  // Other numbers of inodes, another order of names.
  execFileSync('sh', [
    '-c',
    'tar -C "$0" --sort=name -cf - --format=pax --xattrs --xattrs-include=* . | tar -C "$1" -xpf - --xattrs --xattrs-include=*',
    source,
    copy,
  ]);
  assert.equal((await written(copy)).layer.digest, layer.digest);
  const listed = execFileSync('tar', ['-tzf', '-', '--quoting-style=escape'], {
    input: bytes,
    encoding: 'latin1',
  });
  assert.equal(listed.trimEnd().split('\n').length, layer.members);
});

test('no time is later than the epoch; sockets and what is excluded are left out', { skip }, async (t) => {
  const base = place(t);
  const source = directory(base, 'source');
  writeFileSync(join(source, 'new'), 'x');
  execFileSync('sh', ['-c', 'touch -d @5 old; mkdir cache; touch cache/x'], { cwd: source });
  const server = (await import('node:net')).createServer().listen(join(source, 'socket'));
  await new Promise((resolve) => server.on('listening', resolve));
  const { bytes, layer } = await written(source, { epoch: 1000, exclude: (path) => path === 'cache' });
  server.close();
  assert.equal(layer.sockets, 1);
  const target = directory(base, 'target');
  await apply(bytes, target, { mediaType: OCI_LAYER_GZIP });
  assert.deepEqual(
    listing(target).map((line) => line.replace(/^(\S+) .* (\d+\.\d+) .*$/, '$1 $2')),
    ['./new 1000.000000000', './old 5.000000000'],
  );
});

/** A lower directory, and changes made to it through a mount of the kernel's. */
function changed(
  base: string,
  caller: 'root' | 'stranger',
  script: string,
): { lower: string; upper: string } {
  const lower = directory(base, 'lower', caller);
  const upper = directory(base, 'upper', caller);
  for (const name of ['work', 'point']) directory(base, name, caller);
  const make =
    'mkdir -p d/e f g h; echo x > d/x; echo y > d/e/y; echo f > f/file; echo g > g/file; echo s > same; echo h > h/one; ln -s same link';
  const option = caller === 'root' ? '' : ',userxattr';
  const all = `(cd ${lower} && ${make}) && mount -t overlay -o lowerdir=${lower},upperdir=${upper},workdir=${base}/work${option} none ${base}/point && cd ${base}/point && ${script}`;
  const enter = ['unshare', '-m', ...(caller === 'root' ? [] : ['-U', '-r']), 'sh', '-ec', all];
  const drop = caller === 'root' ? [] : ['setpriv', '--reuid', '65532', '--regid', '65532', '--clear-groups'];
  const [program = '', ...args] = [...drop, ...enter];
  execFileSync(program, args);
  return { lower, upper };
}

const CHANGES =
  'rm -r d/e; echo new > d/new; rm -r f; mkdir f; echo n > f/other; rm -r g; echo file > g; chmod 700 h; rm same; rm link; mkdir -p added/deep; echo a > added/deep/file; mv h/one h/two';

for (const caller of ['root', 'stranger'] as const) {
  test(`${caller}: an upper directory becomes a layer that makes the same changes again`, {
    skip,
  }, async (t) => {
    const base = place(t, caller);
    const { lower, upper } = changed(base, caller, CHANGES);
    const { bytes } = await written(upper, { caller, form: 'overlay' });
    const names = execFileSync('tar', ['-tzf', '-'], { input: bytes, encoding: 'latin1' })
      .trimEnd()
      .split('\n');
    for (const name of ['.wh.link', '.wh.same', 'd/.wh.e', 'f/.wh..wh..opq', 'h/.wh.one'])
      assert.ok(names.includes(name), `${name} of ${names}`);
    const merged = directory(base, 'merged', caller);
    execFileSync('cp', ['-a', `${lower}/.`, merged]);
    await apply(bytes, merged, { caller, form: 'merged', mediaType: OCI_LAYER_GZIP });
    const again = directory(base, 'again', caller);
    await apply(bytes, again, { caller, mediaType: OCI_LAYER_GZIP });
    const marks = (path: string) =>
      listing(path).map((line) =>
        line
          .replace(/ (trusted|user)\.overlay\.(origin|impure|uuid)=\S*/g, '')
          .replace(/ c 0(\d+) \S+ 0,0 .*/, ' gone'),
      );
    assert.deepEqual(marks(again), marks(upper));
    const shown = listing(merged).map((line) => line.split(' ')[0]);
    assert.deepEqual(shown, [
      './added',
      './added/deep',
      './added/deep/file',
      './d',
      './d/new',
      './d/x',
      './f',
      './f/other',
      './g',
      './h',
      './h/two',
    ]);
  });

  test(`${caller}: changes as docker diff lists them`, { skip }, async (t) => {
    const base = place(t, caller);
    const { lower, upper } = changed(base, caller, CHANGES);
    const changes = await treeChanges(portOf(caller), upper, [lower], { cause: 'test' });
    assert.deepEqual(changeLines(changes).trimEnd().split('\n'), [
      'A /added',
      'A /added/deep',
      'A /added/deep/file',
      'C /d',
      'D /d/e',
      'A /d/new',
      'C /f',
      'A /f/other',
      'C /g',
      'C /h',
      'D /h/one',
      'A /h/two',
      'D /link',
      'D /same',
    ]);
  });
}

test('changes against several layers, of which an upper one has removed something', { skip }, async (t) => {
  const base = place(t);
  const layers = ['bottom', 'middle', 'upper'].map((name) => directory(base, name));
  const [bottom = '', middle = '', upper = ''] = layers;
  for (const path of ['d', 'e']) {
    mkdirSync(join(bottom, path));
    writeFileSync(join(bottom, path, 'x'), '');
  }
  execFileSync(
    'sh',
    ['-c', 'mknod d c 0 0; mkdir e; "$0" --set e trusted.overlay.opaque 79', treeProgram()],
    { cwd: middle },
  );
  execFileSync('sh', ['-c', 'mkdir d e; touch d/x e/x; ln -s /etc out'], { cwd: upper });
  const changes = await treeChanges(portOf('root'), upper, [middle, bottom], { cause: 'test' });
  assert.equal(changeLines(changes), 'A /d\nA /d/x\nC /e\nA /e/x\nA /out\n');
});

test('a tree that changes while it is read: what becomes a link is left out (T30)', { skip }, async (t) => {
  const base = place(t);
  const outside = directory(base, 'outside');
  writeFileSync(join(outside, 'secret'), 'canary');
  const source = directory(base, 'source');
  for (let i = 0; i < 200; i++) {
    mkdirSync(join(source, `d${i}`));
    writeFileSync(join(source, `d${i}`, 'secret'), 'inside');
  }
  let batches = 0;
  const swap = () => {
    const path = join(source, `d${(batches * 7) % 200}`);
    batches++;
    rmSync(path, { recursive: true, force: true });
    symlinkSync(batches % 2 === 0 ? outside : join(outside, 'secret'), path);
  };
  const { bytes } = await written(source, { compression: 'none', check: swap });
  assert.ok(batches > 100);
  assert.ok(!bytes.includes('canary'));
  assert.ok(bytes.includes('inside'));
});

test('a name that would remove a file of another layer is refused', { skip }, async (t) => {
  const base = place(t);
  const source = directory(base, 'source');
  mkdirSync(join(source, 'd'));
  writeFileSync(join(source, 'd/.wh.x'), '');
  await assert.rejects(written(source, { form: 'overlay' }), /\/d\/\.wh\.x cannot be in a layer/);
});

test('an overlay that depends on others by more than names is refused', { skip }, async (t) => {
  const base = place(t);
  const source = directory(base, 'source');
  mkdirSync(join(source, 'd'));
  execFileSync(treeProgram(), ['--set', join(source, 'd'), 'trusted.overlay.redirect', '2f61']);
  await assert.rejects(written(source, { form: 'overlay' }), /redirect, which no image can hold/);
});
