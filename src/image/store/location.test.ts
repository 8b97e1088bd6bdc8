// Where a store is, and the configuration file.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Port } from '../../host/port.ts';
import { configurationFiles, parseConfiguration, readConfiguration } from './configuration.ts';
import { storeLocation } from './location.ts';

interface Machine {
  readonly uid?: number;
  readonly environment?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
}

function portOf({ uid = 0, environment = [], files = {} }: Machine): Port {
  const part: Pick<Port, 'uid' | 'environment' | 'cwd' | 'readFile'> = {
    uid,
    environment,
    cwd: '/work',
    readFile: (path) => files[path],
  };
  return Object.assign(Object.create(null), part) as Port;
}

test('a flag comes before the environment, that before the file, that before the default', async () => {
  const files = { '/etc/caisson/caisson.toml': '[storage]\ndata-root = "/from/file"\n' };
  const environment = ['CAISSON_DATA_ROOT=/from/variable'];
  const root = async (machine: Machine, flag?: string) => (await storeLocation(portOf(machine), flag)).root;
  assert.equal(await root({ files, environment }, '/from/flag'), '/from/flag');
  assert.equal(await root({ files, environment }), '/from/variable');
  assert.equal(await root({ files }), '/from/file');
  assert.equal(await root({}), '/var/lib/caisson');
  assert.equal(await root({ environment: ['CAISSON_DATA_ROOT='] }), '/var/lib/caisson');
  assert.equal(await root({}, 'relative/./x//'), '/work/relative/x');
  await assert.rejects(root({}, ''), { code: 'EUSAGE' });
});

test('an ordinary user has a store at home', async () => {
  const root = async (...environment: string[]) =>
    (await storeLocation(portOf({ uid: 1000, environment }))).root;
  assert.equal(await root('HOME=/home/u'), '/home/u/.local/share/caisson');
  assert.equal(await root('HOME=/home/u', 'XDG_DATA_HOME=/data'), '/data/caisson');
  assert.equal(await root('HOME=/home/u', 'XDG_DATA_HOME=data'), '/home/u/.local/share/caisson');
  await assert.rejects(root(), { code: 'EUSAGE' });
  await assert.rejects(root('HOME=x'), { code: 'EUSAGE' });
});

test("the user's file holds against the system's, key by key", async () => {
  const files = {
    '/etc/caisson/caisson.toml': '[storage]\ndata-root = "/a"\ndurability = "off"\n',
    '/home/u/.config/caisson/caisson.toml': '[storage]\ndata-root = "/b"\n',
    '/x/caisson/caisson.toml': '',
    '/own.toml': '[storage]\ndurability = "full"\n',
  };
  const read = (...environment: string[]) => readConfiguration(portOf({ environment, files }));
  assert.deepEqual((await read('HOME=/home/u')).storage, { dataRoot: '/b', durability: 'off' });
  assert.deepEqual((await read('HOME=/home/u', 'XDG_CONFIG_HOME=/x')).storage, {
    dataRoot: '/a',
    durability: 'off',
  });
  assert.deepEqual((await read('CAISSON_CONFIG=/own.toml')).storage, { durability: 'full' });
  assert.deepEqual(configurationFiles(portOf({})), ['/etc/caisson/caisson.toml']);
});

test('a configuration file that is wrong names file and key', async () => {
  const wrong = async (text: string, pattern: RegExp) => {
    await assert.rejects(parseConfiguration(text, '/f.toml'), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'ECONFIG');
      assert.match(error.message, pattern);
      assert.match(error.message, /^\/f\.toml: /);
      return true;
    });
  };
  await wrong('[storage', /./);
  await wrong('[stroage]', /stroage: no such setting; there is storage/);
  await wrong('storage = 1', /storage: expected a table/);
  await wrong(
    '[storage]\ndata_root = "/x"',
    /storage\.data_root: no such setting; there is storage\.data-root/,
  );
  await wrong('[storage]\ndata-root = "x"', /absolute path/);
  await wrong('[storage]\ndata-root = 3', /expected a string/);
  await wrong('[storage]\ndurability = "maybe"', /"full" or "off"/);
  await wrong('__proto__ = 1', /__proto__: no such setting/);
});
