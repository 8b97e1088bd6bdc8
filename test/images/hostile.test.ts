// Hostile images (T35, T43, T44): whatever configuration and layers say, nothing of the host is read, written or waited for.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { CALLERS } from './callers.ts';
import { busyboxLayer, type ImageParts, layer, type Member, oldArchive } from './image.ts';
import { World } from './world.ts';

for (const { who, caller, skip } of CALLERS) {
  if (skip !== false) {
    test(`hostile images of ${who}`, { skip }, () => undefined);
    continue;
  }
  const world = new World(caller);
  const canary = `${world.directory}/canary`;
  mkdirSync(canary);
  writeFileSync(`${canary}/passwd`, 'canary:x:4242:4242::/canary:/bin/sh\n');
  world.harness.own(canary);
  const kept = readFileSync(`${canary}/passwd`, 'utf8');
  after(() => {
    assert.deepEqual(readdirSync(canary), ['passwd'], 'a file on the host');
    assert.equal(readFileSync(`${canary}/passwd`, 'utf8'), kept);
    world.close();
  });
  const base = busyboxLayer(world.directory);
  const link = (name: string, linkName: string): Member => [{ name, type: '2', linkName }];

  /** Runs a command in an image that is loaded for it alone. */
  const run = (
    parts: Omit<ImageParts, 'name' | 'layers'> & { layers?: readonly Buffer[] },
    ...command: string[]
  ) => {
    const archive = oldArchive({ name: 'evil:1', ...parts, layers: [base, ...(parts.layers ?? [])] });
    const loaded = world.call(['load', '-q', '-i', world.file('evil.tar', archive)]);
    if (loaded.code !== 0) return loaded;
    const began = Date.now();
    const ended = world.call(['run', 'evil:1', ...command]);
    assert.ok(Date.now() - began < 15_000, 'it took its time');
    world.assertNoPlaces();
    return ended;
  };

  /** What /etc/passwd of the image is, and the user `canary` of the host's file is not found by any of them. */
  const PASSWD: readonly (readonly [string, Member])[] = [
    ['a link to a file of the host', link('etc/passwd', `${canary}/passwd`)],
    ['a link upwards', link('etc/passwd', `../../../../../../../..${canary}/passwd`)],
    ['a FIFO', [{ name: 'etc/passwd', type: '6' }]],
    ['a directory', [{ name: 'etc/passwd/', type: '5' }]],
  ];
  for (const [what, member] of PASSWD) {
    test(`${who}: passwd is ${what}`, () => {
      const layers = [layer(['etc/.wh.passwd']), layer(member)];
      const { code, stderr } = run({ layers, config: { User: 'canary' } }, 'true');
      assert.equal(code, 125);
      assert.doesNotMatch(stderr, /4242/);
    });
  }

  test(`${who}: a passwd of many lines, and users that are numbers`, () => {
    const lines = 'x:x:1:1::/:/bin/sh\n'.repeat(60_000);
    assert.equal(run({ layers: [layer(['etc/passwd', lines])] }, 'id', '-u').code, 125);
    const named = layer(['etc/passwd', '4294967295:x:0:0::/:/bin/sh\n1000:x:0:0::/:/bin/sh\n']);
    assert.equal(run({ layers: [named], config: { User: '1000' } }, 'id', '-u').stdout, '1000\n');
    for (const User of ['4294967295', '4294967296', '-1', '0x0', '1:99999999999'])
      assert.equal(run({ config: { User } }, 'id', '-u').code, 125, User);
  });

  test(`${who}: directories that lead to the host: nothing appears there`, () => {
    for (const name of ['etc', 'dev', 'proc', 'sys', 'tmp', 'run', 'data']) {
      const layers = [layer([`.wh.${name}`]), layer(link(name, canary))];
      run({ layers, config: { Volumes: { '/data': {} }, WorkingDir: '/data/work' } }, 'true');
      assert.deepEqual(readdirSync(canary), ['passwd'], name);
    }
  });

  test(`${who}: volumes and working directories with dots stay inside`, () => {
    const config = {
      Volumes: { [`/../../..${canary}`]: {}, '/x/../../../y': {} },
      WorkingDir: `../../../..${canary}`,
    };
    assert.equal(run({ config }, 'pwd').stdout, `${canary}\n`);
    world.call(['run', '--read-only', 'evil:1', 'touch', `${canary}/made`]);
    assert.deepEqual(readdirSync(canary), ['passwd']);
    assert.notEqual(run({ config: { Volumes: { relative: {} } } }, 'true').code, 0);
  });

  test(`${who}: the environment of an image reaches no program of the host, and its labels mean nothing`, () => {
    const Env = [
      'LD_PRELOAD=/evil.so',
      'NODE_OPTIONS=--require=/evil.js',
      'BUN_INSPECT=1',
      'PATH=/bin',
      'CAISSON_DATA_ROOT=/evil',
    ];
    const Labels = {
      'io.caisson.upper': canary,
      'io.containerd.runc.v2.group': 'x',
      'org.opencontainers.image.ref.name': 'other:1',
    };
    const { code, stdout } = run({ config: { Env, Labels } }, '/bin/busybox', 'env');
    assert.equal(code, 0);
    assert.match(stdout, /^LD_PRELOAD=\/evil\.so$/m);
    assert.equal(world.output(['images', '-q', 'other']), '');
  });

  test(`${who}: configurations that no container can have`, () => {
    const huge = { Entrypoint: ['echo', 'x'.repeat(5_000_000)] };
    assert.notEqual(run({ config: huge }, 'true').code, 0);
    for (const config of [
      { Env: 'PATH=/bin' },
      { Cmd: { a: 1 } },
      { Env: ['A=\0'] },
      { Cmd: [1] },
      { Labels: { a: 1 } },
    ]) {
      const { code, stderr } = run({ config }, 'true');
      assert.equal(code, 1, JSON.stringify(config));
      assert.match(stderr, /image configuration|config/);
    }
    const deep = JSON.parse(`${'{"a":'.repeat(150)}1${'}'.repeat(150)}`) as object;
    assert.equal(run({ config: { Extra: deep } }, 'true').code, 1);
  });

  test(`${who}: layers that are not those of the configuration`, () => {
    world.call(['image', 'prune', '-af']);
    const whole = oldArchive({ name: 'evil:1', layers: [base] }).toString('latin1');
    const swapped = whole.replace(
      /"diff_ids":\["sha256:[0-9a-f]{64}"\]/,
      `"diff_ids":["sha256:${'a'.repeat(64)}"]`,
    );
    const { code, stderr } = world.call(['load'], { input: swapped });
    assert.equal(code, 1);
    assert.match(stderr, /unpacks to sha256:.*the image's configuration says sha256:aaaa/);
    assert.equal(world.output(['images', '-q']), '');
  });
}
