// Requests to one endpoint: scheme, authorization, redirects and retries; errors in words.

import { CaissonError } from '../spec/error.ts';
import { Authorizer } from './auth/authorizer.ts';
import { parseChallenges } from './auth/challenge.ts';
import type { CredentialSource } from './auth/credentials.ts';
import type { Endpoint } from './endpoint.ts';
import type { AddressClass } from './http/address-class.ts';
import { leadTo, type Origin, originOf, originText, sameOrigin } from './http/origin.ts';
import type { Secrets } from './http/redaction.ts';
import type { Response } from './http/response.ts';
import { parseRateLimit } from './http/response-headers.ts';
import type { Content, Request, Transport } from './http/transport.ts';
import type { Progress } from './progress.ts';
import { errorOf, isNoTlsError, networkError, type Subject } from './registry-error.ts';
import { codeOf, type RetryPolicy, type Waits, waitBefore } from './retry.ts';

/** One request of the registry's interface. */
export interface ApiRequest {
  readonly method: Request['method'];
  /** Below `/v2/`, percent-encoded; or where the registry itself led. */
  readonly target: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly content?: Content;
  readonly scopes: readonly string[];
  /** For messages: `manifest 12 of library/debian`. */
  readonly what: string;
  /** Statuses that are an answer; all others are errors. */
  readonly accept: readonly number[];
  /** Not tried again: the caller has to look first how far it got. */
  readonly once?: boolean;
}

export interface Surroundings {
  readonly transport: Transport;
  readonly credentials: CredentialSource;
  readonly secrets: Secrets;
  readonly retries: RetryPolicy;
  readonly waits: Waits;
  readonly report: Progress;
}

/** How often a request is sent again with another authorization. */
const CHALLENGE_ROUNDS = 2;

export class EndpointClient {
  readonly endpoint: Endpoint;
  private readonly around: Surroundings;
  private readonly authorizer: Authorizer;
  private origin: Origin | undefined;
  private trial: Origin | undefined;
  private remaining: number | undefined;
  private choosing: Promise<unknown> | undefined;

  constructor(endpoint: Endpoint, around: Surroundings) {
    this.endpoint = endpoint;
    this.around = around;
    this.authorizer = new Authorizer(
      around.transport,
      {
        host: endpoint.host,
        repository: endpoint.repository,
        url: () => new URL(originText(this.base)),
        peer: () => this.peer,
      },
      around.credentials,
      around.secrets,
    );
  }

  /** What the registry has shown itself to be after a first answer. */
  get authorization(): Authorizer {
    return this.authorizer;
  }

  get limits() {
    return this.around.transport.limits;
  }

  /** Sends a request, again where that may help, and resolves with a response of an accepted status. */
  async send(request: ApiRequest): Promise<Response> {
    const { retries, waits, report } = this.around;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.attempt(request);
      } catch (error) {
        const wait = request.once === true ? undefined : waitBefore(retries, attempt, error);
        if (wait === undefined) throw error;
        const why = error instanceof Error ? error.message : String(error);
        const what = `${request.what} (${this.endpoint.host})`;
        report({ kind: 'retry', what, why, seconds: wait / 1000, attempt, attempts: retries.attempts });
        await waits.wait(wait);
      }
    }
  }

  /** The error of a response whose status says more than an accepted one. */
  errorOf(response: Response, what: string): Promise<CaissonError> {
    return errorOf(response, this.subject(what), this.around.secrets, this.limits.errorBytes);
  }

  /** The URL where a header of `response` leads. Throws CaissonError `EREDIRECT`. */
  follow(text: string, response: Response, lead: 'upload location' | 'next page'): URL {
    const url = leadTo(text, response.url, this.peer, lead);
    const origin = originOf(url);
    if (lead === 'next page' && (origin === undefined || !sameOrigin(origin, this.base))) {
      throw new CaissonError(
        `${this.endpoint.host} continues its list at another place; it is not followed`,
        {
          code: 'EREDIRECT',
        },
      );
    }
    return url;
  }

  private get base(): Origin {
    const [first] = this.endpoint.origins;
    return this.origin ?? this.trial ?? first ?? { scheme: 'https', host: 'localhost', port: 443 };
  }

  private get peer(): AddressClass {
    return this.around.transport.peerOf(this.base);
  }

  private subject(what: string): Subject {
    const { note } = this.authorizer;
    return { what, host: this.endpoint.host, ...(note === undefined ? {} : { credentials: note }) };
  }

  private async attempt(request: ApiRequest): Promise<Response> {
    let response: Response;
    try {
      response = await this.withScheme(request);
    } catch (error) {
      throw networkError(error, this.subject(request.what), this.around.secrets);
    }
    this.tellRateLimit(response);
    if (request.accept.includes(response.status)) return response;
    throw await this.errorOf(response, request.what);
  }

  /** The first request finds out which scheme is spoken; others wait for it. */
  private async withScheme(request: ApiRequest): Promise<Response> {
    if (this.origin === undefined && this.choosing !== undefined) await this.choosing.catch(() => undefined);
    if (this.origin !== undefined) return this.authorized(request);
    const chosen = this.tryOrigins(request);
    this.choosing = chosen;
    return chosen;
  }

  private async tryOrigins(request: ApiRequest): Promise<Response> {
    let refused: unknown;
    for (const origin of this.endpoint.origins) {
      this.trial = origin;
      try {
        const response = await this.authorized(request);
        this.origin = origin;
        return response;
      } catch (error) {
        const code = codeOf(error);
        const isOther = isNoTlsError(code) || code === 'ECONNREFUSED' || code === 'ECONNRESET';
        if (!isOther || origin === this.endpoint.origins.at(-1)) throw error;
        refused = error;
      } finally {
        this.trial = undefined;
      }
    }
    throw refused;
  }

  private async authorized(request: ApiRequest): Promise<Response> {
    const url =
      typeof request.target === 'string'
        ? new URL(`${originText(this.base)}/v2/${request.target}`)
        : request.target;
    for (let round = 0; ; round++) {
      const isOwn = sameOrigin(this.base, originOf(url) ?? NO_ORIGIN);
      const authorization = isOwn ? await this.authorizer.header(request.scopes) : undefined;
      const { response, left } = await this.redirected(request, url, authorization);
      // What was reached elsewhere gets no credentials, whatever it asks for (CVE-2020-15157).
      if (response.status !== 401 || left || !isOwn || round === CHALLENGE_ROUNDS) return response;
      const challenges = parseChallenges(response.headers('www-authenticate'));
      if (!(await this.authorizer.challenged(challenges, request.scopes, authorization))) return response;
      await response.discard();
    }
  }

  /** Follows redirects; once one has led to another origin no credentials go along any more, not even back home. */
  private async redirected(
    request: ApiRequest,
    first: URL,
    authorization: string | undefined,
  ): Promise<{ response: Response; left: boolean }> {
    let url = first;
    let left = !sameOrigin(this.base, originOf(url) ?? NO_ORIGIN);
    for (let count = 0; ; count++) {
      const response = await this.around.transport.exchange({
        method: request.method,
        url,
        headers: {
          ...request.headers,
          ...(left || authorization === undefined ? {} : { Authorization: authorization }),
        },
        ...(request.content === undefined ? {} : { content: request.content }),
        ...(left ? { from: this.peer } : {}),
      });
      const location = response.header('location');
      if (!isRedirect(request, response.status) || location === undefined) return { response, left };
      await response.discard();
      if (count === this.limits.redirects) {
        throw new CaissonError(`more than ${this.limits.redirects} redirects`, { code: 'EREDIRECT' });
      }
      url = leadTo(location, url, this.peer, 'redirect');
      left = left || !sameOrigin(this.base, originOf(url) ?? NO_ORIGIN);
    }
  }

  private tellRateLimit(response: Response): void {
    const limit = parseRateLimit((name) => response.header(name));
    if (limit === undefined || limit.remaining === this.remaining) return;
    this.remaining = limit.remaining;
    this.around.report({ kind: 'rate-limit', host: this.endpoint.host, limit });
  }
}

const NO_ORIGIN: Origin = { scheme: 'https', host: '', port: 0 };

/** A changing request is only sent elsewhere by a status that keeps its method (RFC 9110, section 15.4). */
function isRedirect(request: ApiRequest, status: number): boolean {
  const isReading = request.method === 'GET' || request.method === 'HEAD';
  return status === 307 || status === 308 || (isReading && [301, 302, 303].includes(status));
}
