// Tokens of a token service: docker's GET with Basic authentication, and the OAuth2 POST for identity tokens.
//
// https://distribution.github.io/distribution/spec/auth/token/ and .../auth/oauth/

import { fromArray } from '../../linux/bytes.ts';
import { isObject } from '../../spec/check.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseJson } from '../../spec/json.ts';
import type { AddressClass } from '../http/address-class.ts';
import { leadTo } from '../http/origin.ts';
import type { Secrets } from '../http/redaction.ts';
import type { Response } from '../http/response.ts';
import type { Request, Transport } from '../http/transport.ts';
import { errorOf, networkError } from '../registry-error.ts';
import type { Credentials } from './credentials.ts';

/** As docker's own client is known to token services. */
const CLIENT_ID = 'caisson';

/** The specification's default, and what is taken off so that a token does not end on its way. */
const DEFAULT_SECONDS = 60;
const MARGIN = 0.1;

const TOKEN_LIMIT = 1 << 20;

export interface TokenService {
  readonly realm: string;
  readonly service?: string;
}

export interface Token {
  readonly value: string;
  /** performance.now() beyond which it is not used. */
  readonly until: number;
  /** docker's identity token, when one was asked for and given. */
  readonly refresh?: string;
}

export interface TokenRequest {
  readonly service: TokenService;
  readonly scopes: readonly string[];
  readonly credentials?: Credentials;
  /** Ask for an identity token, to keep instead of a password. */
  readonly offline?: boolean;
  /** The registry that named the service. */
  readonly registry: { readonly url: URL; readonly peer: AddressClass; readonly host: string };
}

/**
 * Asks a token service. Throws CaissonError `EREDIRECT` for one to which credentials must not go, `EDENIED` when it
 * refuses them, `ETOKEN` for an answer that is no token.
 */
export async function requestToken(
  transport: Transport,
  secrets: Secrets,
  wanted: TokenRequest,
): Promise<Token> {
  const request = tokenRequest(wanted);
  const subject = { what: `token of ${request.url.hostname}`, host: wanted.registry.host };
  let response: Response;
  try {
    response = await transport.exchange(request);
  } catch (error) {
    throw networkError(error, subject, secrets);
  }
  if (response.status !== 200) throw await refusal(response, wanted, secrets, transport.limits.errorBytes);
  const body = parseJson(fromArray(await response.bytes(TOKEN_LIMIT)), 'token');
  const value = isObject(body) ? (textOf(body.token) ?? textOf(body.access_token)) : undefined;
  if (!isObject(body) || value === undefined || !isHeaderSafe(value)) {
    throw new CaissonError(`the token service of ${wanted.registry.host} gives no token`, { code: 'ETOKEN' });
  }
  secrets.add(value);
  const refresh = textOf(body.refresh_token);
  if (refresh !== undefined) secrets.add(refresh);
  const seconds =
    typeof body.expires_in === 'number' && body.expires_in > 0 ? body.expires_in : DEFAULT_SECONDS;
  const until = performance.now() + Math.min(seconds, 86_400) * 1000 * (1 - MARGIN);
  return { value, until, ...(refresh === undefined ? {} : { refresh }) };
}

function tokenRequest(wanted: TokenRequest): Request {
  const { registry, service, scopes, credentials, offline } = wanted;
  const url = leadTo(service.realm, registry.url, registry.peer, 'token service');
  const sameHost = url.hostname.toLowerCase() === registry.url.hostname.toLowerCase();
  if (url.protocol !== 'https:' && !sameHost) {
    throw new CaissonError(
      `${registry.host} names a token service without TLS on another host; it is not asked`,
      {
        code: 'EREDIRECT',
      },
    );
  }
  const from = sameHost ? {} : { from: registry.peer };
  if (credentials?.kind === 'identity') {
    const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: CLIENT_ID });
    if (service.service !== undefined) form.set('service', service.service);
    if (scopes.length > 0) form.set('scope', scopes.join(' '));
    form.set('refresh_token', credentials.token);
    const body = Buffer.from(form.toString(), 'latin1');
    return {
      method: 'POST',
      url,
      headers: { 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'application/json' },
      content: { length: body.length, open: () => once(body) },
      ...from,
    };
  }
  if (service.service !== undefined) url.searchParams.set('service', service.service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  if (offline === true) {
    url.searchParams.set('offline_token', 'true');
    url.searchParams.set('client_id', CLIENT_ID);
  }
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (credentials?.kind === 'password') {
    url.searchParams.set('account', credentials.user);
    headers.Authorization = basic(credentials.user, credentials.password);
  }
  return { method: 'GET', url, headers, ...from };
}

/** The value of an Authorization header (RFC 7617). Throws CaissonError `ECREDENTIALS` for a user with a colon. */
export function basic(user: string, password: string): string {
  if (user.includes(':') || /[\u0000-\u001f\u007f]/.test(user + password)) {
    throw new CaissonError('a user name with a colon or a control character cannot be sent', {
      code: 'ECREDENTIALS',
    });
  }
  return `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`;
}

async function refusal(
  response: Response,
  wanted: TokenRequest,
  secrets: Secrets,
  limit: number,
): Promise<CaissonError> {
  const { host } = wanted.registry;
  if (response.status >= 300 && response.status < 400) {
    await response.discard();
    // Credentials would have to go along.
    return new CaissonError(
      `the token service of ${host} leads elsewhere (${response.status}); it is not followed`,
      {
        code: 'EREDIRECT',
      },
    );
  }
  const credentials =
    wanted.credentials === undefined ? {} : { credentials: `the credentials for ${host} are refused` };
  return errorOf(response, { what: 'token', host, ...credentials }, secrets, limit);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function isHeaderSafe(value: string): boolean {
  return /^[\x21-\x7e]+$/.test(value);
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
