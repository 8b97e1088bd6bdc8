// `--since` and `--until` as docker takes them: a time, seconds since 1970, or how long ago.
import { parseDuration } from '../frontends/number.ts';
import type { Bytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';

const SECONDS = /^[0-9]{1,12}(?:\.[0-9]{1,9})?$/;
/** Without a zone it is the local time, as in docker. */
const FORMS =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}(?::[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?$/;

/** Milliseconds since 1970; undefined without a value. `now` likewise. Throws CaissonError `EUSAGE`. */
export function timeFlag(flag: string, text: Bytes | undefined, now: number): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (SECONDS.test(text)) return Number(text) * 1000;
  if (/^-?[0-9]/.test(text) && FORMS.test(text)) {
    const time = Date.parse(whole(text));
    if (!Number.isNaN(time)) return time;
  }
  const ahead = text.startsWith('-');
  const duration = parseDuration(ahead ? text.slice(1) : text);
  if (duration !== undefined) return ahead ? now + duration : now - duration;
  throw new CaissonError(
    `invalid value for "${flag}": "${text}": a time such as 2026-01-02T13:23:37Z, seconds since 1970, or 42m`,
    { code: 'EUSAGE', exitCode: 1 },
  );
}

/** With hours and minutes, which Date.parse wants; a date alone is local there too. */
function whole(text: Bytes): Bytes {
  const zone = /(?:Z|[+-][0-9]{2}:[0-9]{2})$/.exec(text.slice(10))?.[0] ?? '';
  const time = text.slice(0, text.length - zone.length);
  const padded = time.length === 10 ? `${time}T00:00` : time.length === 13 ? `${time}:00` : time;
  return `${padded}${zone}`;
}
