// Certificates: authorities of the system and of single registries, and what a client shows (docker's certs.d).

import type { Port } from '../../host/port.ts';
import { type Bytes, bytesToUtf8 } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { DEFAULT_DOMAIN } from '../../spec/reference.ts';
import type { TlsMaterial } from '../http/connect.ts';
import { hostHeader, type Origin } from '../http/origin.ts';
import { codeOf } from '../retry.ts';

/** Where distributions keep all authorities in one file: Debian, Fedora, SUSE, Alpine (as Go's crypto/x509 has it). */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

const BUNDLE_LIMIT = 8 << 20;
const FILE_LIMIT = 1 << 20;

export interface CertificatePlaces {
  readonly variable: (name: string) => string | undefined;
  readonly home?: Bytes;
}

/** Finds what TLS to an origin needs; the files are read when they are asked for. */
export class Certificates {
  private readonly port: Port;
  private readonly folders: readonly Bytes[];
  private readonly bundle: Bytes | undefined;
  private system: readonly string[] | undefined;

  constructor(port: Port, { variable, home }: CertificatePlaces) {
    this.port = port;
    this.bundle = variable('SSL_CERT_FILE') || undefined;
    const own =
      home === undefined ? [] : [`${home}/.config/containers/certs.d`, `${home}/.config/docker/certs.d`];
    this.folders = [...own, '/etc/containers/certs.d', '/etc/docker/certs.d'];
  }

  /**
   * The first folder that there is for the host: `*.crt` are authorities, `x.cert` and `x.key` are the client's own.
   * Throws CaissonError `ECERTIFICATES` for a certificate without its key.
   */
  materialFor(origin: Origin): TlsMaterial {
    const system = this.systemAuthorities();
    const folder = this.folderOf(origin);
    if (folder === undefined)
      return { certificates: [], ...(system === undefined ? {} : { authorities: system }) };
    const names = [...this.port.list(folder)].sort();
    const own = names.filter((name) => name.endsWith('.crt')).map((name) => this.read(`${folder}/${name}`));
    const certificates = names
      .filter((name) => name.endsWith('.cert'))
      .map((name) => ({
        certificate: this.read(`${folder}/${name}`),
        key: this.keyOf(folder, name, names),
      }));
    const authorities = own.length === 0 ? system : [...(system ?? []), ...own];
    return { certificates, ...(authorities === undefined ? {} : { authorities }) };
  }

  private keyOf(folder: Bytes, name: Bytes, names: readonly Bytes[]): string {
    const key = `${name.slice(0, -'.cert'.length)}.key`;
    if (names.includes(key)) return this.read(`${folder}/${key}`);
    throw new CaissonError(`${folder}/${name} has no key beside it: ${key}`, { code: 'ECERTIFICATES' });
  }

  /** Named by host and port; the port may be left out where it is the usual one. */
  private folderOf(origin: Origin): Bytes | undefined {
    const names = [`${origin.host}:${origin.port}`, hostHeader(origin)];
    if (origin.host === 'registry-1.docker.io') names.push(DEFAULT_DOMAIN);
    for (const folder of this.folders) {
      for (const name of names) {
        // The host is from a URL: no slash, no dots alone.
        if (this.port.stat(`${folder}/${name}`)?.type === 'directory') return `${folder}/${name}`;
      }
    }
    return undefined;
  }

  private systemAuthorities(): readonly string[] | undefined {
    if (this.system !== undefined) return this.system;
    const files = this.bundle === undefined ? SYSTEM_BUNDLES : [this.bundle];
    for (const file of files) {
      const text = this.port.readFile(file, BUNDLE_LIMIT);
      if (text === undefined) continue;
      this.system = [bytesToUtf8(text)];
      return this.system;
    }
    // The runtime's own are better than none.
    return undefined;
  }

  private read(file: Bytes): string {
    let text: Bytes | undefined;
    try {
      text = this.port.readFile(file, FILE_LIMIT);
    } catch (error) {
      throw new CaissonError(`${bytesToUtf8(file)} cannot be read (${codeOf(error)})`, {
        code: 'ECERTIFICATES',
        cause: error,
      });
    }
    if (text !== undefined) return bytesToUtf8(text);
    throw new CaissonError(`${bytesToUtf8(file)} is gone`, { code: 'ECERTIFICATES' });
  }
}
