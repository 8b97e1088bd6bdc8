// A registry in memory for tests: blobs, manifests, uploads and tokens as the distribution specification has them.

import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { bodyOf, FakeServer, send, type TlsFiles } from './fake-server.ts';

export type Access =
  | { readonly kind: 'open' }
  | { readonly kind: 'basic'; readonly user: string; readonly password: string }
  /** `realm` is a token service that gives tokens which `accepts` takes. */
  | { readonly kind: 'bearer'; readonly realm: () => string; readonly accepts: (token: string) => boolean };

interface Upload {
  readonly repository: string;
  bytes: Buffer;
}

export function sha256(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

const ERRORS: Readonly<Record<number, string>> = {
  401: 'UNAUTHORIZED',
  404: 'MANIFEST_UNKNOWN',
  400: 'DIGEST_INVALID',
  416: 'RANGE_NOT_SATISFIABLE',
};

export class FakeRegistry extends FakeServer {
  readonly blobs = new Map<string, Buffer>();
  /** By `repository@digest` and `repository:tag`. */
  readonly manifests = new Map<string, { type: string; bytes: Buffer }>();
  readonly uploads = new Map<string, Upload>();
  access: Access = { kind: 'open' };
  hasReferrers = true;
  hasRanges = true;
  private count_ = 0;

  constructor(tls?: TlsFiles) {
    super(tls);
  }

  addBlob(bytes: Uint8Array): { mediaType: string; digest: string; size: number } {
    const digest = sha256(bytes);
    this.blobs.set(digest, Buffer.from(bytes));
    return { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: bytes.length };
  }

  addManifest(repository: string, tag: string, document: object, type?: string): string {
    const mediaType = type ?? ('mediaType' in document ? String(document.mediaType) : '');
    const bytes = Buffer.from(JSON.stringify(document));
    this.manifests.set(`${repository}@${sha256(bytes)}`, { type: mediaType, bytes });
    this.manifests.set(`${repository}:${tag}`, { type: mediaType, bytes });
    return sha256(bytes);
  }

  protected override async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    if (!this.isAllowed(request)) {
      request.resume();
      this.challenge(url, response);
      return;
    }
    const match = /^\/v2\/(.*?)\/(manifests|blobs\/uploads|blobs|tags|referrers)\/([^/]*)$/.exec(
      url.pathname,
    );
    const [, repository = '', kind = '', name = ''] = match ?? [];
    if (url.pathname === '/v2/') send(response, 200, {}, '{}');
    else if (kind === 'manifests') await this.manifest(request, response, repository, name);
    else if (kind === 'blobs') this.blob(request, response, name);
    else if (kind === 'blobs/uploads') await this.upload(request, response, repository, url);
    else if (kind === 'tags') this.tags(response, repository, url);
    else if (kind === 'referrers' && this.hasReferrers) this.referrers(response, repository, name);
    else fail(response, 404);
  }

  private isAllowed(request: IncomingMessage): boolean {
    const { authorization = '' } = request.headers;
    if (this.access.kind === 'open') return true;
    if (this.access.kind === 'bearer') {
      return (
        authorization.startsWith('Bearer ') && this.access.accepts(authorization.slice('Bearer '.length))
      );
    }
    const { user, password } = this.access;
    return authorization === `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  }

  private challenge(url: URL, response: ServerResponse): void {
    const repository = /^\/v2\/(.*?)\/(?:manifests|blobs|tags|referrers)\//.exec(url.pathname)?.[1] ?? '';
    const scope = repository === '' ? '' : `,scope="repository:${repository}:pull"`;
    const value =
      this.access.kind === 'bearer'
        ? `Bearer realm="${this.access.realm()}",service="fake"${scope}`
        : 'Basic realm="fake"';
    fail(response, 401, { 'WWW-Authenticate': value });
  }

  private async manifest(
    request: IncomingMessage,
    response: ServerResponse,
    repository: string,
    name: string,
  ): Promise<void> {
    const key = name.includes(':') ? `${repository}@${name}` : `${repository}:${name}`;
    if (request.method === 'PUT') {
      const bytes = await bodyOf(request);
      const digest = sha256(bytes);
      const entry = { type: request.headers['content-type'] ?? '', bytes };
      this.manifests.set(`${repository}@${digest}`, entry);
      this.manifests.set(key, entry);
      const { subject } = JSON.parse(bytes.toString()) as { subject?: { digest: string } };
      const told: Record<string, string> =
        subject !== undefined && this.hasReferrers ? { 'OCI-Subject': subject.digest } : {};
      send(
        response,
        201,
        { 'Docker-Content-Digest': digest, Location: `/v2/${repository}/manifests/${digest}`, ...told },
        '',
      );
      return;
    }
    const entry = this.manifests.get(key);
    if (entry === undefined) fail(response, 404);
    else
      send(
        response,
        200,
        { 'Content-Type': entry.type, 'Docker-Content-Digest': sha256(entry.bytes) },
        entry.bytes,
      );
  }

  private blob(request: IncomingMessage, response: ServerResponse, digest: string): void {
    const bytes = this.blobs.get(digest);
    if (bytes === undefined) return void fail(response, 404);
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    if (range === null || !this.hasRanges) return void send(response, 200, {}, bytes);
    const start = Number(range[1]);
    if (start >= bytes.length) return void fail(response, 416);
    const part = bytes.subarray(start);
    send(response, 206, { 'Content-Range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }, part);
  }

  private async upload(
    request: IncomingMessage,
    response: ServerResponse,
    repository: string,
    url: URL,
  ): Promise<void> {
    const id = /\/uploads\/([^/]+)$/.exec(url.pathname)?.[1];
    if (request.method === 'POST') {
      const mount = url.searchParams.get('mount');
      if (mount !== null && this.blobs.has(mount))
        return void send(response, 201, { Location: `/v2/${repository}/blobs/${mount}` }, '');
      const fresh = `u${this.count_++}`;
      this.uploads.set(fresh, { repository, bytes: Buffer.alloc(0) });
      return void this.progress(response, 202, repository, fresh);
    }
    const upload = this.uploads.get(id ?? '');
    if (id === undefined || upload === undefined) return void fail(response, 404);
    if (request.method === 'GET') return void this.progress(response, 204, repository, id);
    const begin = /^(\d+)-/.exec(request.headers['content-range'] ?? '')?.[1];
    if (begin !== undefined && Number(begin) !== upload.bytes.length)
      return void this.progress(response, 416, repository, id);
    try {
      for await (const chunk of request) upload.bytes = Buffer.concat([upload.bytes, chunk as Buffer]);
    } catch {
      return;
    }
    if (request.method === 'PATCH') return void this.progress(response, 202, repository, id);
    this.uploads.delete(id);
    const digest = url.searchParams.get('digest') ?? '';
    if (sha256(upload.bytes) !== digest) return void fail(response, 400);
    this.blobs.set(digest, upload.bytes);
    send(
      response,
      201,
      { Location: `/v2/${repository}/blobs/${digest}`, 'Docker-Content-Digest': digest },
      '',
    );
  }

  private progress(response: ServerResponse, status: number, repository: string, id: string): void {
    const { length } = this.uploads.get(id)?.bytes ?? Buffer.alloc(0);
    const headers = {
      Location: `/v2/${repository}/blobs/uploads/${id}?state=a%2Bb`,
      Range: `0-${Math.max(0, length - 1)}`,
    };
    response.writeHead(status, status === 204 ? headers : { ...headers, 'Content-Length': '0' });
    response.end();
  }

  private tags(response: ServerResponse, repository: string, url: URL): void {
    const all = [...this.manifests.keys()]
      .filter((key) => key.startsWith(`${repository}:`))
      .map((key) => key.slice(repository.length + 1));
    const last = url.searchParams.get('last');
    const from = last === null ? 0 : all.indexOf(last) + 1;
    const page = all.slice(from, from + 2);
    const more = from + 2 < all.length;
    const link: Record<string, string> = more
      ? { Link: `</v2/${repository}/tags/list?n=2&last=${page.at(-1)}>; rel="next"` }
      : {};
    send(response, 200, link, JSON.stringify({ name: repository, tags: page }));
  }

  private referrers(response: ServerResponse, repository: string, digest: string): void {
    const manifests = [...this.manifests.entries()]
      .filter(([key]) => key.startsWith(`${repository}@`))
      .flatMap(([key, { type, bytes }]) => {
        const document = JSON.parse(bytes.toString()) as {
          subject?: { digest: string };
          artifactType?: string;
        };
        if (document.subject?.digest !== digest) return [];
        return [
          {
            mediaType: type,
            digest: key.slice(repository.length + 1),
            size: bytes.length,
            artifactType: document.artifactType,
          },
        ];
      });
    const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests };
    send(response, 200, { 'Content-Type': index.mediaType }, JSON.stringify(index));
  }
}

function fail(response: ServerResponse, status: number, headers: Record<string, string> = {}): true {
  const body = JSON.stringify({ errors: [{ code: ERRORS[status] ?? 'UNKNOWN', message: `fake ${status}` }] });
  return send(response, status, { 'Content-Type': 'application/json', ...headers }, body);
}
