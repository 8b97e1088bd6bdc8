// T50: credentials arrive at the right origin and nowhere else, and show nowhere.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { parseReference } from '../../src/spec/reference.ts';
import { FakeRegistry } from './fake-registry.ts';
import { FakeServer, saying, send } from './fake-server.ts';
import { addImage, collect, described, failure, Home, noise, open, piecesOf, shown } from './surroundings.ts';

const USER = 'alice';
const CANARY = 'canary-pass-w0rd';
const TOKEN = 'canary.bearer.token';

let home: Home;
let fake: FakeRegistry;
/** Another origin: where the registry leads. */
let foreign: FakeServer;
let tokens: FakeServer;
let image: ReturnType<typeof addImage>;

beforeEach(async () => {
  home = new Home();
  fake = await new FakeRegistry().listen();
  foreign = await new FakeServer().listen();
  tokens = await new FakeServer().listen();
  image = addImage(fake, 'team/app', '1', noise(5000));
  home.login({ [fake.host]: [USER, CANARY] });
});

afterEach(async () => {
  await Promise.all([fake.close(), foreign.close(), tokens.close()]);
  home.remove();
});

const name = () => `${fake.host}/team/app:1`;

function wantBasic(): void {
  fake.access = { kind: 'basic', user: USER, password: CANARY };
}

function wantToken(realm = `${tokens.url}/token`): void {
  fake.access = { kind: 'bearer', realm: () => realm, accepts: (token) => token === TOKEN };
  tokens.script(/^(GET|POST) \/token/, saying(200, {}, JSON.stringify({ token: TOKEN, expires_in: 300 })));
}

test('credentials: Basic goes to the registry, and only when it asks', async () => {
  wantBasic();
  const { registry } = await open(home, name());
  await registry.manifest(parseReference(name()));
  await collect((await registry.blob(image.layer, 0)).content);
  assert.equal(fake.seen[0]?.headers.authorization, undefined);
  assert.ok(fake.heard(CANARY));
  // Asked once, then known.
  assert.equal(fake.seen.filter(({ headers }) => headers.authorization === undefined).length, 1);
  registry.close();
});

test('credentials: a token by GET, once for several layers; the registry never sees the password', async () => {
  wantToken();
  const { registry } = await open(home, name());
  await registry.manifest(parseReference(name()));
  await Promise.all([1, 2, 3].map(async () => collect((await registry.blob(image.layer, 0)).content)));
  assert.equal(tokens.seen.length, 1);
  const url = new URL(tokens.seen[0]?.url ?? '', tokens.url);
  assert.deepEqual(url.searchParams.getAll('scope'), ['repository:team/app:pull']);
  assert.equal(url.searchParams.get('service'), 'fake');
  assert.ok(tokens.heard(CANARY));
  assert.ok(!fake.heard(CANARY));
  registry.close();
});

test('credentials: a challenge may name the repository in its own way, but not ask for more', async () => {
  const scope =
    'repository:team/app:pull,push repository:mirror/app:pull repository:other:* repository:a%b:pull x';
  const realm = `${tokens.url}/token`;
  fake.script(/v2/, (request, response) => {
    if (request.headers.authorization !== undefined) return false;
    return send(response, 401, { 'WWW-Authenticate': `Bearer realm="${realm}",scope="${scope}"` }, '');
  });
  tokens.script(/token/, saying(200, {}, '{"token":"x"}'));
  const { registry } = await open(home, name());
  await registry.manifest(parseReference(name()));
  const url = new URL(tokens.seen[0]?.url ?? '', tokens.url);
  assert.deepEqual(url.searchParams.getAll('scope'), [
    'repository:mirror/app:pull',
    'repository:team/app:pull',
  ]);
  registry.close();
});

test('credentials: an identity token goes by POST, in the body', async () => {
  home.write(
    '.docker/config.json',
    JSON.stringify({
      auths: { [fake.host]: { auth: Buffer.from('a:').toString('base64'), identitytoken: CANARY } },
    }),
  );
  wantToken();
  let form = '';
  tokens.script(/^POST/, async (request) => {
    for await (const chunk of request) form += String(chunk);
    return false;
  });
  const { registry } = await open(home, name(), 'push');
  await registry.uploadBlob(described(noise(10)), piecesOf(noise(10)));
  const fields = new URLSearchParams(form);
  assert.equal(fields.get('grant_type'), 'refresh_token');
  assert.equal(fields.get('refresh_token'), CANARY);
  assert.equal(fields.get('scope'), 'repository:team/app:pull,push');
  assert.ok(!tokens.heard(CANARY), 'not in the address');
  registry.close();
});

test('credentials: a token that ends is asked for again, one that is refused too', async () => {
  let good = 'one';
  fake.access = { kind: 'bearer', realm: () => `${tokens.url}/token`, accepts: (token) => token === good };
  tokens.script(/token/, (_, response) =>
    send(response, 200, {}, JSON.stringify({ access_token: good, expires_in: 300 })),
  );
  const { registry } = await open(home, name());
  await registry.manifest(parseReference(name()));
  good = 'two';
  await registry.manifest(parseReference(name()));
  assert.equal(tokens.seen.length, 2);
  // One that is known to have ended is not even tried.
  tokens.script(/token/, saying(200, {}, '{"token":"two","expires_in":1}'));
  const second = await open(home, name());
  await second.registry.manifest(parseReference(name()));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  good = 'three';
  tokens.script(/token/, saying(200, {}, '{"token":"three","expires_in":300}'));
  await second.registry.manifest(parseReference(name()));
  assert.equal(fake.seen.at(-2)?.headers.authorization, 'Bearer two');
  assert.equal(fake.seen.at(-1)?.headers.authorization, 'Bearer three');
  assert.equal(fake.seen.filter(({ headers }) => headers.authorization === 'Bearer two').length, 2);
  second.registry.close();
  registry.close();
});

test('credentials: a redirect to another origin gets none, whatever that answers', async () => {
  for (const want of [wantBasic, () => wantToken()]) {
    want();
    foreign.script(/blob/, saying(200, {}, noise(5000).toString('latin1')));
    fake.script(/blobs/, (request, response) => {
      if (request.headers.authorization === undefined) return false;
      return send(response, 307, { Location: `${foreign.url}/blob?X-Amz-Signature=abc` }, '');
    });
    foreign.script(/^GET \/blob/, (_, response) => send(response, 200, {}, noise(5000)));
    const first = await open(home, name());
    assert.ok((await collect((await first.registry.blob(image.layer, 0)).content)).equals(noise(5000)));
    foreign.script(/^GET \/blob/, saying(401, { 'WWW-Authenticate': `Basic realm="x"` }));
    const error = await failure(first.registry.blob(image.layer, 0));
    assert.equal(error.code, 'EDENIED');
    foreign.script(/^GET \/blob/, saying(401, { 'WWW-Authenticate': `Bearer realm="${foreign.url}/steal"` }));
    await failure(first.registry.blob(image.layer, 0));
    assert.equal(foreign.count(/steal/), 0);
    assert.ok(foreign.seen.length >= 3);
    assert.ok(foreign.seen.every(({ headers }) => headers.authorization === undefined));
    assert.ok(!foreign.heard(CANARY) && !foreign.heard(TOKEN));
    first.registry.close();
  }
});

test('credentials: away and back again is away', async () => {
  wantBasic();
  fake.script(/^GET .*blobs/, (request, response) => {
    if (request.headers.authorization === undefined) return false;
    return send(response, 307, { Location: `${foreign.url}/bounce` }, '');
  });
  foreign.script(/bounce/, (_, response) =>
    send(response, 307, { Location: `${fake.url}/v2/secret/manifests/x` }, ''),
  );
  const { registry } = await open(home, name());
  await failure(registry.blob(image.layer, 0));
  const last = fake.seen.at(-1);
  assert.equal(last?.url, '/v2/secret/manifests/x');
  assert.equal(last?.headers.authorization, undefined);
  registry.close();
});

test('credentials: an upload that goes on elsewhere goes on without them', async () => {
  wantBasic();
  fake.script(/^POST .*uploads/, (request, response) => {
    if (request.headers.authorization === undefined) return false;
    return send(response, 202, { Location: `${foreign.url}/session` }, '');
  });
  foreign.script(/^PUT \/session/, saying(401, { 'WWW-Authenticate': 'Basic realm="x"' }));
  const { registry } = await open(home, name(), 'push');
  const error = await failure(registry.uploadBlob(described(noise(10)), piecesOf(noise(10))));
  assert.equal(error.code, 'EDENIED');
  assert.equal(foreign.count(/^PUT/), 1);
  assert.ok(!foreign.heard(CANARY));
  registry.close();
});

test('credentials: a list does not go on elsewhere', async () => {
  wantBasic();
  fake.script(/tags/, (request, response) => {
    if (request.headers.authorization === undefined) return false;
    return send(response, 200, { Link: `<${foreign.url}/more>; rel="next"` }, '{"tags":["a"]}');
  });
  const { registry } = await open(home, name());
  assert.equal((await failure(registry.tags())).code, 'EREDIRECT');
  assert.equal(foreign.seen.length, 0);
  registry.close();
});

test('credentials: a token service on another host without TLS is not asked', async () => {
  // localhost is another host than 127.0.0.1, and reaches the same server.
  wantToken(`${tokens.url.replace('127.0.0.1', 'localhost')}/token`);
  const { registry } = await open(home, name());
  const error = await failure(registry.manifest(parseReference(name())));
  assert.equal(error.code, 'EREDIRECT');
  assert.equal(tokens.seen.length, 0);
  registry.close();
});

test('credentials: a token service that leads elsewhere is not followed', async () => {
  wantToken();
  tokens.script(/token/, saying(307, { Location: `${foreign.url}/token` }));
  const { registry } = await open(home, name());
  assert.equal((await failure(registry.manifest(parseReference(name())))).code, 'EREDIRECT');
  assert.equal(foreign.seen.length, 0);
  registry.close();
});

test('credentials: those of one registry are not for another', async () => {
  const other = await new FakeRegistry().listen();
  addImage(other, 'team/app', '1', noise(10));
  other.access = { kind: 'basic', user: USER, password: CANARY };
  const { registry } = await open(home, `${other.host}/team/app:1`);
  const error = await failure(registry.manifest(parseReference(`${other.host}/team/app:1`)));
  assert.equal(error.code, 'EDENIED');
  assert.match(error.details.join(), /nobody is logged in to 127\.0\.0\.1:\d+: caisson login/);
  assert.ok(!other.heard(CANARY));
  registry.close();
  await other.close();
});

test('credentials: 401 for ever ends after a few requests', async () => {
  let count = 0;
  fake.access = { kind: 'bearer', realm: () => `${tokens.url}/token`, accepts: () => false };
  tokens.script(/token/, (_, response) => send(response, 200, {}, JSON.stringify({ token: `t${count++}` })));
  const { registry } = await open(home, name());
  const error = await failure(registry.manifest(parseReference(name())));
  assert.equal(error.code, 'EDENIED');
  assert.ok(fake.seen.length <= 3 && tokens.seen.length <= 4, `${fake.seen.length} ${tokens.seen.length}`);
  registry.close();
});

test('credentials: no error and no event shows one, though all servers repeat what they hear', async () => {
  const echo =
    (status: number) =>
    (request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse) => {
      const { authorization = '' } = request.headers;
      const heard = `${authorization} ${authorization.split(' ')[1]} ${request.url} ${CANARY}`;
      const body = JSON.stringify({ errors: [{ code: 'DENIED', message: heard }] });
      return send(
        response,
        status,
        { 'WWW-Authenticate': `Basic realm="${heard.replaceAll('"', '')}"` },
        body,
      );
    };
  const texts: string[] = [];
  for (const status of [400, 401, 403, 404, 418, 429, 500]) {
    for (const want of [wantBasic, () => wantToken()]) {
      want();
      const { registry, events } = await open(home, name());
      fake.script(/v2/, (request, response) =>
        request.headers.authorization === undefined ? false : echo(status)(request, response),
      );
      texts.push(shown(await failure(registry.manifest(parseReference(name())))), JSON.stringify(events));
      texts.push(shown(await failure(registry.tags())), JSON.stringify(events));
      registry.close();
    }
  }
  wantToken();
  tokens.script(/token/, (request, response) => echo(403)(request, response));
  const { registry } = await open(home, name());
  texts.push(shown(await failure(registry.manifest(parseReference(name())))));
  registry.close();
  const all = texts.join('\n');
  assert.ok(all.includes('DENIED'));
  for (const secret of [CANARY, TOKEN, Buffer.from(`${USER}:${CANARY}`).toString('base64')]) {
    assert.ok(!all.includes(secret), `${secret} shows`);
  }
});
