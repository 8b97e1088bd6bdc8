// `--secret`, and the warning about variables that look like one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunFlags } from './run-flags.ts';
import { neededSecrets, parseSecret } from './secrets.ts';
import { compile, messageOf, ROOT_HOST } from './test-facts.ts';

const of = (secret: readonly string[], secrets: readonly (readonly [string, string])[] = []) =>
  compile({ secret }, { ...ROOT_HOST, secrets: new Map(secrets) });

test('forms', () => {
  assert.deepEqual(parseSecret('id=db,src=./file'), {
    id: 'db',
    source: { file: './file' },
    target: '/run/secrets/db',
    mode: 0o444,
  });
  assert.deepEqual(parseSecret('env=DB_KEY,target=/etc/key,mode=0400'), {
    id: 'DB_KEY',
    source: { variable: 'DB_KEY' },
    target: '/etc/key',
    mode: 0o400,
  });
  assert.equal(parseSecret('source=/a/b.pem,type=mount,mode=600').target, '/run/secrets/b.pem');
  assert.equal(parseSecret('id=x,src=f,dst=other').target, '/run/secrets/other');
});

test('what is no secret', () => {
  for (const [text, expected] of [
    ['db', /the form is id=NAME,src=FILE/],
    ['id=db', /no store of secrets/],
    ['id=db,src=a,env=B', /exclude each other/],
    ['id=db,src=a,type=env', /a secret is a file/],
    ['id=../x,src=a', /is no name/],
    ['id=..,src=a', /is no name/],
    ['id=x,src=a,mode=9', /mode is octal/],
    ['id=x,src=a,mode=4755', /mode is octal/],
    ['id=x,src=a,colour=red', /unknown field colour/],
  ] as const) {
    assert.match(
      messageOf(() => of([text])),
      expected,
      text,
    );
  }
});

test('the content is in a file of the runtime directory alone, and the file is mounted read-only', () => {
  const text = 'id=db,src=file';
  const { spec, files, sources } = of([text], [[text, 'hunter2']]);
  assert.deepEqual(
    files.filter(({ secret }) => secret === true),
    [{ path: '/state/secret-0', content: 'hunter2', mode: 0o444, secret: true }],
  );
  assert.ok(!JSON.stringify(spec).includes('hunter2'));
  const mounts = spec.mounts ?? [];
  const at = mounts.findIndex(({ destination }) => destination === '/run/secrets/db');
  assert.deepEqual(mounts[at]?.options?.includes('ro'), true);
  assert.equal(sources.get(`/mounts/${at}`), `--secret ${text}`);
  const memory = mounts.findIndex(({ destination }) => destination === '/run/secrets');
  assert.equal(mounts[memory]?.type, 'tmpfs');
  assert.ok(memory < at);
});

test('refused: what is not there, what is too large, two at one place', () => {
  assert.throws(() => of(['id=db,src=gone']), /gone: no such file/);
  assert.throws(() => of(['env=GONE']), /GONE is not set in the environment of the command that starts/);
  assert.throws(
    () => of(['id=x,src=f'], [['id=x,src=f', 'x'.repeat((500 << 10) + 1)]]),
    /more than 512000 bytes/,
  );
  const two = ['id=x,src=a', 'id=x,src=b'];
  assert.throws(
    () =>
      of(
        two,
        two.map((text) => [text, '']),
      ),
    /another secret at \/run\/secrets\/x/,
  );
});

test('nothing that flags mount hides a secret, or is hidden by its directory', () => {
  const text = 'id=db,src=file';
  const order = (flags: RunFlags) =>
    (
      compile({ ...flags, secret: [text] }, { ...ROOT_HOST, secrets: new Map([[text, '']]) }).spec.mounts ??
      []
    ).flatMap(({ destination, type }) => (destination.startsWith('/run') ? [`${type} ${destination}`] : []));
  const secret = 'bind /run/secrets/db';
  assert.deepEqual(order({ tmpfs: ['/run'] }), ['tmpfs /run', 'tmpfs /run/secrets', secret]);
  assert.deepEqual(order({ volume: ['/srv:/run/secrets'] }), ['bind /run/secrets', secret]);
  assert.match(
    messageOf(() => order({ volume: ['/srv:/run/secrets/db'] })),
    /duplicate mount point: \/run\/secrets\/db/,
  );
  assert.match(
    messageOf(() => order({ mountNs: 'host' })),
    /--secret id=db,src=file/,
  );
});

test('what is needed, by the text of its flag', () => {
  assert.deepEqual(neededSecrets({ secret: ['id=a,src=f', 'env=B'] }), [
    ['id=a,src=f', { file: 'f' }],
    ['env=B', { variable: 'B' }],
  ]);
});

test('variables that look like a secret are told of, without their value', () => {
  const warned = (flags: RunFlags, image = {}) => compile(flags, ROOT_HOST, image).warnings;
  for (const name of [
    'PGPASSWORD',
    'MYSQL_ROOT_PASSWORD',
    'api_key',
    'GITHUB_TOKEN',
    'AWS_SECRET_ACCESS_KEY',
  ]) {
    const [line, ...others] = warned({ env: [`${name}=hunter2`] });
    assert.deepEqual(others, []);
    assert.ok(line?.startsWith(`--env ${name} looks like a secret: /proc/PID/environ`), line);
    assert.ok(!line?.includes('hunter2') && !line?.includes('\n'));
  }
  assert.equal(warned({ env: ['GITHUB_TOKEN'] }).length, 1, 'from the environment of the caller');
  for (const env of ['PATH=/bin', 'KEYBOARD=de', 'TOKEN=', 'PASSAGE=1', 'MONKEY=1', 'PASSED=1'])
    assert.deepEqual(warned({ env: [env] }), [], env);
  assert.deepEqual(warned({}, { Env: ['SECRET_KEY_BASE=x'] }), [], "an image's own");
});
