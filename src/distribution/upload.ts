// Blobs, to a registry: monolithic or in chunks, going on where an upload broke (distribution-spec, "Pushing blobs").

import type { Descriptor } from '../spec/descriptor.ts';
import { CaissonError } from '../spec/error.ts';
import type { EndpointClient, Surroundings } from './endpoint-client.ts';
import type { Response } from './http/response.ts';
import { parseUploadRange } from './http/response-headers.ts';
import { PassingError, waitBefore } from './retry.ts';

/** The content of a blob from a byte on, as often as it is asked for. */
export type ContentFrom = (offset: number) => AsyncIterable<Uint8Array>;

/** An upload that the registry keeps for us. */
export interface UploadSession {
  readonly url: URL;
  /** The registry's shortest chunk (OCI-Chunk-Min-Length), 0 where it does not say. */
  readonly minimum: number;
}

/** Up to here one request carries all. */
const MONOLITHIC_LIMIT = 1 << 20;

/** What follows a 413: something between us and the registry wants less at once. */
const SMALLER_CHUNK = 32 << 20;
const SMALLEST_CHUNK = 1 << 20;

/** How often a registry may take less than it was sent. */
const SHORTAGES_LIMIT = 50;

const STATUSES = [200, 201, 202, 204, 400, 404, 405, 413, 416, 501];

/** Begins an upload; with `mount` the registry is asked to take the blob from another repository, which is the end where it does. */
export async function startUpload(
  client: EndpointClient,
  mount?: { readonly descriptor: Descriptor; readonly from: string },
): Promise<UploadSession | 'mounted'> {
  const { repository } = client.endpoint;
  const query =
    mount === undefined
      ? ''
      : `?mount=${encodeURIComponent(mount.descriptor.digest)}&from=${encodeURIComponent(mount.from)}`;
  const response = await client.send({
    method: 'POST',
    target: `${repository}/blobs/uploads/${query}`,
    headers: { 'Content-Length': '0' },
    scopes: [
      `repository:${repository}:pull,push`,
      ...(mount === undefined ? [] : [`repository:${mount.from}:pull`]),
    ],
    what: `upload to ${repository}`,
    accept: mount === undefined ? [202] : [201, 202],
  });
  await response.discard();
  if (response.status === 201) return 'mounted';
  const minimum = Number(response.header('oci-chunk-min-length') ?? '0');
  return {
    url: locationOf(client, response),
    minimum: Number.isSafeInteger(minimum) && minimum > 0 && minimum <= 1 << 30 ? minimum : 0,
  };
}

/**
 * Uploads a blob. Throws CaissonError `EDENIED`, `EDIGEST` (the registry has received something else), `ETOOLARGE`,
 * `EUPLOAD` when it forgets the upload again and again.
 */
export async function uploadBlob(
  client: EndpointClient,
  around: Surroundings,
  descriptor: Descriptor,
  content: ContentFrom,
  session?: UploadSession,
): Promise<void> {
  let begun = session;
  let chunk = descriptor.size;
  // A registry may forget all of an upload of which a part was broken off (docker-registry 2.8 does).
  for (let attempt = 0; attempt < around.retries.attempts; attempt++) {
    const current: UploadSession | 'mounted' = begun ?? (await startUpload(client));
    if (current === 'mounted') return;
    begun = undefined;
    const upload = new Upload(client, around, descriptor, content, current, chunk);
    if (await upload.run()) return;
    chunk = upload.chunk;
    around.report({ kind: 'bytes', digest: descriptor.digest, at: 0, size: descriptor.size });
  }
  throw new CaissonError(
    `${whatOf(client, descriptor)}: the registry forgets the upload (${client.endpoint.host})`,
    {
      code: 'EUPLOAD',
    },
  );
}

class Upload {
  private readonly client: EndpointClient;
  private readonly around: Surroundings;
  private readonly descriptor: Descriptor;
  private readonly content: ContentFrom;
  private readonly session: UploadSession;
  private url: URL;
  private at = 0;
  /** How much is sent at once; a 413 makes it less, for the next upload of this blob, too. */
  chunk: number;
  private attempt = 1;
  private shortages = 0;

  constructor(
    client: EndpointClient,
    around: Surroundings,
    descriptor: Descriptor,
    content: ContentFrom,
    session: UploadSession,
    chunk: number,
  ) {
    this.client = client;
    this.around = around;
    this.descriptor = descriptor;
    this.content = content;
    this.session = session;
    this.url = session.url;
    this.chunk = Math.max(chunk, session.minimum);
  }

  /** Whether the blob is there now; false when the upload is gone and another may be begun. */
  async run(): Promise<boolean> {
    if (this.descriptor.size <= MONOLITHIC_LIMIT) return this.finish(true);
    while (this.at < this.descriptor.size) {
      const next = await this.sendChunk();
      if (next === 'monolithic') return this.finish(true);
      if (next === 'gone') return false;
    }
    return this.finish(false);
  }

  private async sendChunk(): Promise<'more' | 'monolithic' | 'gone'> {
    const start = this.at;
    const length = Math.min(this.chunk, this.descriptor.size - start);
    let response: Response;
    try {
      response = await this.request('PATCH', this.url, start, length, {
        'Content-Range': `${start}-${start + length - 1}`,
      });
    } catch (error) {
      return this.recover(error);
    }
    const { status } = response;
    if (status === 413 && this.makeSmaller()) {
      await response.discard();
      return this.look();
    }
    if (status === 416) {
      return this.recover(new PassingError(await this.client.errorOf(response, this.what), undefined));
    }
    if (status === 404) {
      await response.discard();
      return 'gone';
    }
    if ((status === 400 || status === 405 || status === 501) && start === 0) {
      await response.discard();
      return 'monolithic';
    }
    if (status >= 400) throw await this.client.errorOf(response, this.what);
    this.url = locationOf(this.client, response, this.url);
    this.at = this.takeOver(parseUploadRange(response.header('range')), start, length);
    await response.discard();
    if (this.at > start) this.attempt = 1;
    return 'more';
  }

  /** What the registry says it has; without a word all that was sent. */
  private takeOver(told: number | undefined, start: number, length: number): number {
    const sent = start + length;
    if (told === undefined || told >= sent) return sent;
    if (told > start && ++this.shortages <= SHORTAGES_LIMIT) return told;
    throw new CaissonError(`${this.what}: the registry loses what was sent (${this.client.endpoint.host})`, {
      code: 'EUPLOAD',
    });
  }

  /** After a failure: waits, and asks how far the upload got. */
  private async recover(error: unknown): Promise<'more' | 'gone'> {
    const { retries, waits, report } = this.around;
    const wait = waitBefore(retries, this.attempt, error);
    if (wait === undefined) throw error;
    report({
      kind: 'retry',
      what: `${this.what} (${this.client.endpoint.host})`,
      why: error instanceof Error ? error.message : String(error),
      seconds: wait / 1000,
      attempt: this.attempt,
      attempts: retries.attempts,
    });
    this.attempt++;
    await waits.wait(wait);
    return this.look();
  }

  private async look(): Promise<'more' | 'gone'> {
    const response = await this.client.send({
      method: 'GET',
      target: this.url,
      scopes: this.scopes,
      what: this.what,
      accept: [204, 202, 200, 404, 405],
    });
    await response.discard();
    if (response.status >= 400) return 'gone';
    if (response.header('location') !== undefined) this.url = locationOf(this.client, response, this.url);
    const told = parseUploadRange(response.header('range')) ?? 0;
    if (told > this.descriptor.size) return 'gone';
    this.at = told;
    this.tell(told);
    return 'more';
  }

  /** Closes the upload with its digest; `whole` sends the content in the same request. */
  private async finish(whole: boolean): Promise<boolean> {
    const { digest, size } = this.descriptor;
    const url = new URL(this.url);
    url.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
    for (;;) {
      let response: Response;
      try {
        response = await this.request('PUT', url, 0, whole ? size : 0, {});
      } catch (error) {
        const { retries, waits } = this.around;
        const wait = waitBefore(retries, this.attempt++, error);
        if (wait === undefined) throw error;
        await waits.wait(wait);
        // It may have arrived although its answer did not; otherwise the registry may have half of it.
        return hasBlob(this.client, this.descriptor);
      }
      if (response.status === 404) {
        await response.discard();
        return hasBlob(this.client, this.descriptor);
      }
      if (response.status < 300) {
        await response.discard();
        this.tell(size);
        return true;
      }
      throw await this.refused(response);
    }
  }

  private async refused(response: Response): Promise<CaissonError> {
    const error = await this.client.errorOf(response, this.what);
    if (!error.message.includes('DIGEST_INVALID')) return error;
    return new CaissonError(error.message, { code: 'EDIGEST', details: error.details });
  }

  private request(
    method: 'PATCH' | 'PUT',
    url: URL,
    start: number,
    length: number,
    headers: Readonly<Record<string, string>>,
  ): Promise<Response> {
    return this.client.send({
      method,
      target: url,
      headers: { 'Content-Type': 'application/octet-stream', ...headers },
      content: { length, open: () => this.part(start, length) },
      scopes: this.scopes,
      what: this.what,
      accept: STATUSES,
      once: true,
    });
  }

  private async *part(start: number, length: number): AsyncGenerator<Uint8Array, void, undefined> {
    if (length === 0) return;
    let left = length;
    let told = start;
    for await (const chunk of this.content(start)) {
      const piece = chunk.length > left ? chunk.subarray(0, left) : chunk;
      left -= piece.length;
      yield piece;
      const at = start + length - left;
      if (at - told >= 256 << 10) {
        told = at;
        this.tell(at);
      }
      if (left === 0) return;
    }
  }

  private makeSmaller(): boolean {
    const smaller = Math.max(
      Math.min(SMALLER_CHUNK, Math.floor(this.chunk / 2)),
      SMALLEST_CHUNK,
      this.session.minimum,
    );
    if (smaller >= this.chunk) return false;
    this.chunk = smaller;
    return true;
  }

  private tell(at: number): void {
    const { digest, size } = this.descriptor;
    this.around.report({ kind: 'bytes', digest, at, size });
  }

  private get scopes(): readonly string[] {
    return [`repository:${this.client.endpoint.repository}:pull,push`];
  }

  private get what(): string {
    return whatOf(this.client, this.descriptor);
  }
}

/** Whether the repository has a blob. */
export async function hasBlob(client: EndpointClient, descriptor: Descriptor): Promise<boolean> {
  const { repository } = client.endpoint;
  const response = await client.send({
    method: 'HEAD',
    target: `${repository}/blobs/${descriptor.digest}`,
    scopes: [`repository:${repository}:pull`],
    what: whatOf(client, descriptor),
    accept: [200, 404],
  });
  await response.discard();
  return response.status === 200;
}

function whatOf(client: EndpointClient, { digest }: Descriptor): string {
  return `blob ${digest.slice(0, digest.indexOf(':') + 13)} of ${client.endpoint.repository}`;
}

/** Where an upload goes on. The registry may leave the header out once it has been told. */
function locationOf(client: EndpointClient, response: Response, known?: URL): URL {
  const location = response.header('location');
  if (location !== undefined) return client.follow(location, response, 'upload location');
  if (known !== undefined) return known;
  throw new CaissonError(`${client.endpoint.host} begins an upload without saying where it goes on`, {
    code: 'EREGISTRY',
  });
}
