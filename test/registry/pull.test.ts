// Pulling from a registry: manifests, blobs, ranges, tags and referrers, in good weather.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { parseReference, withTarget } from '../../src/spec/reference.ts';
import { FakeRegistry } from './fake-registry.ts';
import { saying, send } from './fake-server.ts';
import { addImage, collect, failure, Home, noise, open } from './surroundings.ts';

const home = new Home();
const fake = new FakeRegistry();
let image: ReturnType<typeof addImage>;

before(async () => {
  await fake.listen();
  image = addImage(fake, 'team/app', '1', noise(300_000));
});

after(async () => {
  await fake.close();
  home.remove();
});

const name = () => `${fake.host}/team/app:1`;

test('pull: a tag is resolved by HEAD alone, a manifest is verified, a blob streams', async () => {
  const { registry } = await open(home, name());
  const ref = parseReference(name());
  const seen = fake.seen.length;
  const descriptor = await registry.resolve(ref);
  assert.equal(descriptor.digest, image.digest);
  assert.deepEqual(
    fake.seen.slice(seen).map(({ method }) => method),
    ['HEAD'],
  );
  const { bytes } = await registry.manifest(descriptor);
  assert.deepEqual(JSON.parse(Buffer.from(bytes).toString()), image.document);
  const { offset, content } = await registry.blob(image.layer, 0);
  assert.equal(offset, 0);
  assert.ok((await collect(content)).equals(noise(300_000)));
  registry.close();
});

test('pull: one connection is enough for one request after the other', async () => {
  const own = await new FakeRegistry().listen();
  const { layer } = addImage(own, 'a', 'x', noise(100_000));
  own.access = { kind: 'basic', user: 'u', password: 'secret' };
  const someone = new Home();
  someone.login({ [own.host]: ['u', 'secret'] });
  const { registry } = await open(someone, `${own.host}/a:x`);
  await registry.resolve(parseReference(`${own.host}/a:x`));
  await registry.hasBlob(layer);
  await collect((await registry.blob(layer, 0)).content);
  await registry.tags();
  await failure(registry.manifest(parseReference(`${own.host}/a:none`)));
  await registry.tags();
  // The first is the attempt at TLS.
  assert.equal(own.accepted, 2);
  registry.close();
  someone.remove();
  await own.close();
});

test('pull: GET where a registry does not answer HEAD, or not in full', async () => {
  for (const answer of [saying(405), saying(404), saying(200, { 'Content-Type': 'text/plain' })]) {
    const own = await new FakeRegistry().listen();
    const { digest } = addImage(own, 'a', 'x', noise(10));
    own.script(/^HEAD .*manifests/, answer);
    const { registry } = await open(home, `${own.host}/a:x`);
    assert.equal((await registry.resolve(parseReference(`${own.host}/a:x`))).digest, digest);
    assert.equal(own.count(/^GET .*manifests/), 1);
    registry.close();
    await own.close();
  }
});

test('pull: a blob from an offset; a registry without ranges begins again and says so', async () => {
  const { registry } = await open(home, name());
  const part = await registry.blob(image.layer, 200_000);
  assert.equal(part.offset, 200_000);
  assert.ok((await collect(part.content)).equals(noise(300_000).subarray(200_000)));
  const end = await registry.blob(image.layer, 300_000);
  assert.equal((await collect(end.content)).length, 0);
  fake.hasRanges = false;
  const whole = await registry.blob(image.layer, 200_000);
  assert.equal(whole.offset, 0);
  assert.equal((await collect(whole.content)).length, 300_000);
  fake.hasRanges = true;
  registry.close();
});

test('pull: several layers at once; leaving one early closes its connection', async () => {
  const own = await new FakeRegistry().listen();
  const layers = [1, 2, 3, 4].map((seed) => addImage(own, 'a', `t${seed}`, noise(2_000_000, seed)).layer);
  const { registry } = await open(home, `${own.host}/a:t1`);
  const all = await Promise.all(
    layers.map(async (layer) => collect((await registry.blob(layer, 0)).content)),
  );
  for (const [index, bytes] of all.entries()) assert.ok(bytes.equals(noise(2_000_000, index + 1)));
  const [first] = layers;
  assert.ok(first);
  for await (const _ of (await registry.blob(first, 0)).content) break;
  registry.close();
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(own.connections, 0);
  await own.close();
});

test('pull: what is not there, and how that is said', async () => {
  const { registry } = await open(home, name());
  const error = await failure(registry.manifest(withTarget(parseReference(name()), { tag: 'none' })));
  assert.equal(error.code, 'ENOTFOUND');
  assert.match(
    error.message,
    /manifest none of team\/app \(127\.0\.0\.1:\d+\): not found \(404 MANIFEST_UNKNOWN: fake 404\)/,
  );
  const foreign = { ...image.layer, mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' };
  const digest = image.digest as typeof foreign.digest;
  const missing = await failure(registry.blob({ ...foreign, digest, urls: [`${fake.url}/elsewhere`] }, 0));
  assert.equal(missing.code, 'ENOTFOUND');
  assert.match(missing.details.join(), /does not follow the addresses/);
  assert.equal(fake.count(/elsewhere/), 0);
  registry.close();
});

test('pull: tags over several pages; what is no tag is left out', async () => {
  const own = await new FakeRegistry().listen();
  for (const tag of ['a', 'b', 'c', 'd', 'e']) addImage(own, 'x', tag, noise(10));
  const { registry } = await open(home, `${own.host}/x`);
  assert.deepEqual(await registry.tags(), ['a', 'b', 'c', 'd', 'e']);
  assert.equal(own.count(/tags\/list/), 3);
  own.script(/tags/, saying(200, {}, JSON.stringify({ tags: ['ok', '../x', 'a\u001b[2J', 7, null] })));
  assert.deepEqual(await registry.tags(), ['ok']);
  own.script(/tags/, saying(200, {}, JSON.stringify({ name: 'x', tags: null })));
  assert.deepEqual(await registry.tags(), []);
  registry.close();
  await own.close();
});

test('pull: referrers by the API, and by a tag where there is none', async () => {
  for (const hasReferrers of [true, false]) {
    const own = await new FakeRegistry().listen();
    own.hasReferrers = hasReferrers;
    const { digest, document } = addImage(own, 'x', 'y', noise(10));
    const { registry } = await open(home, `${own.host}/x:y`, 'push');
    const subject = await registry.resolve(parseReference(`${own.host}/x:y`));
    assert.deepEqual(await registry.referrers(subject), []);
    for (const artifactType of ['application/vnd.a', 'application/vnd.b']) {
      const artifact = { ...document, subject: { ...subject }, artifactType };
      await registry.putManifest(
        { domain: own.host, path: 'x', tag: artifactType.slice(-1) },
        document.mediaType,
        Buffer.from(JSON.stringify(artifact)),
      );
    }
    const found = await registry.referrers(subject);
    assert.equal(found.length, 2, `API: ${hasReferrers}`);
    const [one] = await registry.referrers(subject, 'application/vnd.b');
    assert.equal(one?.artifactType, 'application/vnd.b');
    assert.equal(own.manifests.has(`x:${digest.replace(':', '-')}`), !hasReferrers);
    registry.close();
    await own.close();
  }
});

test('pull: a mirror is asked first, and the registry where it fails', async () => {
  const mirror = await new FakeRegistry().listen();
  addImage(mirror, 'mirrored/app', '1', noise(300_000));
  const own = new Home();
  own.environment.CONTAINERS_REGISTRIES_CONF = own.write(
    'registries.conf',
    `[[registry]]\nprefix = "${fake.host}/team"\nlocation = "${fake.host}/team"\n[[registry.mirror]]\nlocation = "${mirror.host}/mirrored"\n`,
  );
  const { registry, events } = await open(own, name());
  const seen = fake.seen.length;
  const { bytes } = await registry.manifest(parseReference(name()));
  assert.ok(bytes.length > 0);
  assert.equal(fake.seen.length, seen);
  // It has the manifest and breaks off in the middle of the layer.
  mirror.script(/blobs/, (_, response) => {
    response.writeHead(200, { 'Content-Length': '300000' });
    response.write(noise(300_000).subarray(0, 100_000));
    setTimeout(() => response.destroy(), 20);
    return true;
  });
  const { content } = await registry.blob(image.layer, 0);
  assert.ok((await collect(content)).equals(noise(300_000)));
  assert.ok(
    events.some((event) => event.kind === 'next' && event.failed === mirror.host && event.next === fake.host),
  );
  assert.equal(fake.seen.at(-1)?.headers.range, 'bytes=100000-');
  // It sends something else of the same length: who finds out asks again.
  const second = await open(own, name());
  mirror.script(/blobs/, (_, response) => send(response, 200, {}, noise(300_000, 7)));
  assert.ok((await collect((await second.registry.blob(image.layer, 0)).content)).equals(noise(300_000, 7)));
  assert.ok((await collect((await second.registry.blob(image.layer, 0)).content)).equals(noise(300_000)));
  second.registry.close();
  // A manifest that is not what was asked for is no answer either.
  mirror.script(/manifests/, (_, response) =>
    send(response, 200, { 'Content-Type': 'application/json' }, '{}'),
  );
  const again = await open(own, name());
  const { descriptor } = await again.registry.manifest(parseReference(name()));
  assert.equal(descriptor.digest, image.digest);
  registry.close();
  again.registry.close();
  own.remove();
  await mirror.close();
});
