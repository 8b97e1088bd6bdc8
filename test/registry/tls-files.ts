// Certificates for tests: an authority and what it signs, made by openssl in a folder of their own.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TlsFiles } from './fake-server.ts';

export class Authority {
  private readonly folder = mkdtempSync(join(tmpdir(), 'caisson-tls-'));

  constructor() {
    this.openssl(
      ...KEY,
      '-x509',
      '-subj',
      '/CN=caisson test authority',
      '-keyout',
      'ca.key',
      '-out',
      'ca.crt',
    );
  }

  get certificate(): string {
    return this.read('ca.crt');
  }

  /** A certificate for names (`DNS:registry.test`, `IP:127.0.0.1`). */
  sign(...names: readonly string[]): TlsFiles {
    this.openssl(...KEY, '-subj', '/CN=caisson test', '-keyout', 'one.key', '-out', 'one.csr');
    writeFileSync(join(this.folder, 'one.ext'), `subjectAltName=${names.join(',')}\n`);
    this.openssl(
      ...['x509', '-req', '-in', 'one.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial'],
      ...['-days', '2', '-extfile', 'one.ext', '-out', 'one.crt'],
    );
    return { certificate: this.read('one.crt'), key: this.read('one.key') };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private read(name: string): string {
    return readFileSync(join(this.folder, name), 'utf8');
  }

  private openssl(...args: readonly string[]): void {
    execFileSync('openssl', args, { cwd: this.folder, stdio: 'ignore' });
  }
}

const KEY = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
