// `--build-context`: directories, images and image layouts under names, which stand before stages and images.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { ROOT, skip } from '../harness/caisson.ts';
import { CALLERS } from '../images/callers.ts';
import { readText } from '../images/world.ts';
import { cached, Site } from './site.ts';

for (const { who, caller, skip: reason } of CALLERS) {
  const site = reason === false ? new Site(caller) : undefined;
  if (site === undefined) {
    test(`named contexts as ${who}`, { skip: reason }, () => undefined);
    continue;
  }
  after(() => {
    site.close();
  });

  test(`a directory: COPY and RUN --mount from it, with its own ignore file (${who})`, () => {
    const other = site.context({ 'a/b': 'other\n', secret: '', '.dockerignore': 'secret\n' });
    const args = ['--build-context', `Other=${other}`];
    const dockerfile =
      'FROM bb AS other\nRUN false\nFROM bb\nCOPY --from=other . /all\nRUN --mount=from=other,target=/m cp /m/a/b /copy';
    const shown = site.show(dockerfile, 'ls -A /all /all/a; cat /copy; cat /all/a/b', {}, args);
    assert.equal(shown, '/all:\n.dockerignore\na\n\n/all/a:\nb\nother\nother');
    // What it holds decides, wherever it is.
    const same = site.context({ 'a/b': 'other\n', '.dockerignore': 'secret\n' });
    assert.equal(cached(site.build(dockerfile, {}, ['--build-context', `other=${same}`])), 2);
    site.put(`${same}/a/b`, 'changed\n');
    assert.equal(cached(site.build(dockerfile, {}, ['--build-context', `other=${same}`])), 0);
    const ignored = site.build('FROM bb\nCOPY --from=other secret /', {}, args);
    assert.match(ignored.stderr, /2:19: secret: not found: .dockerignore excludes it/);
  });

  test(`an image in place of another, of a stage, of --from (${who})`, () => {
    assert.equal(site.build('FROM bb\nRUN echo mine > /mine', {}, ['-t', 'mine:7']).code, 0);
    const args = ['no.such.host/debian:12', 'stage'].flatMap((name) => [
      '--build-context',
      `${name}=docker-image://mine:7`,
    ]);
    const dockerfile =
      'FROM bb AS stage\nRUN false\nFROM no.such.host/debian:12\nCOPY --from=stage /mine /again\nRUN cat /mine /again > /both';
    assert.equal(site.show(dockerfile, 'cat /both', {}, args), 'mine\nmine');
  });

  test(`an OCI layout: by tag, by digest, the only one; what is damaged in it (${who})`, () => {
    assert.equal(site.build('FROM bb\nRUN echo layout > /l', {}, ['-t', 'laid:1']).code, 0);
    const { digest: topmost } = site.image('laid:1').layers.at(-1) ?? { digest: '' };
    const layout = `${site.directory}/layout`;
    mkdirSync(layout);
    site.output(['save', '--format', 'oci', '-o', `${site.directory}/laid.tar`, 'laid:1']);
    assert.equal(spawnSync('tar', ['xf', `${site.directory}/laid.tar`, '-C', layout]).status, 0);
    const { manifests } = JSON.parse(readText(`${layout}/index.json`)) as { manifests: { digest: string }[] };
    const other = new Site(caller);
    try {
      const build = (rest: string) =>
        other.build('FROM base\nRUN cat /l > /copy', {}, [
          '-t',
          'of',
          '--build-context',
          `base=oci-layout://${layout}${rest}`,
        ]);
      for (const rest of ['', ':1', `@${manifests[0]?.digest}`]) {
        const { code, stderr } = build(rest);
        assert.equal(code, 0, stderr);
      }
      assert.equal(other.output(['run', '--rm', 'of', 'cat', '/copy']), 'layout');
      assert.match(build(':2').stderr, /1:6: oci-layout:.*:2: it has no image 2/);
      other.output(['rmi', 'of']);
      other.output(['builder', 'prune', '-f']);
      const blob = `${layout}/blobs/${topmost.replace(':', '/')}`;
      writeFileSync(blob, 'x'.repeat(readText(blob).length));
      assert.match(build('').stderr, /1:6: .*sha256:/);
      rmSync(blob);
      symlinkSync('/etc/passwd', blob);
      assert.match(build('').stderr, /1:6: oci-layout:.*sha256:[0-9a-f]+ is missing/);
    } finally {
      other.close();
    }
  });
}

const site = skip === false ? new Site(ROOT) : undefined;
after(() => site?.close());

test('what a named context cannot be', { skip }, () => {
  assert.ok(site !== undefined);
  for (const [flag, dockerfile, pattern] of [
    ['noname', 'FROM bb', /invalid --build-context noname: expected NAME=PATH/],
    [
      'a=/no/such/place',
      'FROM bb',
      /invalid --build-context a=\/no\/such\/place: there is no such directory/,
    ],
    ['a=ftp://x/y', 'FROM bb', /invalid --build-context a=ftp:.*a path, a repository/],
    ['a=oci-layout:///no/such', 'FROM a', /1:6: .*\/no\/such: no such file/],
    [`a=${site.directory}`, 'FROM a', /1:6: a is a directory \(--build-context\).*COPY --from=a/],
  ] as const) {
    const { code, stderr } = site.build(dockerfile, {}, ['--build-context', flag]);
    assert.notEqual(code, 0);
    assert.match(stderr, pattern);
  }
});

test('extended attributes and capabilities of files of a context come along', { skip }, () => {
  assert.ok(site !== undefined);
  const context = site.context({ Dockerfile: 'FROM bb\nCOPY tree /tree', 'tree/f': 'f', 'tree/d/g': 'g' });
  const script = [
    'import os, sys, struct',
    'os.setxattr("tree/f", "user.note", b"of a file")',
    'os.setxattr("tree/d", "user.note", b"of a directory")',
    'os.setxattr("tree/d/g", "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0))',
    'os.setxattr("tree/f", "trusted.overlay.opaque", b"y")',
  ].join('\n');
  const made = spawnSync('python3', ['-c', script], { cwd: context, encoding: 'utf8' });
  assert.equal(made.status, 0, made.stderr);
  assert.equal(site.call(['build', '-q', '-t', 'attributes', context]).code, 0);
  const layers = `${site.dataRoot}/layers`;
  const tree = readdirSync(layers)
    .map((name) => `${layers}/${name}/tree/tree`)
    .find((path) => spawnSync('test', ['-d', path]).status === 0);
  assert.ok(tree !== undefined);
  const list = [
    'import os, sys',
    'for name in ["f", "d", "d/g"]:',
    '  path = os.path.join(sys.argv[1], name)',
    '  print(name, [(key, os.getxattr(path, key).hex()) for key in sorted(os.listxattr(path))])',
  ].join('\n');
  const { stdout } = spawnSync('python3', ['-c', list, tree], { encoding: 'utf8' });
  const hex = (text: string) => Buffer.from(text).toString('hex');
  assert.deepEqual(stdout.trim().split('\n'), [
    `f [('user.note', '${hex('of a file')}')]`,
    `d [('user.note', '${hex('of a directory')}')]`,
    "d/g [('security.capability', '0100000200040000000000000000000000000000')]",
  ]);
});
