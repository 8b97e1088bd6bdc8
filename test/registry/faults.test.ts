// F11, F12: registries that break off, lie and refuse.

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, test } from 'node:test';
import { parseReference } from '../../src/spec/reference.ts';
import { FakeRegistry } from './fake-registry.ts';
import { type Answer, saying, send } from './fake-server.ts';
import { addImage, collect, failure, Home, noise, open } from './surroundings.ts';

const SIZE = 400_000;
const LAYER = noise(SIZE);

let home: Home;
let fake: FakeRegistry;
let image: ReturnType<typeof addImage>;

beforeEach(async () => {
  home = new Home();
  fake = await new FakeRegistry().listen();
  image = addImage(fake, 'a', 'x', LAYER);
});

afterEach(async () => {
  await fake.close();
  home.remove();
});

const name = () => `${fake.host}/a:x`;

async function pullLayer(): Promise<Buffer> {
  const { registry } = await open(home, name());
  try {
    return await collect((await registry.blob(image.layer, 0)).content);
  } finally {
    registry.close();
  }
}

async function pullManifest() {
  const { registry, events } = await open(home, name());
  try {
    const error = await failure(registry.manifest(parseReference(name())));
    return { error, events };
  } finally {
    registry.close();
  }
}

/** Breaks off after so many bytes of what was asked for. */
function breaking(bytes: number): Answer {
  return (request, response) => {
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const headers = { 'Content-Length': String(SIZE - start) };
    if (start === 0) response.writeHead(200, headers);
    else response.writeHead(206, { ...headers, 'Content-Range': `bytes ${start}-${SIZE - 1}/${SIZE}` });
    response.write(LAYER.subarray(start, start + bytes), () => setTimeout(() => response.destroy(), 5));
    return true;
  };
}

test('F11: a blob that breaks off is gone on with, with ranges and without', async () => {
  for (const hasRanges of [true, false]) {
    fake.hasRanges = hasRanges;
    fake.script(/^GET .*blobs/, breaking(120_000), 1);
    const begin = fake.seen.length;
    assert.ok((await pullLayer()).equals(LAYER));
    const ranges = fake.seen.slice(begin).map(({ headers }) => headers.range);
    assert.deepEqual(ranges, [undefined, 'bytes=120000-']);
  }
});

test('F11: a blob that always breaks off is given up, soon without progress and later with it', async () => {
  fake.script(/^GET .*blobs/, breaking(0));
  const none = await failure(pullLayer());
  assert.equal(none.code, 'ECONNRESET');
  assert.match(none.message, /blob sha256:[0-9a-f]{12} of a \(127\.0\.0\.1:\d+\): the connection was lost/);
  assert.equal(fake.count(/^GET .*blobs/), 4);
  fake.script(/^GET .*blobs/, breaking(1));
  await failure(pullLayer());
  assert.equal(fake.count(/^GET .*blobs/), 8);
});

test('F11: a blob that breaks off for ever is given up, whatever progress it makes', async () => {
  const zeros = Buffer.alloc(70 << 20);
  const { layer } = addImage(fake, 'a', 'zeros', zeros);
  fake.script(/^GET .*blobs/, (request, response) => {
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const headers = { 'Content-Length': String(zeros.length - start) };
    const range = { 'Content-Range': `bytes ${start}-${zeros.length - 1}/${zeros.length}` };
    response.writeHead(206, { ...headers, ...range });
    response.write(zeros.subarray(0, (1 << 20) + 100_000), () => response.destroy());
    return true;
  });
  const { registry } = await open(home, name());
  const error = await failure(
    (async () => {
      for await (const _ of (await registry.blob(layer, 0)).content);
    })(),
  );
  assert.equal(error.code, 'ECONNRESET');
  assert.equal(fake.count(/^GET .*blobs/), 51);
  registry.close();
});

test('F12: lists that come back to themselves, and lists without end', async () => {
  const { registry } = await open(home, name(), 'pull', { limits: { pages: 20 } });
  fake.script(/tags/, saying(200, { Link: '</v2/a/tags/list?again>; rel="next"' }, '{"tags":["x"]}'));
  assert.equal((await failure(registry.tags())).code, 'ELIST');
  assert.equal(fake.count(/tags/), 2);
  let page = 0;
  fake.script(/tags/, (_, response) =>
    send(response, 200, { Link: `</v2/a/tags/list?page=${page++}>; rel="next"` }, '{"tags":["x"]}'),
  );
  assert.equal((await failure(registry.tags())).code, 'ELIST');
  assert.equal(fake.count(/tags/), 22);
  registry.close();
});

test('F11: more, less and other bytes than were announced never pass as the blob', async () => {
  const longer = Buffer.concat([LAYER, Buffer.from('x')]);
  const answers: readonly (readonly [string, Answer])[] = [
    ['more, announced', saying(200, {}, longer.toString('latin1'))],
    ['less, announced', (_, response) => send(response, 200, {}, LAYER.subarray(1))],
    ['more, chunked', (_, response) => chunked(response, longer)],
    [
      'another range',
      (_, response) =>
        send(response, 206, { 'Content-Range': `bytes 5-${SIZE - 1}/${SIZE}` }, LAYER.subarray(5)),
    ],
    ['a range without a place', (_, response) => send(response, 206, {}, LAYER)],
  ];
  for (const [what, answer] of answers) {
    fake.script(/^GET .*blobs/, answer);
    const error = await failure(pullLayer());
    assert.equal(error.code, 'ESIZE', what);
  }
  fake.script(/^GET .*blobs/, (_, response) => chunked(response, LAYER.subarray(1)));
  assert.equal((await failure(pullLayer())).code, 'ECONNRESET', 'less, chunked');
});

function chunked(response: ServerResponse, bytes: Uint8Array): true {
  response.writeHead(200, { 'Transfer-Encoding': 'chunked' });
  response.end(bytes);
  return true;
}

test('F11: a manifest with another digest, size or type than announced', async () => {
  const { document } = image;
  const type = document.mediaType;
  const cases: readonly (readonly [string, Answer, string])[] = [
    [
      'digest',
      saying(
        200,
        { 'Content-Type': type, 'Docker-Content-Digest': `sha256:${'0'.repeat(64)}` },
        JSON.stringify(document),
      ),
      'EDIGEST',
    ],
    [
      'type',
      saying(200, { 'Content-Type': 'application/vnd.oci.image.index.v1+json' }, JSON.stringify(document)),
      'EMANIFEST',
    ],
    ['no JSON', saying(200, { 'Content-Type': type }, '<html>'), 'EMANIFEST'],
    ['array', saying(200, { 'Content-Type': type }, '[]'), 'EMANIFEST'],
    ['schema 1', saying(200, { 'Content-Type': 'application/json' }, '{"schemaVersion":1}'), 'EMANIFEST'],
    [
      'both kinds',
      saying(200, { 'Content-Type': 'text/plain' }, '{"layers":[],"manifests":[]}'),
      'EMANIFEST',
    ],
    ['deep', saying(200, { 'Content-Type': type }, '['.repeat(100_000)), 'EMANIFEST'],
    ['5 MiB', saying(200, { 'Content-Type': type }, `{"a":"${'x'.repeat(5 << 20)}"}`), 'ETOOLARGE'],
    ['5 MiB, chunked', (_, response) => chunked(response, Buffer.alloc(5 << 20, 0x20)), 'ETOOLARGE'],
  ];
  for (const [what, answer, code] of cases) {
    fake.script(/manifests/, answer);
    const { error } = await pullManifest();
    assert.equal(error.code, code, `${what}: ${error.message}`);
    assert.ok(!error.message.includes('\n'));
  }
  fake.script(/manifests/, saying(200, { 'Content-Type': type }, `${JSON.stringify(document)} `));
  const { registry } = await open(home, name());
  const wanted = { mediaType: type, digest: image.digest as never, size: JSON.stringify(document).length };
  assert.equal((await failure(registry.manifest(wanted))).code, 'ESIZE');
  assert.equal((await failure(registry.manifest({ ...wanted, size: wanted.size + 1 }))).code, 'EDIGEST');
  registry.close();
});

test('F12: statuses, what they are called and how often they are tried', async () => {
  const cases: readonly (readonly [number, string, number])[] = [
    [400, 'EREGISTRY', 1],
    [403, 'EDENIED', 1],
    [404, 'ENOTFOUND', 1],
    [416, 'EREGISTRY', 1],
    [418, 'EREGISTRY', 1],
    [429, 'ERATELIMIT', 4],
    [500, 'EREGISTRY', 4],
    [502, 'EREGISTRY', 4],
    [503, 'EREGISTRY', 4],
    [504, 'EREGISTRY', 4],
  ];
  for (const [status, code, times] of cases) {
    const before = fake.seen.length;
    fake.script(/manifests/, saying(status, {}, '<html>bad gateway</html>'));
    const { error, events } = await pullManifest();
    assert.equal(error.code, code, String(status));
    assert.match(error.message, new RegExp(`^manifest x of a \\(127.0.0.1:\\d+\\): .* \\(${status}\\)$`));
    assert.equal(fake.seen.length - before, times, String(status));
    assert.equal(events.filter(({ kind }) => kind === 'retry').length, times - 1);
  }
});

test('F12: what passes is waited for', async () => {
  fake.script(/manifests/, saying(503), 2);
  const { registry } = await open(home, name());
  assert.equal((await registry.resolve(parseReference(name()))).digest, image.digest);
  registry.close();
});

test('F12: Retry-After is waited for, unless it is long; the rate limit is told', async () => {
  fake.script(/manifests/, saying(429, { 'Retry-After': '1' }), 1);
  const { registry } = await open(home, name());
  const began = performance.now();
  await registry.resolve(parseReference(name()));
  assert.ok(performance.now() - began >= 1000);
  registry.close();
  const limited = {
    'Retry-After': '21600',
    'RateLimit-Limit': '100;w=21600',
    'RateLimit-Remaining': '0;w=21600',
  };
  const body = JSON.stringify({
    errors: [{ code: 'TOOMANYREQUESTS', message: 'You have reached your pull rate limit.' }],
  });
  fake.script(/manifests/, saying(429, limited, body));
  const before = fake.seen.length;
  const { error, events } = await pullManifest();
  assert.equal(fake.seen.length - before, 1);
  assert.match(
    error.message,
    /too many requests \(429 TOOMANYREQUESTS: You have reached your pull rate limit\.\)/,
  );
  assert.match(error.details.join('\n'), /0 of 100 requests left in 6 hours\ntry again in 6 hours/);
  assert.ok(events.some((event) => event.kind === 'rate-limit' && event.limit.remaining === 0));
});

test('F12: redirects: a loop, one without end, one to other schemes', async () => {
  fake.script(/blobs/, (request, response) => send(response, 308, { Location: request.url ?? '' }, ''));
  const before = fake.seen.length;
  assert.equal((await failure(pullLayer())).code, 'EREDIRECT');
  assert.equal(fake.seen.length - before, 6);
  let count = 0;
  fake.script(/blobs|next/, (_, response) => send(response, 302, { Location: `/next${count++}` }, ''));
  assert.equal((await failure(pullLayer())).code, 'EREDIRECT');
  for (const location of [
    'file:///etc/passwd',
    'ftp://x/y',
    'http://user:hunter2@127.0.0.1/',
    'http://[',
    'javascript:1',
  ]) {
    fake.script(/blobs/, saying(307, { Location: location }));
    const error = await failure(pullLayer());
    assert.equal(error.code, 'EREDIRECT', location);
    assert.ok(!error.message.includes('hunter2'));
  }
});
