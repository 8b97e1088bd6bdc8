// Blobs, from a registry: a stream of exactly the announced length that goes on where a connection broke.

import type { Descriptor } from '../spec/descriptor.ts';
import { CaissonError } from '../spec/error.ts';
import { isForeignLayer } from '../spec/media-types.ts';
import type { EndpointClient, Surroundings } from './endpoint-client.ts';
import type { Response } from './http/response.ts';
import { parseContentRange } from './http/response-headers.ts';
import { networkError } from './registry-error.ts';
import { waitBefore } from './retry.ts';

/** A blob from `offset` on; 0 where the registry has no ranges. Not verified: whoever stores it hashes it. */
export interface BlobStream {
  readonly offset: number;
  readonly content: AsyncIterable<Uint8Array>;
}

/** So much progress earns a new set of tries. */
const PROGRESS_BYTES = 1 << 20;

/** A registry that breaks off again and again is given up in the end, whatever progress it makes. */
const INTERRUPTIONS_LIMIT = 50;

/** The notification of progress: so many bytes are worth one. */
const REPORT_BYTES = 256 << 10;

/**
 * Opens a blob at `offset`. Throws CaissonError `ENOTFOUND`, `EDENIED`, ... at once; while it is read `ESIZE` for a
 * registry that sends more or less than `descriptor.size`, and what ends it after the last try.
 */
export async function openBlob(
  client: EndpointClient,
  around: Surroundings,
  descriptor: Descriptor,
  offset: number,
): Promise<BlobStream> {
  if (offset > 0 && offset === descriptor.size) return { offset, content: nothing() };
  const download = new Download(client, around, descriptor);
  const { response, start } = await download.request(offset);
  return { offset: start, content: download.content(response, start) };
}

class Download {
  private readonly client: EndpointClient;
  private readonly around: Surroundings;
  private readonly descriptor: Descriptor;

  constructor(client: EndpointClient, around: Surroundings, descriptor: Descriptor) {
    this.client = client;
    this.around = around;
    this.descriptor = descriptor;
  }

  /** The response that begins at `start`, which is `offset` or, without ranges, 0. */
  async request(offset: number): Promise<{ response: Response; start: number }> {
    const { digest, size } = this.descriptor;
    const { repository } = this.client.endpoint;
    const response = await this.client.send({
      method: 'GET',
      target: `${repository}/blobs/${digest}`,
      headers: {
        Accept: 'application/octet-stream, */*',
        ...(offset === 0 ? {} : { Range: `bytes=${offset}-` }),
      },
      scopes: [`repository:${repository}:pull`],
      what: this.what,
      accept: [200, 206, 404, 416],
    });
    if (response.status === 404) throw await this.missing(response);
    if (response.status === 416 && offset > 0) {
      await response.discard();
      return this.request(0);
    }
    if (response.status === 416) throw await this.client.errorOf(response, this.what);
    const start = response.status === 206 ? this.startOf(response, offset) : 0;
    const announced = response.length;
    if (announced !== undefined && announced !== size - start) {
      await response.discard();
      throw this.wrongSize(`the registry announces ${announced} bytes where ${size - start} are to come`);
    }
    return { response, start };
  }

  /** The bytes from `start` to the end, over as many connections as that takes. */
  async *content(first: Response, start: number): AsyncGenerator<Uint8Array, void, undefined> {
    const { size } = this.descriptor;
    let response = first;
    let at = start;
    let skip = 0;
    let attempt = 1;
    let mark = start;
    for (let interruptions = 0; ; interruptions++) {
      try {
        for await (const piece of this.counted(response, at - skip)) {
          // A registry without ranges begins again: what is known already is passed over.
          const fresh = skip === 0 ? piece : piece.subarray(Math.min(skip, piece.length));
          skip -= piece.length - fresh.length;
          if (fresh.length === 0) continue;
          at += fresh.length;
          yield fresh;
        }
        if (at === size) return;
        throw Object.assign(new Error('the body is too short'), { code: 'ECONNRESET' });
      } catch (error) {
        if (at - mark >= PROGRESS_BYTES) attempt = 1;
        mark = at;
        await this.pause(error, attempt++, interruptions, at);
      }
      const next = await this.request(at);
      response = next.response;
      skip = at - next.start;
    }
  }

  /** The body, never longer than the blob. */
  private async *counted(response: Response, start: number): AsyncGenerator<Uint8Array, void, undefined> {
    const { digest, size } = this.descriptor;
    let at = start;
    let told = start;
    for await (const chunk of response.chunks()) {
      at += chunk.length;
      if (at > size) throw this.wrongSize('the registry sends more');
      if (at - told >= REPORT_BYTES || at === size) {
        told = at;
        this.around.report({ kind: 'bytes', digest, at, size });
      }
      yield chunk;
    }
  }

  /** Waits before the blob is asked for again; throws what there is no use in trying again. */
  private async pause(error: unknown, attempt: number, interruptions: number, at: number): Promise<void> {
    const { retries, secrets, waits, report } = this.around;
    const told = networkError(error, { what: this.what, host: this.client.endpoint.host }, secrets);
    const wait = interruptions < INTERRUPTIONS_LIMIT ? waitBefore(retries, attempt, told) : undefined;
    if (wait === undefined) throw told;
    report({
      kind: 'retry',
      what: `${this.what} (${this.client.endpoint.host})`,
      why: `interrupted after ${at} of ${this.descriptor.size} bytes: ${told.message}`,
      seconds: wait / 1000,
      attempt,
      attempts: retries.attempts,
    });
    await waits.wait(wait);
  }

  private get what(): string {
    const { digest } = this.descriptor;
    return `blob ${digest.slice(0, digest.indexOf(':') + 13)} of ${this.client.endpoint.repository}`;
  }

  private startOf(response: Response, offset: number): number {
    const range = parseContentRange(response.header('content-range') ?? '');
    const { size } = this.descriptor;
    const fits = range !== undefined && range.start === offset && range.end === size - 1;
    if (fits && (range.total === undefined || range.total === size)) return offset;
    response.discard();
    throw this.wrongSize('the registry sends another part than it was asked for');
  }

  private wrongSize(why: string): CaissonError {
    const { size } = this.descriptor;
    return new CaissonError(
      `${this.what} (${this.client.endpoint.host}): ${why} (its size is ${size} bytes)`,
      {
        code: 'ESIZE',
      },
    );
  }

  private async missing(response: Response): Promise<CaissonError> {
    const error = await this.client.errorOf(response, this.what);
    if (!isForeignLayer(this.descriptor.mediaType)) return error;
    return new CaissonError(error.message, {
      code: error.code,
      details: [
        'it is a layer that registries need not have; caisson does not follow the addresses in manifests',
      ],
    });
  }
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {}
