// How an error reaches a person: one line that says what failed, then its causes.

import { type Bytes, utf8ToBytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';

/** How to print. */
export interface ReportOptions {
  /** Only on a terminal. */
  readonly colour: boolean;
  /** With the stack of the program. */
  readonly debug: boolean;
}

const RED = '\x1b[31m';
const RESET = '\x1b[0m';

/**
 * The report as bytes, ready for descriptor 2:
 *
 *     caisson: mount /srv/x on /data: no such file or directory (ENOENT)
 *       caused by --volume /srv/x:/data
 *       step 31 of 58: ...
 *
 * Details that are whole sentences of the command line (`See 'caisson run --help'.`) are not indented.
 */
export function reportError(error: unknown, options: ReportOptions): Bytes {
  const lines = [headline(error, options.colour)];
  if (error instanceof CaissonError) {
    for (const source of error.sources.filter((each) => !error.message.includes(each)))
      lines.push(`  caused by ${printable(source)}`);
    if (error.sources.length === 0) {
      for (const pointer of error.provenance.slice(0, 5)) {
        if (pointer !== '' && !error.message.includes(pointer))
          lines.push(`  caused by ${printable(pointer)}`);
      }
    }
    const plain = error.code === 'EUSAGE' || error.code === 'ELATER';
    for (const detail of error.details) lines.push(plain ? printable(detail) : `  ${printable(detail)}`);
  }
  const want = scarcityOf(error);
  if (want !== undefined) lines.push(`  ${want.remedy}`);
  if (options.debug) lines.push(...stackOf(error));
  return `${lines.join('\n')}\n`;
}

/** Exit code of an error: its own, or docker's 125 for caisson's own failures. */
export function exitCodeOf(error: unknown): number {
  return error instanceof CaissonError ? error.exitCode : 125;
}

/** A warning as bytes for descriptor 2. */
export function reportWarning(message: string): Bytes {
  return `caisson: warning: ${printable(message)}\n`;
}

/** What the machine has run out of is no defect of ours, and somebody can help it; by the names of errno(3). */
const REMEDIES: Readonly<Record<string, Bytes>> = {
  ENOSPC: 'make room on the disk: `caisson system df` shows what takes it, `caisson system prune` frees it',
  EDQUOT: 'make room below the quota: `caisson system df` shows what takes it',
  EMFILE: 'let this command open more files: `ulimit -n`',
  ENFILE: 'the whole machine has too many files open: /proc/sys/fs/file-max',
  EAGAIN: 'there may be no more processes: see `ulimit -u`, and pids.max of the cgroup of this shell',
  ENOMEM: 'there is not enough memory, or the cgroup of this shell may have no more',
  EROFS: 'the file system is read-only: another one by --data-root and --runtime-root',
};

interface Scarcity {
  readonly headline: Bytes;
  readonly remedy: Bytes;
}

/** The operating system's own message, as node:fs words it: `ENOSPC: no space left on device, open '/x'`. */
const WORDED = /^E[A-Z0-9]+: (.*), (\w+)(?: '(.*)')?$/s;

function scarcityOf(error: unknown): Scarcity | undefined {
  if (!(error instanceof Error) || error instanceof CaissonError || !('code' in error)) return undefined;
  const { code, message } = error;
  const remedy = typeof code === 'string' && Object.hasOwn(REMEDIES, code) ? REMEDIES[code] : undefined;
  if (remedy === undefined) return undefined;
  const [, text, call, object = ''] = WORDED.exec(message) ?? [];
  // The number of a descriptor says nothing to anybody.
  const what = /^\d*$/.test(object) ? '' : ` ${object}`;
  return { headline: text === undefined ? message : `${call}${what}: ${text} (${code})`, remedy };
}

function headline(error: unknown, colour: boolean): Bytes {
  const want = scarcityOf(error);
  const message = want?.headline ?? (error instanceof Error ? error.message : String(error));
  const text = error instanceof CaissonError ? printable(message) : printable(utf8ToBytes(message));
  const prefix = text.startsWith('caisson ') ? '' : 'caisson: ';
  const unexpected = error instanceof CaissonError || want !== undefined ? '' : 'unexpected: ';
  const line = `${prefix}${unexpected}${text}`;
  return colour ? `${RED}${line}${RESET}` : line;
}

/**
 * Bytes from outside must not steer the terminal: control characters in caret form, newlines as `\n`, those above
 * 0x7f (as UTF-8) as `?`. Text that is no byte string, from a parser's quotation, becomes UTF-8.
 */
function printable(text: string): Bytes {
  return text
    .replace(/[\u0100-\uffff]+/g, utf8ToBytes)
    .replace(/\xc2[\x80-\x9f]/g, '?')
    .replace(/[\x00-\x1f\x7f]/g, (char) => {
      if (char === '\n') return '\\n';
      if (char === '\t') return ' ';
      return char === '\x7f' ? '^?' : `^${String.fromCharCode(char.charCodeAt(0) + 64)}`;
    });
}

function stackOf(error: unknown): Bytes[] {
  const lines: Bytes[] = [];
  for (let at = error; at instanceof Error && lines.length < 100; at = at.cause) {
    lines.push(
      ...utf8ToBytes(at.stack ?? '')
        .split('\n')
        .map((line) => `  ${line}`),
    );
  }
  return lines;
}
