// Tests of images' configurations: docker's rules of overriding, and what a hostile image gets (T43).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ImageConfig as Document, parseImageConfig } from '../../spec/image-config.ts';
import { stringifyJson } from '../../spec/json.ts';
import { imageConfigOf } from './image-config.ts';
import type { RunFlags } from './run-flags.ts';
import { compile, messageOf, ROOT_HOST } from './test-facts.ts';

function documentOf(config: object): Document {
  const rootfs = { type: 'layers', diff_ids: [] };
  return parseImageConfig(stringifyJson({ architecture: 'amd64', os: 'linux', config, rootfs }));
}

const image = (config: object) => imageConfigOf(documentOf(config).config);

const EXAMPLE = image({
  Entrypoint: ['/entry', '-x'],
  Cmd: ['serve', '--all'],
  Env: ['PATH=/opt/bin', 'A=image', 'B=image'],
  WorkingDir: '/srv/app',
  User: 'ana',
  StopSignal: 'SIGQUIT',
  Labels: { maker: 'image', both: 'image' },
  Volumes: { '/data': {}, '/var//lib/../lib/x': {} },
  ExposedPorts: { '80/tcp': {} },
});

test('entrypoint and command: all four ways to say them', () => {
  const args = (flags: object, command: string[]) =>
    compile(flags, ROOT_HOST, EXAMPLE, command).spec.process?.args;
  assert.deepEqual(args({}, []), ['/entry', '-x', 'serve', '--all']);
  assert.deepEqual(args({}, ['other']), ['/entry', '-x', 'other']);
  assert.deepEqual(args({ entrypoint: '/bin/sh' }, []), ['/bin/sh']);
  assert.deepEqual(args({ entrypoint: '/bin/sh' }, ['-c', 'x']), ['/bin/sh', '-c', 'x']);
  assert.deepEqual(args({ entrypoint: '' }, ['x']), ['x']);
  assert.equal(
    messageOf(() => args({ entrypoint: '' }, [])),
    'no command specified: give one, or use an image that has one',
  );
});

test('environment, directory, user, stop signal and labels: flags win over the image', () => {
  const { spec, settings } = compile({}, ROOT_HOST, EXAMPLE, []);
  assert.deepEqual(
    spec.process?.env?.filter((line) => !line.startsWith('HOSTNAME=')),
    ['PATH=/opt/bin', 'A=image', 'B=image', 'HOME=/home/ana'],
  );
  assert.equal(spec.process?.cwd, '/srv/app');
  assert.deepEqual([spec.process?.user?.uid, spec.process?.user?.gid], [1000, 1001]);
  assert.equal(settings.stopSignal, 3);
  assert.deepEqual(settings.labels, { maker: 'image', both: 'image' });

  const over = compile(
    { env: ['A=flag'], workdir: '/else', user: '0', stopSignal: 'INT', label: ['both=flag'] },
    ROOT_HOST,
    EXAMPLE,
    [],
  );
  assert.ok(over.spec.process?.env?.includes('A=flag') && over.spec.process.env.includes('B=image'));
  assert.equal(over.spec.process?.cwd, '/else');
  assert.equal(over.spec.process?.user?.uid, 0);
  assert.equal(over.settings.stopSignal, 2);
  assert.deepEqual(over.settings.labels, { maker: 'image', both: 'flag' });
});

test('the volumes of the image are anonymous ones, where nothing else is mounted', () => {
  const at = (flags: RunFlags) =>
    (compile(flags, ROOT_HOST, EXAMPLE, []).spec.mounts ?? [])
      .filter(({ source }) => source?.startsWith('/v/') === true)
      .map(({ destination, options }) => `${destination} ${options?.join()}`);
  const options = 'rbind,nosuid,nodev,rprivate';
  assert.deepEqual(at({ readOnly: true }), [`/data ${options}`, `/var/lib/x ${options}`]);
  assert.deepEqual(at({ volume: ['/srv:/data'], tmpfs: ['/var/lib/x'] }), []);
  assert.deepEqual(at({ volume: ['named:/data:ro'] }), [
    '/data rbind,rro,nosuid,nodev,rprivate',
    `/var/lib/x ${options}`,
  ]);
});

test('a hostile configuration gets nothing outside its root (T43)', () => {
  const hostile = image({
    Cmd: ['sh'],
    Volumes: { '/../../etc': {}, '/x/../../../host': {} },
    WorkingDir: '../../../../etc',
    Labels: { 'io.caisson.upper': '/etc', __proto__: { x: 'y' }, constructor: 'z' },
    Env: ['LD_PRELOAD=/evil.so', 'NO_EQUALS', 'PATH=/evil'],
    StopSignal: 'SIGNOTHING',
  });
  const { spec, settings } = compile({ readOnly: true }, ROOT_HOST, hostile, []);
  const volumes = spec.mounts?.filter(({ source }) => source?.startsWith('/v/'));
  assert.deepEqual(
    volumes?.map(({ destination }) => destination),
    ['/etc', '/host'],
  );
  assert.equal(spec.process?.cwd, '/etc');
  assert.equal(settings.stopSignal, 15);
  assert.equal(settings.upper, undefined);
  assert.equal(spec.hooks, undefined);
  assert.deepEqual(spec.annotations, undefined);
  assert.equal(settings.labels['io.caisson.upper'], '/etc');
});

/** Configuration, and what the refusal says. */
const REFUSED: readonly (readonly [object, RegExp])[] = [
  [{ Volumes: { relative: {} } }, /volume "relative" cannot be mounted: invalid mount path/],
  [{ Volumes: { '/': {} } }, /destination can't be '\/'/],
  [{ User: '4294967296' }, /out of range/],
  [{ User: '-1' }, /unable to find user -1/],
  [{ User: 'nobody-here' }, /unable to find user nobody-here/],
  [{ Cmd: [''] }, /the command is empty/],
];

for (const [config, expected] of REFUSED) {
  test(`refused: ${JSON.stringify(config)}`, () => {
    assert.match(
      messageOf(() => compile({}, ROOT_HOST, image({ Cmd: ['sh'], ...config }), [])),
      expected,
    );
  });
}

test('a user whose name is a number is that number (CVE-2016-3697)', () => {
  const { spec } = compile({}, ROOT_HOST, image({ Cmd: ['sh'], User: '1000' }), []);
  assert.equal(spec.process?.user?.uid, 1000);
});
