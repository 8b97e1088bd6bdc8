// Z08: a registry that answers anything: credentials stay at home, requests are bounded, every failure is an error of ours.

import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';
import type { Registry } from '../../src/distribution/registry.ts';
import { CaissonError } from '../../src/spec/error.ts';
import { OCI_INDEX, OCI_MANIFEST } from '../../src/spec/media-types.ts';
import { parseReference } from '../../src/spec/reference.ts';
import { sha256 } from './fake-registry.ts';
import { FakeServer } from './fake-server.ts';
import { collect, described, Home, noise, open, piecesOf, shown } from './surroundings.ts';

const ROUNDS = process.env.CAISSON_LONG === '1' ? 3000 : 120;
const USER = 'alice';
const CANARY = 'canary-pass-w0rd';
const REFRESH = 'canary-refresh-t0ken';

/** A generator of pseudo-random choices, the same for the same seed. */
class Dice {
  private state: number;

  constructor(seed: number) {
    this.state = Math.imul(seed, 2654435761) >>> 0;
  }

  below(limit: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * limit);
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  maybe(percent: number): boolean {
    return this.below(100) < percent;
  }
}

const BLOB = noise(2000);
const DOCUMENT = JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config: {}, layers: [] });

/** What a hostile registry may say in a header, given where it and its friends are. */
function headerOf(dice: Dice, name: string, own: string, foreign: string, token: string): string {
  const places = [
    `${own}/v2/x`,
    `${foreign}/x`,
    '/v2/next',
    '//x',
    'http://169.254.169.254/',
    'file:///x',
    '',
    '?',
    `http://u:p@${foreign.slice(7)}/`,
    `${own}/v2/?${'a'.repeat(3000)}`,
  ];
  const realms = [
    `${token}/token`,
    `${foreign}/token`,
    foreign.replace('127.0.0.1', 'localhost'),
    'http://10.0.0.1/',
    'token',
    '',
    '\\',
    own,
  ];
  const choices: Record<string, readonly string[]> = {
    'WWW-Authenticate': [
      'Basic realm="x"',
      `Bearer realm="${dice.of(realms)}",service="s",scope="repository:a:pull,push repository:other:*"`,
      `Bearer realm="${dice.of(realms)}"`,
      'Bearer',
      ',,,"',
      `Basic, Bearer realm="${dice.of(realms)}"`,
    ],
    Location: places,
    Link: [`<${dice.of(places)}>; rel="next"`, '<', `</v2/a/tags/list?n=${dice.below(5)}>; rel=next`],
    'Content-Range': ['bytes 0-1/2', 'bytes 1000-1999/2000', 'bytes */2000', 'x', `bytes 0-${2 ** 53}/*`],
    Range: ['0-0', '0-99', `0-${2 ** 52}`, '5-1', 'x', '0-1999'],
    'Retry-After': ['0', '1000000', '-1', 'x', 'Thu, 01 Jan 1970 00:00:00 GMT'],
    'Docker-Content-Digest': [sha256(DOCUMENT), sha256('other'), 'sha256:x', 'sha256:../../x', ''],
    'Content-Type': [OCI_MANIFEST, OCI_INDEX, 'text/html', `${OCI_MANIFEST}; a=b`, ''],
    'OCI-Chunk-Min-Length': ['1', '-5', '99999999999999', 'x'],
    'RateLimit-Remaining': ['0;w=1', 'x', '99999999999999999'],
  };
  return dice.of(choices[name] ?? ['x']);
}

const HEADERS = [
  'WWW-Authenticate',
  'Location',
  'Link',
  'Content-Range',
  'Range',
  'Retry-After',
  'Docker-Content-Digest',
  'Content-Type',
  'OCI-Chunk-Min-Length',
  'RateLimit-Remaining',
];
const STATUSES = [
  200, 200, 200, 201, 202, 204, 206, 301, 302, 307, 308, 400, 401, 401, 403, 404, 405, 413, 416, 429, 500,
  503,
];

function bodyFor(dice: Dice): string | Buffer {
  return dice.of<string | Buffer>([
    DOCUMENT,
    BLOB,
    BLOB.subarray(0, 700),
    Buffer.concat([BLOB, BLOB]),
    '',
    '{',
    '[]',
    'null',
    '{"tags":["a","b"]}',
    '{"tags":{"a":1}}',
    '{"manifests":[{"digest":"x"}]}',
    `{"manifests":[],"layers":[],"mediaType":${'['.repeat(500)}`,
    '{"errors":[{"code":5,"message":["x"]},null,"y"]}',
    `{"errors":[{"code":"A","message":"${'\\u001b'.repeat(2000)}"}]}`,
    JSON.stringify({ token: 'fresh-bearer-token', refresh_token: 'x', expires_in: -1 }),
    JSON.stringify({ access_token: 'bad\r\nX: y' }),
    '<html>',
  ]);
}

function answer(
  dice: Dice,
  request: IncomingMessage,
  response: ServerResponse,
  places: readonly [string, string, string],
): true {
  request.resume();
  if (dice.maybe(4)) {
    request.socket.destroy();
    return true;
  }
  const body = bodyFor(dice);
  response.statusCode = dice.of(STATUSES);
  for (const name of HEADERS) if (dice.maybe(35)) response.setHeader(name, headerOf(dice, name, ...places));
  if (dice.maybe(70))
    response.setHeader(
      'Content-Length',
      String(Buffer.byteLength(body) + (dice.maybe(10) ? dice.below(9) : 0)),
    );
  try {
    response.end(body);
  } catch {
    response.destroy();
  }
  return true;
}

/** Everything that can be asked of a registry. */
function operations(registry: Registry, host: string): readonly (() => Promise<unknown>)[] {
  const ref = parseReference(`${host}/a:x`);
  const blob = described(BLOB);
  return [
    () => registry.resolve(ref),
    () => registry.manifest(ref),
    () => registry.manifest(described(Buffer.from(DOCUMENT))),
    async () => {
      const { content } = await registry.blob(blob, 0);
      return collect(content);
    },
    async () => {
      const { content } = await registry.blob(blob, 1000);
      return collect(content);
    },
    () => registry.tags(),
    () => registry.referrers(blob),
    () => registry.hasBlob(blob),
    () => registry.mount(blob, 'other/b'),
    () => registry.uploadBlob(blob, piecesOf(BLOB)),
    () => registry.uploadBlob(described(noise(3 << 19)), piecesOf(noise(3 << 19))),
    () => registry.putManifest(ref, OCI_MANIFEST, Buffer.from(JSON.stringify({ subject: { ...blob } }))),
  ];
}

async function round(seed: number): Promise<void> {
  const dice = new Dice(seed);
  const home = new Home();
  const [own, foreign, token] = await Promise.all([1, 2, 3].map(() => new FakeServer().listen()));
  assert.ok(own && foreign && token);
  const places = [own.url, foreign.url, token.url] as const;
  for (const server of [own, foreign, token])
    server.script(/./, (request, response) => answer(dice, request, response, places));
  const identity = { auth: 'YTo=', identitytoken: REFRESH };
  const password = { auth: Buffer.from(`${USER}:${CANARY}`).toString('base64') };
  home.write(
    '.docker/config.json',
    JSON.stringify({ auths: { [own.host]: dice.maybe(30) ? identity : password } }),
  );
  const { registry, events } = await open(home, `${own.host}/a:x`, 'push', {
    retries: { attempts: 3, firstWait: 1, longestWait: 2 },
    limits: { headerTime: 100, idleTime: 60 },
  });
  const texts: string[] = [];
  for (const operation of operations(registry, own.host)) {
    const before = own.seen.length + foreign.seen.length + token.seen.length;
    try {
      await operation();
    } catch (error) {
      assert.ok(
        error instanceof CaissonError,
        `seed ${seed}: ${shown(error)} ${error instanceof Error ? error.stack : ''}`,
      );
      assert.ok(!/[\u0000-\u001f]/.test(error.message) && error.message.length < 2000, `seed ${seed}`);
      texts.push(shown(error));
    }
    const requests = own.seen.length + foreign.seen.length + token.seen.length - before;
    assert.ok(requests <= 400, `seed ${seed}: ${requests} requests`);
  }
  registry.close();
  checkSecrets(seed, [own, foreign, token], [...texts, JSON.stringify(events)].join('\n'));
  await Promise.all([own.close(), foreign.close(), token.close()]);
  home.remove();
}

/**
 * A password may be at the registry and at the token service that it names; nothing that was not asked for as a token
 * service, and no redirect, upload or page, has any authorization.
 */
function checkSecrets(seed: number, [own, foreign, token]: readonly FakeServer[], text: string): void {
  assert.ok(
    !text.includes(CANARY) && !text.includes(REFRESH) && !text.includes('fresh-bearer-token'),
    `seed ${seed}: shown`,
  );
  for (const server of [foreign, token]) {
    for (const { url, headers } of server?.seen ?? []) {
      const { authorization } = headers;
      assert.ok(!authorization?.startsWith('Bearer'), `seed ${seed}: a token at ${url}`);
      const isTokenService = /^\/(?:token)?(?:\?|$)/.test(url);
      assert.ok(authorization === undefined || isTokenService, `seed ${seed}: a password at ${url}`);
    }
  }
  assert.ok((own?.seen.length ?? 0) > 0);
}

test('hostile registry: anything may be answered', async () => {
  for (let seed = 1; seed <= ROUNDS; seed += 8) {
    await Promise.all(Array.from({ length: 8 }, (_, index) => round(seed + index)));
  }
});
