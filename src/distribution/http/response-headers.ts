// Response headers that a registry client reads: Link, Content-Range, Range, Retry-After, rate limits, media types.

/** A registry's page ends with where the next one is: the target of the first link of relation `next` (RFC 8288). */
export function nextLink(values: readonly string[]): string | undefined {
  for (const value of values) {
    for (const match of value.slice(0, 8192).matchAll(/<([^<>]*)>([^<]*)/g)) {
      if (/;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?:$|[\s;,]))/i.test(match[2] ?? ''))
        return match[1];
    }
  }
  return undefined;
}

export interface ContentRange {
  readonly start: number;
  /** The last byte, inclusive. */
  readonly end: number;
  readonly total?: number;
}

/** RFC 9110, section 14.4: `bytes 0-99/1000` or `bytes 0-99/*`; undefined for anything else. */
export function parseContentRange(value: string): ContentRange | undefined {
  const match = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)$/i.exec(value.trim());
  if (match === null) return undefined;
  const [start, end] = [Number(match[1]), Number(match[2])];
  if (!Number.isSafeInteger(end) || start > end) return undefined;
  if (match[3] === '*') return { start, end };
  const total = Number(match[3]);
  return Number.isSafeInteger(total) && end < total ? { start, end, total } : undefined;
}

/** How many bytes an upload has: distribution-spec's `Range: 0-99` is 100; `0-0` is what registries say of none. */
export function parseUploadRange(value: string | undefined): number | undefined {
  const match = /^(?:bytes=)?0-(\d{1,16})$/i.exec((value ?? '').trim());
  if (match === null) return undefined;
  const last = Number(match[1]);
  if (!Number.isSafeInteger(last)) return undefined;
  return last === 0 ? 0 : last + 1;
}

/** Seconds of Retry-After (RFC 9110, section 10.2.3), a number or a date; undefined where it is neither. */
export function parseRetryAfter(value: string | undefined, now = Date.now()): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value);
  if (!/^[A-Za-z]{3,9}, /.test(value.trim())) return undefined;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - now) / 1000));
}

export interface RateLimit {
  readonly limit?: number;
  readonly remaining?: number;
  /** Seconds of the window, or until it ends. */
  readonly seconds?: number;
}

/** Docker Hub's `RateLimit-Limit: 100;w=21600`, and the plain names that others use; undefined where there is none. */
export function parseRateLimit(header: (name: string) => string | undefined): RateLimit | undefined {
  const read = (...names: string[]) => {
    const value = names.map(header).find((each) => each !== undefined);
    const match = /^\s*(\d{1,12})\s*(?:;.*?\bw\s*=\s*(\d{1,9}))?/.exec(value ?? '');
    return match === null ? undefined : { count: Number(match[1]), window: match[2] };
  };
  const limit = read('ratelimit-limit', 'x-ratelimit-limit');
  const remaining = read('ratelimit-remaining', 'x-ratelimit-remaining');
  if (limit === undefined && remaining === undefined) return undefined;
  const window = limit?.window ?? remaining?.window;
  const seconds = window === undefined ? read('ratelimit-reset')?.count : Number(window);
  return {
    ...(limit === undefined ? {} : { limit: limit.count }),
    ...(remaining === undefined ? {} : { remaining: remaining.count }),
    ...(seconds === undefined ? {} : { seconds }),
  };
}

/** `76 of 100 requests left in 6 hours`. */
export function rateLimitText(limit: RateLimit): string {
  const of = limit.limit === undefined ? '' : ` of ${limit.limit}`;
  const left =
    limit.remaining === undefined ? `a limit${of} requests` : `${limit.remaining}${of} requests left`;
  return limit.seconds === undefined ? left : `${left} in ${durationText(limit.seconds)}`;
}

/** `90 seconds`, `5 minutes`, `6 hours`. */
export function durationText(seconds: number): string {
  const [count, unit] =
    seconds < 120
      ? [Math.ceil(seconds), 'second']
      : seconds < 7200
        ? [Math.ceil(seconds / 60), 'minute']
        : [Math.ceil(seconds / 3600), 'hour'];
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** The media type of a Content-Type header in lower case, without parameters. */
export function plainMediaType(value: string | undefined): string {
  return (value ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}
