// F11, F12, F13: registries that break off, lie, refuse, stall and never end.

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import { parseReference } from '../../src/spec/reference.ts';
import { FakeRegistry } from './fake-registry.ts';
import { type Answer, saying, send } from './fake-server.ts';
import { addImage, collect, failure, Home, IMPATIENT, noise, open } from './surroundings.ts';

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

async function pullLayer(options = {}): Promise<Buffer> {
  const { registry } = await open(home, name(), 'pull', options);
  try {
    return await collect((await registry.blob(image.layer, 0)).content);
  } finally {
    registry.close();
  }
}

async function pullManifest(options = {}) {
  const { registry, events } = await open(home, name(), 'pull', options);
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

test('F13: nothing, or next to nothing, for a while is the end', async () => {
  fake.script(/blobs/, (_, response) => {
    response.writeHead(200, { 'Content-Length': String(SIZE) });
    const timer = setInterval(() => response.write(LAYER.subarray(0, 1)), 10);
    response.on('close', () => clearInterval(timer));
    return true;
  });
  const began = performance.now();
  const slow = await failure(pullLayer(IMPATIENT));
  assert.equal(slow.code, 'ESTALLED');
  assert.ok(performance.now() - began < 10_000);
  fake.script(/manifests/, () => true);
  const { error } = await pullManifest(IMPATIENT);
  assert.equal(error.code, 'ETIMEDOUT');
});

test('F13: a reader that is slow itself is not blamed on the registry', async () => {
  const { registry } = await open(home, name(), 'pull', IMPATIENT);
  const { content } = await registry.blob(image.layer, 0);
  let size = 0;
  for await (const piece of content) {
    if (size === 0) await new Promise((resolve) => setTimeout(resolve, 700));
    size += piece.length;
  }
  assert.equal(size, SIZE);
  registry.close();
});

/** A server of raw bytes. */
async function raw(answer: (socket: Socket) => void): Promise<{ host: string; close: () => Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', (first) => {
      // A greeting of TLS: this one has none.
      if (first[0] === 0x16) socket.destroy();
      else answer(socket);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const close = () =>
    new Promise<void>((resolve) => {
      for (const socket of sockets) socket.destroy();
      server.close(() => resolve());
    });
  return { host: `127.0.0.1:${port}`, close };
}

test('F13: headers without end, headers byte by byte, bodies without end, no HTTP at all', async () => {
  const answers: readonly (readonly [string, (socket: Socket) => void, RegExp])[] = [
    [
      'many headers',
      (socket) => pour(socket, 'HTTP/1.1 200 OK\r\n', `X-A: ${'a'.repeat(1000)}\r\n`),
      /header of its answer is too long/,
    ],
    [
      'one header',
      (socket) => pour(socket, 'HTTP/1.1 200 OK\r\nX-A: ', 'a'.repeat(1000)),
      /header of its answer is too long/,
    ],
    ['slow headers', (socket) => drip(socket, 'HTTP/1.1 200 OK\r\n', 'X: y\r\n'), /does not answer/],
    [
      'endless body',
      (socket) =>
        pour(
          socket,
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
          `400\r\n${'x'.repeat(1024)}\r\n`,
        ),
      /longer than 4194304 bytes/,
    ],
    [
      'endless error',
      (socket) =>
        pour(
          socket,
          'HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n',
          `400\r\n${'x'.repeat(1024)}\r\n`,
        ),
      /not found \(404\)/,
    ],
    ['no HTTP', (socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n\r\n'), /malformed|lost/],
    [
      'two lengths',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!'),
      /malformed/,
    ],
    [
      'hints without end',
      (socket) => pour(socket, '', 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'),
      /does not come to its answer/,
    ],
  ];
  for (const [what, answer, expected] of answers) {
    const server = await raw(answer);
    const { registry } = await open(home, `${server.host}/a:x`, 'pull', IMPATIENT);
    const before = process.memoryUsage().rss;
    const error = await failure(registry.manifest(parseReference(`${server.host}/a:x`)));
    assert.match(error.message, expected, what);
    assert.ok(process.memoryUsage().rss - before < 150 << 20, `${what}: memory`);
    registry.close();
    await server.close();
  }
});

function pour(socket: Socket, first: string, rest: string): void {
  socket.write(first);
  const block = rest.repeat(50);
  const go = () => {
    while (!socket.destroyed && socket.write(block));
    socket.once('drain', go);
  };
  go();
}

function drip(socket: Socket, first: string, rest: string): void {
  socket.write(first);
  const timer = setInterval(() => socket.write(rest), 50);
  socket.on('close', () => clearInterval(timer));
}

test('F13: close ends what is under way', async () => {
  fake.script(/blobs/, () => true);
  const { registry } = await open(home, name(), 'pull', {
    limits: { headerTime: 60_000, connectTime: 2000 },
  });
  const pending = failure(registry.blob(image.layer, 0));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const began = performance.now();
  registry.close();
  const error = await pending;
  assert.ok(['ECANCELED', 'ECONNRESET'].includes(error.code), error.code);
  assert.ok(performance.now() - began < 3000);
  assert.equal((await failure(registry.tags())).code, 'ECANCELED');
});
