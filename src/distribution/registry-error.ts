// Errors of a registry: from status, headers and body (distribution-spec, "Errors") to one line for a person.

import { utf8ToBytes } from '../linux/bytes.ts';
import { isObject } from '../spec/check.ts';
import { CaissonError } from '../spec/error.ts';
import { parseJson } from '../spec/json.ts';
import { oneLine, type Secrets } from './http/redaction.ts';
import type { Response } from './http/response.ts';
import { durationText, parseRateLimit, parseRetryAfter, rateLimitText } from './http/response-headers.ts';
import { codeOf, isPassing, PASSING_STATUSES, PassingError } from './retry.ts';

/** What a failed request was about. */
export interface Subject {
  /** `manifest 12 of library/debian`. */
  readonly what: string;
  /** The registry as a person named it: `docker.io`. */
  readonly host: string;
  /** What was told about credentials for it: a helper that failed, or that there are none. */
  readonly credentials?: string;
}

interface Told {
  readonly code: string;
  readonly message: string;
}

const TEXTS: Readonly<Record<number, { code: string; text: string }>> = {
  401: { code: 'EDENIED', text: 'authentication is required' },
  403: { code: 'EDENIED', text: 'access is denied' },
  404: { code: 'ENOTFOUND', text: 'not found' },
  413: { code: 'ETOOLARGE', text: 'it is too large for the registry' },
  429: { code: 'ERATELIMIT', text: 'too many requests' },
};

/** The CaissonError of a response that is no success. Its body is read, up to a limit. */
export async function errorOf(
  response: Response,
  subject: Subject,
  secrets: Secrets,
  limit: number,
): Promise<CaissonError> {
  const told = await readErrors(response, limit);
  const { status } = response;
  const known = TEXTS[status] ?? {
    code: 'EREGISTRY',
    text: status >= 500 ? 'the registry failed' : 'the registry refuses',
  };
  const words = told.map(({ code, message }) =>
    message === '' || message === code ? code : `${code}: ${message}`,
  );
  const answer = words.length === 0 ? String(status) : `${status} ${words.join('; ')}`;
  const error = new CaissonError(
    secrets.redact(`${subject.what} (${subject.host}): ${known.text} (${oneLine(answer)})`),
    { code: known.code, details: detailsOf(response, subject).map((line) => secrets.redact(line)) },
  );
  if (!PASSING_STATUSES.includes(status)) return error;
  return new PassingError(error, parseRetryAfter(response.header('retry-after')));
}

function detailsOf(response: Response, subject: Subject): string[] {
  const { status } = response;
  const lines: string[] = [];
  const limit = parseRateLimit((name) => response.header(name));
  if (status === 429 && limit !== undefined)
    lines.push(`rate limit of ${subject.host}: ${rateLimitText(limit)}`);
  const after = parseRetryAfter(response.header('retry-after'));
  if (PASSING_STATUSES.includes(status) && after !== undefined)
    lines.push(`try again in ${durationText(after)}`);
  if (status === 429)
    lines.push(`requests that are logged in often have a higher limit: caisson login ${subject.host}`);
  if (status === 401 || status === 403) {
    lines.push(
      subject.credentials ?? `the repository may be private or not exist: caisson login ${subject.host}`,
    );
  }
  return lines;
}

async function readErrors(response: Response, limit: number): Promise<readonly Told[]> {
  let text: string;
  try {
    text = Buffer.from(await response.bytes(limit)).toString('utf8');
  } catch {
    return [];
  }
  try {
    const value = parseJson(utf8ToBytes(text));
    const errors = isObject(value) && Array.isArray(value.errors) ? value.errors : [value];
    return errors.slice(0, 5).flatMap((each: unknown) => toldBy(each) ?? []);
  } catch {
    // Often a page of HTML of something in between: the status says more.
    return /^\s*</.test(text) || text.trim() === '' ? [] : [{ code: oneLine(text, 200), message: '' }];
  }
}

function toldBy(value: unknown): Told | undefined {
  if (!isObject(value)) return undefined;
  const text = (field: unknown) =>
    typeof field === 'string' ? oneLine(Buffer.from(field, 'latin1').toString('utf8')) : '';
  const message = text(value.message) || text(value.details) || text(value.error_description);
  const code = text(value.code) || text(value.error);
  return code === '' && message === '' ? undefined : { code: code || 'UNKNOWN', message };
}

const NETWORK_TEXTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was lost',
  EPIPE: 'the connection was lost',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name cannot be looked up now',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'the network is unreachable',
  HPE_HEADER_OVERFLOW: 'the header of its answer is too long',
};

const CERTIFICATE_CODES =
  /^(?:CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_CERT|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|ERROR_IN_CERT|CRL_)/;

/** Whether TLS failed for the certificate of the other side. */
export function isCertificateError(code: string): boolean {
  return CERTIFICATE_CODES.test(code);
}

/** Whether the other side does not speak TLS at all. */
export function isNoTlsError(code: string): boolean {
  return (
    /^ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|UNSUPPORTED_PROTOCOL)$/.test(
      code,
    ) || code === 'EPROTO'
  );
}

/** The CaissonError of an exchange that failed; a PassingError where another try may help. */
export function networkError(error: unknown, subject: Subject, secrets: Secrets): CaissonError {
  if (error instanceof PassingError) return error;
  const told = describeFailure(error, codeOf(error), subject, secrets);
  return isPassing(error) ? new PassingError(told, undefined) : told;
}

// node's own message may contain what was sent, and is not shown.
function describeFailure(error: unknown, code: string, subject: Subject, secrets: Secrets): CaissonError {
  const where = `${subject.what} (${subject.host})`;
  if (error instanceof CaissonError) {
    const { details, exitCode } = error;
    return new CaissonError(secrets.redact(`${where}: ${error.message}`), {
      code: error.code,
      details: details.map((line) => secrets.redact(line)),
      exitCode,
    });
  }
  if (isCertificateError(code)) {
    return new CaissonError(`${where}: the registry's certificate is not trusted (${code})`, {
      code: 'ETLS',
      details: [
        `put the certificate of its authority into /etc/docker/certs.d/${subject.host}/ca.crt`,
        `or, without any protection, say insecure = true for it in registries.conf`,
      ],
    });
  }
  if (isNoTlsError(code)) {
    return new CaissonError(`${where}: the registry does not speak TLS (${code})`, {
      code: 'ETLS',
      details: [`for a registry without TLS say insecure = true for ${subject.host} in registries.conf`],
    });
  }
  const malformed = code.startsWith('HPE_') ? 'its answer is malformed' : 'the connection failed';
  const text = NETWORK_TEXTS[code] ?? malformed;
  return new CaissonError(`${where}: ${text}${code === '' ? '' : ` (${code})`}`, {
    code: code === 'ECONNRESET' || code === 'EPIPE' ? 'ECONNRESET' : 'ENETWORK',
  });
}
