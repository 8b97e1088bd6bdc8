// One line of a container's log: docker's json-file and Kubernetes' format (CRI), as the monitor writes them.
//
// Whatever a line is, it never throws: a disk that was full or a power cut leaves halves of lines (security.md Z11).
import type { Bytes } from '../../linux/bytes.ts';
import { isObject } from '../../spec/check.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseJson } from '../../spec/json.ts';

export interface LogEntry {
  readonly stream: 1 | 2;
  /** RFC 3339 with nanoseconds, UTC. */
  readonly time: Bytes;
  /** With its line feed; a piece of a long line has none. */
  readonly text: Bytes;
}

export type LogFormat = 'json-file' | 'k8s-file';

/** undefined for a line that is damaged. `line` is without its line feed. */
export function parseLogLine(line: Bytes, format: LogFormat): LogEntry | undefined {
  return format === 'json-file' ? (quickJsonLine(line) ?? slowJsonLine(line)) : criLine(line);
}

const START = '{"log":"';
const STREAM = '","stream":"std';
const TIME = '","time":"';
const TIME_FORM =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})$/;

/** A line exactly as the monitor writes it; one quote in its text would be escaped, so that nothing in it is mistaken. */
function quickJsonLine(line: Bytes): LogEntry | undefined {
  if (!line.startsWith(START) || !line.endsWith('"}')) return undefined;
  const stream = line.lastIndexOf(STREAM);
  const time = line.lastIndexOf(TIME);
  if (stream < START.length || time < stream) return undefined;
  const name = line.slice(stream + STREAM.length, time);
  if (name !== 'out' && name !== 'err') return undefined;
  const text = unescaped(line.slice(START.length, stream));
  const when = line.slice(time + TIME.length, -2);
  if (text === undefined || !TIME_FORM.test(when)) return undefined;
  return { stream: name === 'out' ? 1 : 2, time: when, text };
}

/** The content of a JSON string; undefined where it is none. */
function unescaped(text: Bytes): Bytes | undefined {
  const first = text.indexOf('\\');
  if (first < 0) return text.includes('"') ? undefined : text;
  if (first === text.length - 2 && text.endsWith('\\n') && !text.includes('"'))
    return `${text.slice(0, -2)}\n`;
  const value = parsed(`"${text}"`);
  return typeof value === 'string' ? value : undefined;
}

/** The fields in any order, as docker's own reader takes them. */
function slowJsonLine(line: Bytes): LogEntry | undefined {
  const value = parsed(line);
  if (!isObject(value)) return undefined;
  const { log, stream, time } = value;
  if (typeof log !== 'string' || typeof time !== 'string' || !TIME_FORM.test(time)) return undefined;
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  return { stream: stream === 'stdout' ? 1 : 2, time, text: log };
}

function parsed(text: Bytes): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof CaissonError) return undefined;
    throw error;
  }
}

/** `TIME stdout F TEXT`; P is a piece of a line. */
function criLine(line: Bytes): LogEntry | undefined {
  const stream = line.indexOf(' ') + 1;
  const time = line.slice(0, stream - 1);
  if (stream === 0 || !TIME_FORM.test(time)) return undefined;
  const tags = line.slice(stream, stream + 9);
  const whole = tags.endsWith(' F ');
  if (!/^std(?:out|err) [FP] $/.test(tags)) return undefined;
  const text = line.slice(stream + 9);
  return { stream: tags.startsWith('stdout') ? 1 : 2, time, text: whole ? `${text}\n` : text };
}
