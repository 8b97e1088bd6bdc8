// From an error to the text that runc has for it: engines search these texts for what to do next.

import { type Bytes, utf8ToBytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';

/**
 * What runc says, by our code. containerd, dockerd, CRI-O and podman look for these words in the log and on
 * standard error: "does not exist", "container not running", "process already finished", "already exists".
 */
const TEXTS: Readonly<Record<string, Bytes | undefined>> = {
  ENOTRUNNING: 'container not running',
  EPAUSED: 'container paused',
  ENOTPAUSED: 'container not paused',
};

/** Messages of a code that other errors have as well, by how they begin and end. */
const PATTERNS: readonly (readonly [code: string, pattern: RegExp, text: Bytes])[] = [
  ['ENOTFOUND', /^container \S* does not exist$/, 'container does not exist'],
  ['ECONFLICT', /^container with given ID already exists/, 'container with given ID already exists'],
  ['EUSAGE', /is not a container id: /, 'invalid container ID format'],
];

/** The text of any error, one line of bytes. */
export function errorText(error: unknown): Bytes {
  if (!(error instanceof CaissonError)) {
    return utf8ToBytes(`unexpected: ${error instanceof Error ? error.message : String(error)}`);
  }
  const known = TEXTS[error.code] ?? matching(error);
  if (known !== undefined) return known;
  return `${circumstance(error)}${error.message}${causes(error)}`;
}

function matching({ code, message }: CaissonError): Bytes | undefined {
  return PATTERNS.find(([of, pattern]) => of === code && pattern.test(message))?.[2];
}

/** A failed step of a start, as opposed to a refusal before it. */
function circumstance({ syscall, exitCode }: CaissonError): Bytes {
  if (syscall === undefined) return '';
  return exitCode === NOT_EXECUTABLE || exitCode === NO_PROGRAM
    ? START
    : `${START}error during container init: `;
}

const START = 'unable to start container process: ';
/** docker-run(1). */
const NOT_EXECUTABLE = 126;
const NO_PROGRAM = 127;

/** Fields that the message does not name, and further problems of a configuration. */
function causes({ message, provenance, sources, details, code }: CaissonError): Bytes {
  const fields = [...sources, ...provenance].filter((each) => each !== '' && !message.includes(each));
  const others = code === 'EINVALIDSPEC' ? details.map((detail) => `; ${detail}`).join('') : '';
  return `${fields.length === 0 ? '' : ` (${fields.slice(0, 5).join(', ')})`}${others}`;
}
