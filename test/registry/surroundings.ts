// What tests of the registry client share: a home directory, a configuration that hurries, images in memory.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  type ConfigurationOptions,
  loadRegistryConfiguration,
  type RegistryConfiguration,
} from '../../src/distribution/configuration/configuration.ts';
import type { ProgressEvent } from '../../src/distribution/progress.ts';
import { openRegistry, type Registry } from '../../src/distribution/registry.ts';
import { nodePort } from '../../src/host/node.ts';
import type { Port } from '../../src/host/port.ts';
import { type Descriptor, parseDescriptor } from '../../src/spec/descriptor.ts';
import { CaissonError } from '../../src/spec/error.ts';
import { parseReference } from '../../src/spec/reference.ts';
import { type FakeRegistry, sha256 } from './fake-registry.ts';

/** Waits and limits in which a test can see a hundred failures. */
export const HURRY = {
  retries: { attempts: 4, firstWait: 4, longestWait: 10, longestRetryAfter: 2 },
  limits: { connectTime: 5000, headerTime: 5000, idleTime: 5000, idleBytes: 64 },
};

/** Patience for servers that are meant to be slow. */
export const IMPATIENT = { limits: { headerTime: 400, idleTime: 300 } };

/** A home directory with files, and a port that lives there. */
export class Home {
  readonly path = mkdtempSync(join(tmpdir(), 'caisson-registry-'));
  readonly environment: Record<string, string> = { HOME: this.path, PATH: `${this.path}/bin:/usr/bin:/bin` };

  write(name: string, content: string, mode = 0o600): string {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { mode });
    return path;
  }

  /** docker's config.json with one password for each host. */
  login(passwords: Readonly<Record<string, readonly [string, string]>>): void {
    const auths = Object.fromEntries(
      Object.entries(passwords).map(([host, [user, password]]) => [
        host,
        { auth: Buffer.from(`${user}:${password}`).toString('base64') },
      ]),
    );
    this.write('.docker/config.json', JSON.stringify({ auths }));
  }

  get port(): Port {
    const environment = Object.entries(this.environment).map(([name, value]) => `${name}=${value}`);
    return { ...nodePort(), environment };
  }

  configuration(options: ConfigurationOptions = {}): Promise<RegistryConfiguration> {
    return loadRegistryConfiguration(this.port, {
      ...options,
      retries: { ...HURRY.retries, ...options.retries },
      limits: { ...HURRY.limits, ...options.limits },
    });
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export interface Opened {
  readonly registry: Registry;
  readonly events: ProgressEvent[];
  readonly configuration: RegistryConfiguration;
}

/** Opens the registry of a reference with everything that the home has. */
export async function open(
  home: Home,
  reference: string,
  access: 'pull' | 'push' = 'pull',
  options: ConfigurationOptions = {},
): Promise<Opened> {
  const configuration = await home.configuration(options);
  const events: ProgressEvent[] = [];
  const registry = openRegistry(configuration, parseReference(reference), access, (event) =>
    events.push(event),
  );
  return { registry, events, configuration };
}

/** An image of one layer in a fake registry. */
export function addImage(registry: FakeRegistry, repository: string, tag: string, layer: Uint8Array) {
  const config = {
    ...registry.addBlob(Buffer.from('{}')),
    mediaType: 'application/vnd.oci.image.config.v1+json',
  };
  const described = registry.addBlob(layer);
  const document = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config,
    layers: [described],
  };
  const digest = registry.addManifest(repository, tag, document);
  return { digest, document, layer: parseDescriptor(described, '') };
}

/** A descriptor of bytes that nobody has yet. */
export function described(bytes: Uint8Array): Descriptor {
  return parseDescriptor(
    { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: sha256(bytes), size: bytes.length },
    '',
  );
}

/** Bytes that do not compress and differ from seed to seed. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Everything that a stream brings. */
export async function collect(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** `content` of an upload, in pieces. */
export function piecesOf(bytes: Uint8Array, size = 64 << 10): (offset: number) => AsyncIterable<Uint8Array> {
  return async function* (offset) {
    for (let at = offset; at < bytes.length; at += size)
      yield bytes.subarray(at, Math.min(bytes.length, at + size));
  };
}

/** The CaissonError with which a promise ends. */
export async function failure(promise: Promise<unknown>): Promise<CaissonError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof CaissonError) return error;
    throw error;
  }
  throw new Error('expected a failure');
}

/** Everything that a person could see of an error. */
export function shown(error: unknown): string {
  if (!(error instanceof CaissonError)) return String(error);
  const cause = error.cause === undefined ? '' : shown(error.cause);
  return [
    error.message,
    error.code,
    ...error.details,
    ...error.sources,
    ...error.provenance,
    error.stack,
    cause,
  ].join('\n');
}
