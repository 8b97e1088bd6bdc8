// Commands on images: output, exit codes, names that move, what is removed with what, damage.
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { skip } from '../harness/caisson.ts';
import { busyboxLayer, layer, oldArchive } from './image.ts';
import { World } from './world.ts';

if (skip !== false) test('commands on images', { skip }, () => undefined);
else declare(new World());

function declare(world: World): void {
  after(() => {
    world.close();
  });
  const base = busyboxLayer(world.directory);
  const first = { name: 'a/one:1', layers: [base, layer(['one', '1\n'])], config: { Labels: { k: 'v' } } };
  const second = { name: 'two:1', layers: [base, layer(['two', '2\n'])] };
  const file = world.file('images.tar', oldArchive(first, second));
  const load = () => {
    world.call(['image', 'prune', '-af']);
    world.output(['load', '-q', '-i', file]);
  };
  const failed = (args: readonly string[], message: RegExp, code = 1) => {
    const ended = world.call(args);
    assert.equal(ended.code, code, ended.stderr);
    assert.match(ended.stderr, message);
  };

  test('images: the table with the built-in image, filters and quiet', () => {
    load();
    const lines = world.output(['images']).split('\n');
    assert.match(lines[0] ?? '', /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE$/);
    assert.equal(lines.length, 4);
    assert.match(lines.at(-1) ?? '', /^host +<none> +built-in +N\/A +0B$/);
    const names = (filters: readonly string[]) =>
      world
        .output(['images', '--format', '{{.Repository}}', ...filters])
        .split('\n')
        .filter((name) => name !== '')
        .sort();
    assert.deepEqual(names([]), ['a/one', 'two']);
    assert.deepEqual(names(['-f', 'label=k']), ['a/one']);
    assert.deepEqual(names(['-f', 'label=k=other']), []);
    assert.deepEqual(names(['-f', 'reference=a/*']), ['a/one']);
    assert.deepEqual(names(['-f', 'reference=two*', '-f', 'reference=a/*']), ['a/one', 'two']);
    assert.deepEqual(names(['two']), ['two']);
    assert.deepEqual(names(['two:2']), []);
    failed(['images', '-f', 'nonsense=1'], /invalid filter 'nonsense'/);
    failed(['images', '--format', '{{.Nope}}'], /no entry for key "Nope"/, 64);
    assert.match(world.output(['images', '-q']), /^[0-9a-f]{12}\n[0-9a-f]{12}$/);
  });

  test('tag and rmi: names go one by one, and the image with the last', () => {
    load();
    const id = world.output(['images', '-q', '--no-trunc', 'two']);
    world.output(['tag', 'two:1', 'three']);
    world.output(['tag', id.slice(7, 19), 'two:again']);
    failed(
      ['rmi', id.slice(7, 15)],
      /conflict: unable to delete .* \(must be forced\) - image is referenced in multiple repositories/,
    );
    assert.equal(world.output(['rmi', 'two:again']), 'Untagged: two:again');
    assert.match(
      world.output(['rmi', 'three']),
      /^Untagged: three:latest\nUntagged: three@sha256:[0-9a-f]{64}$/,
    );
    const [blobs, layers] = world.counts();
    const last = world.output(['rmi', 'two:1']).split('\n');
    assert.equal(last[0], 'Untagged: two:1');
    assert.equal(
      last.filter((line) => line.startsWith('Deleted: ')).length,
      2,
      'the image and its own layer',
    );
    const after = world.counts();
    assert.deepEqual([blobs - after[0], layers - after[1]], [3, 1]);
    failed(['rmi', 'two:1'], /No such image: two:1/);
    assert.equal(world.call(['rmi', '-f', 'two:1']).code, 0);
    failed(['tag', 'none', 'x'], /No such image: none:latest/);
    failed(['tag', 'a/one:1', 'Bad'], /invalid reference/);
    failed(['tag', 'a/one:1', `x@sha256:${'a'.repeat(64)}`], /digest reference/);
  });

  test('a name that moves leaves its image without one, until it is pruned', () => {
    load();
    world.output(['tag', 'two:1', 'a/one:1']);
    const dangling = world.output([
      'images',
      '-f',
      'dangling=true',
      '--format',
      '{{.Repository}}:{{.Tag}} {{.ID}}',
    ]);
    assert.match(dangling, /^<none>:<none> [0-9a-f]{12}$/);
    assert.equal(world.output(['run', dangling.split(' ')[1] ?? '', 'cat', '/one']), '1');
    assert.match(
      world.output(['load', '-i', file]),
      /The image a\/one:1 already exists, renaming the old one with ID sha256:/,
    );
    world.output(['tag', 'two:1', 'a/one:1']);
    const pruned = world.output(['image', 'prune', '-f']);
    assert.match(pruned, /^Deleted Images:\ndeleted: sha256:[0-9a-f]{64}/);
    assert.match(pruned, /Total reclaimed space: [0-9.]+[kM]?B$/);
    assert.equal(world.output(['run', 'a/one:1', 'cat', '/two']), '2');
  });

  test('inspect: several, what is not there, templates, image IDs', () => {
    load();
    const both = world.call(['image', 'inspect', '-f', '{{index .RepoTags 0}}', 'two:1', 'nope', 'a/one:1']);
    assert.equal(both.stdout, 'two:1\na/one:1\n');
    assert.equal(both.code, 1);
    assert.match(both.stderr, /No such image: nope:latest/);
    const id = world.output(['inspect', '-f', '{{.Id}}', 'two:1']);
    for (const text of [id, id.slice(7), id.slice(7, 12)])
      assert.equal(world.output(['inspect', '-f', '{{index .RepoTags 0}}', text]), 'two:1');
    const digest = world.output(['inspect', '-f', '{{index .RepoDigests 0}}', 'two:1']);
    assert.equal(world.output(['inspect', '-f', '{{.Id}}', digest]), id);
    const nothing = world.call(['inspect', 'nope']);
    assert.deepEqual([nothing.code, nothing.stdout], [1, '[]\n']);
    assert.match(
      world.output(['history', 'a/one:1']),
      /^IMAGE +CREATED +CREATED BY +SIZE +COMMENT\n[0-9a-f]{12} /,
    );
  });

  test('image verify sets aside what is damaged, and the image says what is missing', () => {
    load();
    assert.match(world.output(['image', 'verify']), /2 images, .*: all of them good$/);
    const directory = `${world.dataRoot}/blobs/sha256`;
    const layerBlob = world.output(['inspect', '-f', '{{index .RootFS.Layers 1}}', 'two:1']).slice(7);
    assert.ok(readdirSync(directory).includes(layerBlob));
    writeFileSync(`${directory}/${layerBlob}`, 'damaged');
    const found = world.call(['image', 'verify']);
    assert.equal(found.code, 1);
    assert.match(found.stdout, new RegExp(`blob sha256:${layerBlob}: .*; moved to .*/quarantine/`));
    assert.ok(!readdirSync(directory).includes(layerBlob));
    failed(['save', '-o', '/dev/null', 'two:1'], /missing|not in the store/);
    const config = world.output(['inspect', '-f', '{{.Id}}', 'two:1']).slice(7);
    writeFileSync(`${directory}/${config}`, 'damaged');
    assert.equal(world.call(['image', 'verify']).code, 1);
    assert.equal(world.output(['rmi', 'two:1']), 'Untagged: two:1', 'the name of a broken image goes');
    failed(['rmi', 'two:1'], /No such image/);
    world.output(['load', '-q', '-i', file]);
    assert.match(world.output(['image', 'verify']), /all of them good$/);
  });

  test('system df, prune and info', () => {
    load();
    const df = world.output(['system', 'df', '--format', '{{.Type}} {{.TotalCount}}']).split('\n');
    assert.deepEqual(df.slice(0, 2), ['Images 2', 'Containers 0']);
    assert.match(world.output(['system', 'df', '-v']), /a\/one +1 +[0-9a-f]{12} /);
    const asked = world.call(['system', 'prune', '-a'], { input: 'n\n' });
    assert.match(asked.stdout, /Are you sure you want to continue\? \[y\/N\] $/m);
    assert.equal(world.output(['images', '-q']).split('\n').length, 2);
    assert.match(world.call(['system', 'prune', '-a'], { input: 'y\n' }).stdout, /untagged: two:1/);
    assert.equal(world.output(['images', '-q']), '');
    assert.deepEqual(world.counts(), [0, 0]);
    assert.equal(
      world.output(['info', '-f', '{{.Driver}} {{.DockerRootDir}} {{.Images}}']),
      `overlay2 ${world.dataRoot} 0`,
    );
  });

  test('a wrong command line ends with 125, what fails with 1', () => {
    failed(['pull'], /requires/, 125);
    failed(['images', '--nope'], /unknown flag: --nope/, 125);
    failed(['save', '--format', 'zip', 'x'], /unknown format/, 125);
    failed(['save', 'none'], /No such image: none:latest/);
    failed(['load', '-i', '/no/such'], /no such file or directory/);
    failed(['login', '-u', 'x', '127.0.0.1:1'], /interactive login from a non TTY/);
    failed(['push', '127.0.0.1:1/none:1'], /No such image/);
    failed(['pull', '127.0.0.1:1/none:1'], /connection refused/);
  });

  test('archives of nothing good leave nothing behind', () => {
    load();
    const before = world.counts();
    for (const [content, message] of [
      ['', /archive|ends/],
      ['x'.repeat(10_000), /tar archive/],
      [oldArchive({ ...first, name: '../../etc:1' }).toString('latin1'), /invalid reference/],
      [
        oldArchive({ ...first, name: 'x:1', layers: [layer(['../../escape', 'x'])] }).toString('latin1'),
        /`..`/,
      ],
    ] as const) {
      const ended = world.call(['load'], { input: content });
      assert.equal(ended.code, 1, ended.stdout);
      assert.match(ended.stderr, message);
    }
    world.output(['image', 'prune', '-f']);
    assert.deepEqual(world.counts(), before);
  });
}
