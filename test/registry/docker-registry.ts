// Debian's docker-registry on loopback for tests: plain, with basic authentication, with TLS.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TlsFiles } from './fake-server.ts';

const PROGRAM = '/usr/bin/docker-registry';

/** Why these tests cannot run here; false when they can. */
export const missing = existsSync(PROGRAM) ? false : 'docker-registry is not installed (Debian package)';

/** Made by `htpasswd -nbB alice canary-pass`. */
const HTPASSWD = 'alice:$2y$05$cjWABt82BFLfzCx05hvweeZGqYgJ3B7Qrt7JSCPKvg8dF09f2Tq7q\n';

export interface DockerRegistryOptions {
  readonly auth?: boolean;
  /** A token service, and the certificate (PEM) of what it signs with. */
  readonly tokens?: { readonly realm: string; readonly certificate: string };
  readonly tls?: TlsFiles;
}

export class DockerRegistry {
  readonly port: number;
  private readonly folder: string;
  private readonly child: ChildProcess;

  private constructor(port: number, folder: string, child: ChildProcess) {
    this.port = port;
    this.folder = folder;
    this.child = child;
  }

  static async start(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
    const folder = mkdtempSync(join(tmpdir(), 'caisson-docker-registry-'));
    const port = await freePort();
    writeFileSync(join(folder, 'config.json'), JSON.stringify(configuration(folder, port, options)));
    const child = spawn(PROGRAM, ['serve', join(folder, 'config.json')], {
      stdio: ['ignore', 'ignore', 'ignore'],
      env: { OTEL_TRACES_EXPORTER: 'none' },
    });
    const registry = new DockerRegistry(port, folder, child);
    await registry.isUp();
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => {
      this.child.once('exit', resolve);
    });
    this.child.kill('SIGKILL');
    await ended;
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async isUp(): Promise<void> {
    for (let tries = 0; tries < 200; tries++) {
      if (await accepts(this.port)) return;
      if (this.child.exitCode !== null) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('docker-registry does not start');
  }
}

function configuration(folder: string, port: number, options: DockerRegistryOptions): object {
  const { auth, tls, tokens } = options;
  if (auth === true) writeFileSync(join(folder, 'htpasswd'), HTPASSWD);
  if (tls !== undefined) {
    writeFileSync(join(folder, 'tls.crt'), tls.certificate);
    writeFileSync(join(folder, 'tls.key'), tls.key);
  }
  if (tokens !== undefined) writeFileSync(join(folder, 'tokens.crt'), tokens.certificate);
  const bundle = join(folder, 'tokens.crt');
  return {
    version: 0.1,
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
    http: {
      addr: `127.0.0.1:${port}`,
      secret: 'test',
      ...(tls === undefined
        ? {}
        : { tls: { certificate: join(folder, 'tls.crt'), key: join(folder, 'tls.key') } }),
    },
    ...(tokens === undefined
      ? {}
      : {
          auth: { token: { realm: tokens.realm, service: 'test', issuer: 'tests', rootcertbundle: bundle } },
        }),
    ...(auth === true ? { auth: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } } } : {}),
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

async function accepts(port: number): Promise<boolean> {
  const { connect } = await import('node:net');
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
