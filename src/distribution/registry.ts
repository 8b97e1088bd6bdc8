// A registry as callers see it: one repository, wherever its content comes from.

import type { Descriptor } from '../spec/descriptor.ts';
import { CaissonError } from '../spec/error.ts';
import type { Reference } from '../spec/reference.ts';
import type { RegistryConfiguration } from './configuration/configuration.ts';
import { isInsecureHost, placesToPull, placeToPush } from './configuration/places.ts';
import { type BlobStream, openBlob } from './download.ts';
import type { Endpoint } from './endpoint.ts';
import { EndpointClient, type Surroundings } from './endpoint-client.ts';
import { hostHeader, type Origin } from './http/origin.ts';
import { Transport } from './http/transport.ts';
import { listTags } from './lists.ts';
import { fetchManifest, type Manifest, putManifest, resolveManifest } from './manifests.ts';
import type { Progress } from './progress.ts';
import { describeReferrer, listReferrers, noteReferrer } from './referrers.ts';
import { codeOf, Waits } from './retry.ts';
import { type ContentFrom, hasBlob, startUpload, type UploadSession, uploadBlob } from './upload.ts';

/** All methods throw CaissonError; see docs/registry.md for the codes. */
export interface Registry {
  /** By HEAD, then GET where a registry does not answer HEAD. */
  resolve(ref: Reference): Promise<Descriptor>;
  /** Verified, at most 4 MiB. */
  manifest(wanted: Reference | Descriptor): Promise<Manifest>;
  /**
   * From `offset` on, or from the beginning where the registry has no ranges; broken connections are gone on with. Of
   * exactly the announced size, and not hashed: whoever stores it does that, and asks again where it was wrong, which
   * goes to another place where there is one. To be read or left (`break`), not forgotten.
   */
  blob(descriptor: Descriptor, offset: number): Promise<BlobStream>;
  hasBlob(descriptor: Descriptor): Promise<boolean>;
  /** Whether the registry took the blob from another of its repositories; otherwise it is to be uploaded. */
  mount(descriptor: Descriptor, fromRepository: string): Promise<boolean>;
  uploadBlob(descriptor: Descriptor, content: ContentFrom): Promise<void>;
  /** Under the tag of `ref`, or its digest; a manifest with a subject is made known as a referrer. */
  putManifest(ref: Reference, mediaType: string, bytes: Uint8Array): Promise<Descriptor>;
  tags(): Promise<readonly string[]>;
  /** The manifests whose subject this is. */
  referrers(descriptor: Descriptor, artifactType?: string): Promise<readonly Descriptor[]>;
  /** Ends all connections; what is under way fails with `ECANCELED`. */
  close(): void;
}

/**
 * The registry of a reference: for a pull its mirrors by registries.conf and then itself, for a push itself. Nothing is
 * sent before the first call. Throws CaissonError `EBLOCKED` and `EREGISTRIESCONF`.
 */
export function openRegistry(
  configuration: RegistryConfiguration,
  ref: Reference,
  access: 'pull' | 'push',
  report: Progress,
): Registry {
  const { registries } = configuration;
  const endpoints = access === 'pull' ? placesToPull(registries, ref) : [placeToPush(registries, ref)];
  return new RegistryClient(configuration, endpoints, report);
}

/** What requests to these endpoints share. */
export function surroundingsFor(
  configuration: RegistryConfiguration,
  endpoints: readonly Endpoint[],
  report: Progress,
): Surroundings {
  const { limits, proxy, tls, userAgent, credentials, secrets, retries, registries } = configuration;
  const isUnverified = ({ host, port }: Origin) =>
    endpoints.some(
      ({ verify, origins }) => !verify && origins.some((each) => each.host === host && each.port === port),
    );
  const transport = new Transport({
    limits,
    proxy,
    tls,
    userAgent,
    unverified: (origin) => isUnverified(origin) || isInsecureHost(registries, hostHeader(origin)),
  });
  return { transport, credentials, secrets, retries, waits: new Waits(), report };
}

class RegistryClient implements Registry {
  private readonly clients: readonly EndpointClient[];
  private readonly around: Surroundings;
  private readonly sessions = new Map<string, UploadSession>();
  /** Who has sent all of a blob. */
  private readonly delivered = new Map<string, EndpointClient>();
  private preferred: EndpointClient | undefined;

  constructor(configuration: RegistryConfiguration, endpoints: readonly Endpoint[], report: Progress) {
    this.around = surroundingsFor(configuration, endpoints, report);
    // A mirror is one of several: what it does not do soon another does.
    const patience = { ...this.around, retries: { ...configuration.retries, attempts: 2 } };
    this.clients = endpoints.map((each) => new EndpointClient(each, each.isMirror ? patience : this.around));
  }

  resolve(ref: Reference): Promise<Descriptor> {
    return this.first((client) => resolveManifest(client, ref));
  }

  manifest(wanted: Reference | Descriptor): Promise<Manifest> {
    return this.first((client) => fetchManifest(client, wanted));
  }

  async blob(descriptor: Descriptor, offset: number): Promise<BlobStream> {
    // Who asks again for what has come in full has found that it was wrong: another place may have it right.
    const wrong = this.delivered.get(descriptor.digest);
    const order = this.order();
    const others = order.filter((client) => client !== wrong);
    const { client, stream } = await this.first(
      async (each) => ({ client: each, stream: await openBlob(each, this.around, descriptor, offset) }),
      others.length === 0 ? order : others,
    );
    return { offset: stream.offset, content: this.throughAll(descriptor, client, stream) };
  }

  /** Where one place breaks off for good, the others go on. */
  private async *throughAll(
    descriptor: Descriptor,
    opened: EndpointClient,
    stream: BlobStream,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let at = stream.offset;
    let { content } = stream;
    const others = this.order().filter((each) => each !== opened);
    for (let current = opened; ; ) {
      try {
        for await (const piece of content) {
          at += piece.length;
          yield piece;
        }
        this.delivered.set(descriptor.digest, current);
        return;
      } catch (error) {
        const next = others.shift();
        if (next === undefined || codeOf(error) === 'ECANCELED') throw error;
        this.tellNext(current, next, error);
        current = next;
        const again = await openBlob(next, this.around, descriptor, at);
        content = again.offset === at ? again.content : skipped(again.content, at - again.offset);
      }
    }
  }

  hasBlob(descriptor: Descriptor): Promise<boolean> {
    return this.first((client) => hasBlob(client, descriptor));
  }

  async mount(descriptor: Descriptor, fromRepository: string): Promise<boolean> {
    return this.first(async (client) => {
      try {
        const session = await startUpload(client, { descriptor, from: fromRepository });
        if (session === 'mounted') return true;
        // It has begun an upload instead, which is gone on with.
        this.sessions.set(descriptor.digest, session);
      } catch (error) {
        // Not all registries know mounts, and not everybody may read the other repository.
        if (!['EDENIED', 'ENOTFOUND', 'EREGISTRY'].includes(codeOf(error))) throw error;
      }
      return false;
    });
  }

  uploadBlob(descriptor: Descriptor, content: ContentFrom): Promise<void> {
    const session = this.sessions.get(descriptor.digest);
    this.sessions.delete(descriptor.digest);
    return this.first((client) => uploadBlob(client, this.around, descriptor, content, session));
  }

  putManifest(ref: Reference, mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
    return this.first(async (client) => {
      const { descriptor, hasSubject } = await putManifest(client, ref, mediaType, bytes);
      const noted = hasSubject ? undefined : describeReferrer(descriptor, bytes);
      if (noted !== undefined) await noteReferrer(client, noted.subject, noted.referrer);
      return descriptor;
    });
  }

  tags(): Promise<readonly string[]> {
    return this.first((client) => listTags(client));
  }

  referrers(descriptor: Descriptor, artifactType?: string): Promise<readonly Descriptor[]> {
    return this.first((client) => listReferrers(client, descriptor.digest, artifactType));
  }

  close(): void {
    this.around.waits.close();
    this.around.transport.close();
  }

  /** Asks one place after the other, first the one that answered last; all that failed are in the error. */
  private async first<T>(
    ask: (client: EndpointClient) => Promise<T>,
    order: readonly EndpointClient[] = this.order(),
  ): Promise<T> {
    const failures: string[] = [];
    for (const [index, client] of order.entries()) {
      try {
        const result = await ask(client);
        this.preferred = client;
        return result;
      } catch (error) {
        const next = order[index + 1];
        if (next === undefined || codeOf(error) === 'ECANCELED') throw withFailures(error, failures);
        if (error instanceof Error) failures.push(error.message);
        this.tellNext(client, next, error);
      }
    }
    throw new CaissonError('no place to ask', { code: 'EREGISTRIESCONF' });
  }

  private order(): readonly EndpointClient[] {
    const { preferred } = this;
    if (preferred === undefined) return this.clients;
    return [preferred, ...this.clients.filter((client) => client !== preferred)];
  }

  private tellNext(failed: EndpointClient, next: EndpointClient, error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    this.around.report({ kind: 'next', failed: failed.endpoint.host, next: next.endpoint.host, why });
  }
}

function withFailures(error: unknown, failures: readonly string[]): unknown {
  if (!(error instanceof CaissonError) || failures.length === 0) return error;
  const { code, details, exitCode } = error;
  return new CaissonError(error.message, {
    code,
    exitCode,
    details: [...details, ...failures.map((failure) => `before that: ${failure}`)],
  });
}

async function* skipped(
  content: AsyncIterable<Uint8Array>,
  count: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = count;
  for await (const piece of content) {
    if (left >= piece.length) {
      left -= piece.length;
      continue;
    }
    yield left === 0 ? piece : piece.subarray(left);
    left = 0;
  }
}
