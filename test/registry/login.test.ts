// login and logout: the file, helpers, and what other programs left there.

import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { storedCredentials } from '../../src/distribution/configuration/configuration.ts';
import { Secrets } from '../../src/distribution/http/redaction.ts';
import { checkLogin } from '../../src/distribution/login.ts';
import { FakeRegistry } from './fake-registry.ts';
import { FakeServer, saying } from './fake-server.ts';
import { failure, Home, shown } from './surroundings.ts';

const PASSWORD = { kind: 'password', user: 'alice', password: 'canary-pass' } as const;

let home: Home;
beforeEach(() => {
  home = new Home();
});
afterEach(() => home.remove());

const stored = () => storedCredentials(home.port, new Secrets());
const configFile = () => join(home.path, '.docker/config.json');

/** A helper that keeps what it is given in a folder, and notes its environment and arguments. */
function installHelper(name: string, directory = 'bin'): void {
  const folder = join(home.path, `vault-${name}`);
  mkdirSync(folder, { recursive: true });
  home.write(
    `${directory}/docker-credential-${name}`,
    `#!/bin/sh
env > ${folder}/environment; echo "$@" >> ${folder}/calls; pwd > ${folder}/directory
case "$1" in
store) cat > ${folder}/kept ;;
get) if [ -e ${folder}/kept ]; then cat ${folder}/kept; else echo "credentials not found in native keychain"; exit 1; fi ;;
erase) rm -f ${folder}/kept ;;
esac
`,
    0o755,
  );
}

const vault = (name: string, file: string) => readFileSync(join(home.path, `vault-${name}`, file), 'utf8');

test("login: into docker's file, for the owner alone; logout takes it out", async () => {
  assert.equal(await stored().store('r.example', PASSWORD), configFile());
  assert.equal(statSync(configFile()).mode & 0o777, 0o600);
  assert.equal(statSync(join(home.path, '.docker')).mode & 0o777, 0o700);
  const auth = Buffer.from('alice:canary-pass').toString('base64');
  assert.deepEqual(JSON.parse(readFileSync(configFile(), 'utf8')), { auths: { 'r.example': { auth } } });
  assert.deepEqual((await stored().find('r.example', 'x')).credentials, PASSWORD);
  assert.equal(await stored().erase('r.example'), true);
  assert.equal((await stored().find('r.example', 'x')).credentials, undefined);
  assert.equal(await stored().erase('r.example'), false);
  await stored().store('docker.io', PASSWORD);
  assert.deepEqual(Object.keys((JSON.parse(readFileSync(configFile(), 'utf8')) as { auths: object }).auths), [
    'https://index.docker.io/v1/',
  ]);
});

test('login: a file that is a link stays one, and what is in it stays', async () => {
  home.write('dotfiles/docker.json', '{"psFormat":"x","auths":{"other":{"auth":"YTpi"}}}', 0o644);
  mkdirSync(join(home.path, '.docker'));
  symlinkSync('../dotfiles/docker.json', configFile());
  await stored().store('r.example', PASSWORD);
  assert.ok(lstatSync(configFile()).isSymbolicLink());
  const document = JSON.parse(readFileSync(configFile(), 'utf8')) as { psFormat: string; auths: object };
  assert.equal(document.psFormat, 'x');
  assert.deepEqual(Object.keys(document.auths), ['other', 'r.example']);
  assert.equal(statSync(join(home.path, 'dotfiles/docker.json')).mode & 0o777, 0o600);
});

test('login: with a helper nothing of it is in the file', async () => {
  installHelper('vault');
  home.write('.docker/config.json', '{"credsStore":"vault"}');
  home.environment.LD_PRELOAD = '/tmp/evil.so';
  home.environment.NODE_OPTIONS = '--require /tmp/evil.js';
  home.environment.AWS_PROFILE = 'mine';
  assert.equal(await stored().store('r.example', PASSWORD), 'docker-credential-vault');
  assert.ok(!readFileSync(configFile(), 'utf8').includes('canary'));
  assert.deepEqual(JSON.parse(vault('vault', 'kept')), {
    ServerURL: 'r.example',
    Username: 'alice',
    Secret: 'canary-pass',
  });
  assert.deepEqual((await stored().find('r.example', 'x')).credentials, PASSWORD);
  const environment = vault('vault', 'environment');
  assert.match(environment, /^AWS_PROFILE=mine$/m);
  assert.ok(!/LD_PRELOAD|NODE_OPTIONS/.test(environment));
  assert.ok(!/canary/.test(vault('vault', 'calls')));
  assert.equal(vault('vault', 'directory').trim(), '/');
  assert.equal(await stored().erase('r.example'), true);
  assert.equal((await stored().find('r.example', 'x')).credentials, undefined);
});

test('login: an identity token with a helper', async () => {
  installHelper('vault');
  home.write('.docker/config.json', '{"credHelpers":{"r.example":"vault"}}');
  await stored().store('r.example', { kind: 'identity', token: 'canary-token', user: 'alice' });
  assert.equal((JSON.parse(vault('vault', 'kept')) as { Username: string }).Username, '<token>');
  assert.deepEqual((await stored().find('r.example', 'x')).credentials, {
    kind: 'identity',
    token: 'canary-token',
  });
  assert.equal((await stored().find('other.example', 'x')).credentials, undefined);
});

test('helpers: one that is missing, one that is no name, one that fails, one that talks', async () => {
  const cases: readonly (readonly [string, string | undefined, RegExp])[] = [
    ['missing', undefined, /docker-credential-missing is not installed/],
    ['../../bin/sh', undefined, /is no name of a credential helper/],
    [
      'fails',
      '#!/bin/sh\necho "locked: canary-pass" >&2; exit 3',
      /docker-credential-fails get failed: locked/,
    ],
    ['talks', '#!/bin/sh\necho canary-pass', /answers something else than JSON/],
  ];
  for (const [name, script, expected] of cases) {
    if (script !== undefined) home.write(`bin/docker-credential-${name}`, script, 0o755);
    home.write(
      '.docker/config.json',
      JSON.stringify({ credHelpers: { 'r.example': name }, auths: { 'r.example': { auth: 'YTpi' } } }),
    );
    const { credentials, source } = await stored().find('r.example', 'x');
    assert.equal(credentials, undefined, name);
    assert.match(source, expected);
    if (name !== 'talks')
      assert.equal((await failure(stored().store('r.example', PASSWORD))).code, 'ECREDHELPER');
  }
});

test('helpers: one that a relative PATH names is not run', async () => {
  installHelper('vault', 'relative');
  home.environment.PATH = `${relative(process.cwd(), join(home.path, 'relative'))}:.::${home.path}/none`;
  home.write('.docker/config.json', '{"credsStore":"vault"}');
  assert.match((await stored().find('r.example', 'x')).source, /not installed/);
});

test("files: podman's, REGISTRY_AUTH_FILE, DOCKER_CONFIG, and their order", async () => {
  const entry = (user: string) =>
    JSON.stringify({ auths: { 'r.example': { auth: Buffer.from(`${user}:p`).toString('base64') } } });
  const who = async () => {
    const { credentials } = await stored().find('r.example', 'x');
    return credentials?.kind === 'password' ? credentials.user : undefined;
  };
  home.write('.config/containers/auth.json', entry('config'));
  assert.equal(await who(), 'config');
  home.environment.XDG_RUNTIME_DIR = join(home.path, 'run');
  home.write('run/containers/auth.json', entry('runtime'));
  assert.equal(await who(), 'runtime');
  home.write('.docker/config.json', entry('docker'));
  assert.equal(await who(), 'docker');
  home.environment.DOCKER_CONFIG = join(home.path, 'elsewhere');
  home.write('elsewhere/config.json', entry('elsewhere'));
  assert.equal(await who(), 'elsewhere');
  home.environment.REGISTRY_AUTH_FILE = join(home.path, 'named.json');
  assert.equal(await who(), undefined);
  await stored().store('r.example', PASSWORD);
  assert.ok(existsSync(join(home.path, 'named.json')));
  assert.equal(await who(), 'alice');
  home.environment.REGISTRY_AUTH_FILE = join(home.path, 'named.json/no/folder');
  const error = await failure(stored().store('r.example', PASSWORD));
  assert.equal(error.code, 'EAUTHFILE');
  assert.match(error.message, /cannot be written/);
  home.environment.REGISTRY_AUTH_FILE = home.environment.DOCKER_CONFIG = home.environment.HOME = '';
  assert.match((await failure(stored().store('r.example', PASSWORD))).message, /no home directory/);
});

test('files: a broken one is told when a request is refused', async () => {
  home.write('.docker/config.json', '{"auths": canary');
  const { credentials, source } = await stored().find('r.example', 'x');
  assert.equal(credentials, undefined);
  assert.match(source, /config\.json: 1:\d+: it is not JSON/);
  assert.ok(!source.includes('canary'));
});

test('login: what is to be kept is what the registry gives', async () => {
  const fake = await new FakeRegistry().listen();
  const tokens = await new FakeServer().listen();
  fake.access = { kind: 'bearer', realm: () => `${tokens.url}/token`, accepts: (token) => token === 'good' };
  tokens.script(/^GET \/token/, saying(200, {}, '{"token":"good"}'));
  tokens.script(/offline_token=true/, saying(200, {}, '{"token":"good","refresh_token":"keep-this"}'));
  const configuration = await home.configuration();
  const kept = await checkLogin(configuration, fake.host, PASSWORD);
  assert.deepEqual(kept, { kind: 'identity', token: 'keep-this', user: 'alice' });
  tokens.script(/token/, saying(401, {}, '{"details":"incorrect username or password"}'));
  const error = await failure(checkLogin(configuration, fake.host, PASSWORD));
  assert.equal(error.code, 'EDENIED');
  assert.ok(!shown(error).includes('canary'));
  await fake.close();
  await tokens.close();
});
