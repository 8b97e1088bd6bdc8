// The way to a registry: TLS and its certificates, proxies, and addresses to which a registry must not lead.

import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { parseReference } from '../../src/spec/reference.ts';
import { FakeRegistry } from './fake-registry.ts';
import { FakeServer, saying, send } from './fake-server.ts';
import { addImage, collect, failure, Home, noise, open, shown } from './surroundings.ts';
import { Authority } from './tls-files.ts';

let authority: Authority;
let home: Home;
const closing: { close(): Promise<void> }[] = [];

before(() => {
  authority = new Authority();
});
after(() => authority.remove());
beforeEach(() => {
  home = new Home();
});
afterEach(async () => {
  await Promise.all(closing.splice(0).map((each) => each.close()));
  home.remove();
});

async function tlsRegistry(...names: readonly string[]): Promise<FakeRegistry> {
  const fake = await new FakeRegistry(authority.sign(...names)).listen();
  closing.push(fake);
  addImage(fake, 'a', 'x', noise(100));
  return fake;
}

async function resolve(reference: string): Promise<string> {
  const { registry } = await open(home, reference);
  try {
    return (await registry.resolve(parseReference(reference))).digest;
  } finally {
    registry.close();
  }
}

test('TLS: an authority is believed when certs.d has it for this host and port', async () => {
  const fake = await tlsRegistry('IP:127.0.0.1');
  const error = await failure(resolve(`${fake.host}/a:x`));
  assert.equal(error.code, 'ETLS');
  assert.match(error.details.join(), new RegExp(`certs.d/127.0.0.1:${fake.port}/ca.crt`));
  home.write(`.config/containers/certs.d/127.0.0.1:${fake.port + 1}/ca.crt`, authority.certificate);
  await failure(resolve(`${fake.host}/a:x`));
  home.write(`.config/containers/certs.d/127.0.0.1:${fake.port}/ca.crt`, authority.certificate);
  assert.match(await resolve(`${fake.host}/a:x`), /^sha256:/);
});

test('TLS: a certificate for another host is refused, insecure takes it', async () => {
  const fake = await tlsRegistry('DNS:other.test');
  home.write(`.config/containers/certs.d/127.0.0.1:${fake.port}/ca.crt`, authority.certificate);
  assert.equal((await failure(resolve(`${fake.host}/a:x`))).code, 'ETLS');
  const conf = home.write('registries.conf', `[[registry]]\nlocation = "${fake.host}"\ninsecure = true\n`);
  home.environment.CONTAINERS_REGISTRIES_CONF = conf;
  assert.match(await resolve(`${fake.host}/a:x`), /^sha256:/);
});

test('TLS: the client shows its certificate to the host it is for', async () => {
  const own = authority.sign('DNS:client');
  const fake = await new FakeRegistry({
    ...authority.sign('IP:127.0.0.1'),
    clients: authority.certificate,
  }).listen();
  closing.push(fake);
  addImage(fake, 'a', 'x', noise(100));
  const folder = `.config/containers/certs.d/127.0.0.1:${fake.port}`;
  home.write(`${folder}/ca.crt`, authority.certificate);
  await failure(resolve(`${fake.host}/a:x`));
  home.write(`${folder}/client.cert`, own.certificate);
  const missing = await failure(resolve(`${fake.host}/a:x`));
  assert.equal(missing.code, 'ECERTIFICATES');
  home.write(`${folder}/client.key`, 'no key');
  const broken = await failure(resolve(`${fake.host}/a:x`));
  assert.equal(broken.code, 'ECERTIFICATES');
  assert.ok(!shown(broken).includes('no key'));
  home.write(`${folder}/client.key`, own.key);
  assert.match(await resolve(`${fake.host}/a:x`), /^sha256:/);
});

test('TLS: a redirect that gives it up is not followed', async () => {
  const fake = await tlsRegistry('IP:127.0.0.1');
  home.write(`.config/containers/certs.d/127.0.0.1:${fake.port}/ca.crt`, authority.certificate);
  const plain = await new FakeServer().listen();
  closing.push(plain);
  fake.script(/blobs/, saying(307, { Location: `${plain.url}/x` }));
  const { registry } = await open(home, `${fake.host}/a:x`);
  const { descriptor } = await registry.manifest(parseReference(`${fake.host}/a:x`));
  const error = await failure(registry.blob(descriptor, 0));
  assert.equal(error.code, 'EREDIRECT');
  assert.match(error.message, /gives up TLS/);
  assert.equal(plain.seen.length, 0);
  registry.close();
});

test('TLS: a registry without it is only asked where that is allowed', async () => {
  const conf = `[[registry]]\nlocation = "registry.test:5000"\ninsecure = true\n`;
  home.environment.CONTAINERS_REGISTRIES_CONF = home.write('registries.conf', conf);
  const fake = new FakeRegistry();
  closing.push(await fake.listen());
  addImage(fake, 'a', 'x', noise(100));
  const proxy = await new NamedProxy(() => fake.port).listen();
  home.environment.HTTP_PROXY = proxy.url;
  home.environment.HTTPS_PROXY = proxy.url;
  assert.match(await resolve('registry.test:5000/a:x'), /^sha256:/);
  const error = await failure(resolve('secure.test:5000/a:x'));
  assert.equal(error.code, 'ETLS');
  assert.match(error.message, /does not speak TLS/);
});

/** A proxy that leads every name to one port of loopback, and tells what it was asked. */
class NamedProxy {
  readonly asked: { method: string; target: string; authorization: string }[] = [];
  port = 0;
  private readonly server = createServer();
  private readonly sockets = new Set<Socket>();
  private readonly target: (host: string) => number;
  status = 200;

  constructor(target: (host: string) => number) {
    this.target = target;
    this.server.on('connection', (socket) => this.sockets.add(socket));
    this.server.on('connect', (request: IncomingMessage, socket: Socket) => {
      this.note(request);
      socket.on('error', () => undefined);
      if (this.status !== 200) return void socket.end(`HTTP/1.1 ${this.status} No\r\n\r\n`);
      const behind = connect(this.target(request.url ?? ''), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\nX-Long: y\r\n\r\n');
        behind.pipe(socket).pipe(behind);
      });
      behind.on('error', () => socket.destroy());
    });
    this.server.on('request', (request, response) => {
      this.note(request);
      const url = new URL(request.url ?? '');
      const behind = connect(this.target(url.host), '127.0.0.1', () => {
        const { 'proxy-authorization': _, ...headers } = request.headers;
        const lines = Object.entries({ ...headers, connection: 'close' }).map(
          ([name, value]) => `${name}: ${value}`,
        );
        behind.write(
          `${request.method} ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`,
        );
        const { socket } = response;
        if (socket !== null) behind.pipe(socket);
      });
      behind.on('error', () => response.destroy());
    });
  }

  private note(request: IncomingMessage): void {
    const { method = '', url = '', headers } = request;
    this.asked.push({ method, target: url, authorization: headers['proxy-authorization'] ?? '' });
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => {
      this.server.listen(0, '127.0.0.1', resolve);
    });
    const address = this.server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
    closing.push(this);
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((resolve) => {
      this.server.close(() => resolve());
    });
  }
}

test('proxy: CONNECT with its own password, which the registry never sees; NO_PROXY', async () => {
  const fake = await tlsRegistry('DNS:registry.test');
  const proxy = await new NamedProxy(() => fake.port).listen();
  home.write('.config/containers/certs.d/registry.test/ca.crt', authority.certificate);
  home.environment.HTTPS_PROXY = `http://bob:canary-proxy@127.0.0.1:${proxy.port}`;
  assert.match(await resolve('registry.test/a:x'), /^sha256:/);
  assert.deepEqual(
    proxy.asked.map(({ method, target }) => `${method} ${target}`),
    ['CONNECT registry.test:443'],
  );
  assert.equal(proxy.asked[0]?.authorization, `Basic ${Buffer.from('bob:canary-proxy').toString('base64')}`);
  assert.ok(fake.seen.length > 0);
  assert.ok(!fake.heard('canary-proxy'));
  proxy.status = 407;
  const error = await failure(resolve('registry.test/a:x'));
  assert.equal(error.code, 'EPROXY');
  assert.ok(!shown(error).includes('canary-proxy'));
  home.environment.NO_PROXY = '.test';
  const direct = await failure(resolve('registry.test/a:x'));
  assert.notEqual(direct.code, 'EPROXY');
});

test('proxy: SOCKS 5 by ALL_PROXY, with TLS to the registry through it', async () => {
  const fake = await tlsRegistry('DNS:registry.test');
  const asked: string[] = [];
  const server = createTcpServer((socket) => {
    socket.once('data', () => {
      socket.write(Uint8Array.of(5, 0));
      socket.once('data', (request: Buffer) => {
        asked.push(request.subarray(5, 5 + (request[4] ?? 0)).toString());
        const behind = connect(fake.port, '127.0.0.1', () => {
          socket.write(Uint8Array.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0));
          behind.pipe(socket).pipe(behind);
        });
        for (const each of [behind, socket]) each.on('error', () => behind.destroy());
      });
    });
  });
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  closing.push({ close: async () => void server.close() });
  const address = server.address();
  home.write('.config/containers/certs.d/registry.test/ca.crt', authority.certificate);
  home.environment.ALL_PROXY = `socks5h://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  assert.match(await resolve('registry.test/a:x'), /^sha256:/);
  assert.deepEqual([...new Set(asked)], ['registry.test']);
});

test('addresses: a public registry leads nobody inside', async () => {
  const fake = await tlsRegistry('DNS:registry.test');
  const inside = await new FakeServer(authority.sign('IP:127.0.0.1', 'DNS:localhost')).listen();
  closing.push(inside);
  inside.script(/./, saying(200, {}, '{"token":"x"}'));
  const proxy = await new NamedProxy(() => fake.port).listen();
  home.write('.config/containers/certs.d/registry.test/ca.crt', authority.certificate);
  home.write(`.config/containers/certs.d/127.0.0.1:${inside.port}/ca.crt`, authority.certificate);
  home.login({ 'registry.test': ['alice', 'canary-pass'] });
  home.environment.HTTPS_PROXY = proxy.url;
  const places = [
    'https://169.254.169.254/latest',
    'https://[fd00:ec2::254]/',
    'https://10.0.0.1/',
    `https://127.0.0.1:${inside.port}/`,
    `https://localhost:${inside.port}/`,
    `https://[::ffff:127.0.0.1]:${inside.port}/`,
    `https://2130706433:${inside.port}/`,
    `https://0x7f.1:${inside.port}/`,
    `https://0:${inside.port}/`,
  ];
  for (const place of places) {
    fake.script(/blobs|manifests/, saying(307, { Location: place }));
    const redirected = await failure(resolve('registry.test/a:x'));
    assert.equal(redirected.code, 'EREDIRECT', place);
    fake.script(
      /blobs|manifests/,
      saying(401, { 'WWW-Authenticate': `Bearer realm="${place}",service="x"` }),
    );
    const challenged = await failure(resolve('registry.test/a:x'));
    assert.equal(challenged.code, 'EREDIRECT', place);
  }
  assert.equal(inside.seen.length, 0);
  assert.ok(proxy.asked.every(({ target }) => target === 'registry.test:443'));
});

test('addresses: a name that a private registry gives must not be a link-local address, one of its own kind may', async () => {
  const fake = await new FakeRegistry().listen();
  closing.push(fake);
  const storage = await new FakeServer().listen();
  closing.push(storage);
  const { layer } = addImage(fake, 'a', 'x', noise(100));
  storage.script(/./, (_, response) => send(response, 200, {}, noise(100)));
  fake.script(/blobs/, saying(307, { Location: `http://localhost:${storage.port}/x` }));
  const { registry } = await open(home, `${fake.host}/a:x`);
  assert.ok((await collect((await registry.blob(layer, 0)).content)).equals(noise(100)));
  fake.script(/blobs/, saying(307, { Location: 'http://169.254.169.254/latest/meta-data' }));
  assert.equal((await failure(registry.blob(layer, 0))).code, 'EREDIRECT');
  registry.close();
});
