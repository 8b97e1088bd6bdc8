// A real registry, Debian's docker-registry: plain, with a password, with TLS, and behind a relay that breaks connections.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkLogin } from '../../src/distribution/login.ts';
import { searchRegistry } from '../../src/distribution/search.ts';
import { parseReference } from '../../src/spec/reference.ts';
import { BreakingRelay } from './breaking-proxy.ts';
import { DockerRegistry, type DockerRegistryOptions, missing } from './docker-registry.ts';
import { collect, described, failure, Home, noise, open, piecesOf } from './surroundings.ts';
import { Authority } from './tls-files.ts';
import { TokenService } from './token-service.ts';

const LAYERS = [noise(3 << 20, 1), noise(200, 2), noise(9 << 20, 3)];

/** Pushes an image of three layers, pulls it again and compares everything. */
async function pushAndPull(home: Home, host: string): Promise<void> {
  const name = `${host}/team/app:1`;
  const ref = parseReference(name);
  const push = await open(home, name, 'push', PATIENT);
  const config = {
    ...described(Buffer.from('{"os":"linux"}')),
    mediaType: 'application/vnd.oci.image.config.v1+json',
  };
  const blobs = [Buffer.from('{"os":"linux"}'), ...LAYERS];
  await Promise.all(blobs.map((bytes) => push.registry.uploadBlob(described(bytes), piecesOf(bytes))));
  const document = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config,
    layers: LAYERS.map(described),
  };
  const put = await push.registry.putManifest(ref, document.mediaType, Buffer.from(JSON.stringify(document)));
  push.registry.close();
  const pull = await open(home, name, 'pull', PATIENT);
  const descriptor = await pull.registry.resolve(ref);
  assert.deepEqual(descriptor, put);
  const manifest = await pull.registry.manifest(descriptor);
  assert.deepEqual(JSON.parse(Buffer.from(manifest.bytes).toString()), document);
  const all = await Promise.all(
    LAYERS.map(async (bytes) => collect((await pull.registry.blob(described(bytes), 0)).content)),
  );
  for (const [index, bytes] of LAYERS.entries()) assert.ok(all[index]?.equals(bytes));
  assert.deepEqual(await pull.registry.tags(), ['1']);
  pull.registry.close();
}

const PATIENT = { limits: { headerTime: 20_000, idleTime: 20_000 }, retries: { attempts: 8 } };

async function withRegistry(
  options: DockerRegistryOptions,
  run: (registry: DockerRegistry, home: Home) => Promise<void>,
) {
  const home = new Home();
  const registry = await DockerRegistry.start(options);
  try {
    await run(registry, home);
  } finally {
    await registry.stop();
    home.remove();
  }
}

test('docker-registry: push and pull, mount, offsets, referrers by tag, catalog', {
  skip: missing,
}, async () => {
  await withRegistry({}, async (server, home) => {
    await pushAndPull(home, server.host);
    const { registry } = await open(home, `${server.host}/other/app:2`, 'push', PATIENT);
    const large = described(LAYERS[2] ?? Buffer.alloc(0));
    assert.equal(await registry.hasBlob(large), false);
    assert.equal(await registry.mount(large, 'team/app'), true);
    assert.equal(await registry.hasBlob(large), true);
    const part = await registry.blob(large, 5_000_000);
    assert.equal(part.offset, 5_000_000);
    assert.equal((await collect(part.content)).length, large.size - 5_000_000);
    const subject = await (await open(home, `${server.host}/team/app:1`)).registry.resolve(
      parseReference(`${server.host}/team/app:1`),
    );
    assert.deepEqual(await registry.referrers(subject), []);
    const configuration = await home.configuration(PATIENT);
    const found = await searchRegistry(configuration, server.host, 'APP', 10, () => undefined);
    assert.deepEqual(
      found.map(({ name }) => name),
      [`${server.host}/other/app`, `${server.host}/team/app`].filter((name) =>
        found.some((each) => each.name === name),
      ),
    );
    assert.ok(found.length >= 1);
    assert.equal(
      (await failure(registry.manifest(parseReference(`${server.host}/other/app:9`)))).code,
      'ENOTFOUND',
    );
    registry.close();
  });
});

test('docker-registry: with a password; the wrong one and none are refused', { skip: missing }, async () => {
  await withRegistry({ auth: true }, async (server, home) => {
    const name = `${server.host}/team/app:1`;
    const none = await open(home, name);
    assert.equal((await failure(none.registry.resolve(parseReference(name)))).code, 'EDENIED');
    none.registry.close();
    const configuration = await home.configuration(PATIENT);
    const wrong = { kind: 'password', user: 'alice', password: 'wrong' } as const;
    assert.equal((await failure(checkLogin(configuration, server.host, wrong))).code, 'EDENIED');
    const right = { ...wrong, password: 'canary-pass' };
    assert.deepEqual(await checkLogin(configuration, server.host, right), right);
    home.login({ [server.host]: ['alice', 'canary-pass'] });
    await pushAndPull(home, server.host);
  });
});

test('docker-registry: with TLS', { skip: missing }, async () => {
  const authority = new Authority();
  try {
    await withRegistry({ tls: authority.sign('IP:127.0.0.1'), auth: true }, async (server, home) => {
      home.login({ [server.host]: ['alice', 'canary-pass'] });
      home.write(`.config/containers/certs.d/${server.host}/ca.crt`, authority.certificate);
      await pushAndPull(home, server.host);
    });
  } finally {
    authority.remove();
  }
});

test('docker-registry: with tokens; scopes, mounts, tokens that end', { skip: missing }, async () => {
  const authority = new Authority();
  const service = await new TokenService(authority.sign('DNS:tokens'), 'alice', 'canary-pass').listen();
  const tokens = { realm: `${service.url}/token`, certificate: authority.certificate };
  try {
    await withRegistry({ tokens }, async (server, home) => {
      const name = `${server.host}/team/app:1`;
      const none = await open(home, name);
      assert.equal((await failure(none.registry.resolve(parseReference(name)))).code, 'EDENIED');
      none.registry.close();
      home.login({ [server.host]: ['alice', 'canary-pass'] });
      service.seen.splice(0);
      await pushAndPull(home, server.host);
      // One for the push and one for the pull, however many blobs there are at once.
      assert.equal(service.seen.length, 2);
      // A token that ends at once is asked for again, each time.
      service.seconds = 1;
      const { registry } = await open(home, `${server.host}/other/app:1`, 'push', PATIENT);
      const large = described(LAYERS[2] ?? Buffer.alloc(0));
      assert.equal(await registry.mount(large, 'team/app'), true);
      await new Promise((resolve) => setTimeout(resolve, 1200));
      assert.equal(await registry.hasBlob(large), true);
      service.seconds = 300;
      service.readOnly.add('other/app');
      await new Promise((resolve) => setTimeout(resolve, 1200));
      const small = noise(10, 8);
      assert.equal((await failure(registry.uploadBlob(described(small), piecesOf(small)))).code, 'EDENIED');
      registry.close();
      const right = { kind: 'password', user: 'alice', password: 'canary-pass' } as const;
      const configuration = await home.configuration(PATIENT);
      assert.deepEqual(await checkLogin(configuration, server.host, right), right);
      const wrong = { ...right, password: 'other' };
      assert.equal((await failure(checkLogin(configuration, server.host, wrong))).code, 'EDENIED');
    });
  } finally {
    await service.close();
    authority.remove();
  }
});

test('docker-registry: behind a relay that breaks connections, everything arrives', {
  skip: missing,
}, async () => {
  const rounds = process.env.CAISSON_LONG === '1' ? 30 : 3;
  for (let seed = 1; seed <= rounds; seed++) {
    await withRegistry({ auth: true }, async (server, home) => {
      const relay = await new BreakingRelay(server.port, 7, 4 << 20, seed).listen();
      home.login({ [relay.host]: ['alice', 'canary-pass'] });
      await pushAndPull(home, relay.host);
      assert.ok(relay.broken >= 3, `broken: ${relay.broken}`);
      await relay.close();
    });
  }
});
