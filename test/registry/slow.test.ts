// F13: registries that stall, trickle and never end, and what ends all the same.

import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import { parseReference } from '../../src/spec/reference.ts';
import { FakeRegistry } from './fake-registry.ts';
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

test('F13: nothing, or next to nothing, for a while is the end', async () => {
  fake.script(/blobs/, (_, response) => {
    response.writeHead(200, { 'Content-Length': String(SIZE) });
    const timer = setInterval(() => response.write(LAYER.subarray(0, 1)), 10);
    response.on('close', () => clearInterval(timer));
    return true;
  });
  const began = performance.now();
  const { registry } = await open(home, name(), 'pull', IMPATIENT);
  const slow = await failure(registry.blob(image.layer, 0).then(({ content }) => collect(content)));
  assert.equal(slow.code, 'ESTALLED');
  assert.ok(performance.now() - began < 10_000);
  fake.script(/manifests/, () => true);
  const error = await failure(registry.manifest(parseReference(name())));
  registry.close();
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
