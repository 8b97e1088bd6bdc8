// From an error to the text that runc has for it: engines search these texts for what to do next.

import { type Bytes, utf8ToBytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';
import { goQuote } from './go-quote.ts';

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
  ['ENOBUNDLE', /\/config\.json: no such file/, 'JSON specification file config.json not found'],
];

/** What runc begins the refusal of a field with, of which tests and people look for the words. */
const REFUSALS: readonly (readonly [pattern: RegExp, words: Bytes])[] = [
  [/^config\.json: \/linux\/memoryPolicy\/mode/, 'invalid memory policy mode'],
  [/^config\.json: \/linux\/memoryPolicy\/flags/, 'invalid memory policy flag'],
  [/^config\.json: \/linux\/memoryPolicy\/nodes/, 'invalid memory policy nodes'],
  [
    /^(?:create (?:the cgroups above|cgroup )|open the cgroups|enable )/,
    'unable to apply cgroup configuration',
  ],
  [/^set [a-z0-9_]+\.\S+ to /, 'error setting cgroup config for procHooks process'],
  [/^connect to the agent at /, 'failed to connect with seccomp agent specified in the seccomp profile'],
  [
    /^schedule with .*\(EPERM\).* \/linux\/resources\/cpu\/cpus/,
    "process scheduler can't be used together with AllowedCPUs",
  ],
  [/^mount proc at .*\((?:ELOOP|ENOTDIR)\)/, 'filesystem "proc" must be mounted on ordinary directory'],
  [/^mount sysfs at .*\((?:ELOOP|ENOTDIR)\)/, 'filesystem "sysfs" must be mounted on ordinary directory'],
  [/^(?:bind|mount) .* at .*\(E/, 'error mounting'],
];

/** The text of any error, one line of bytes. */
export function errorText(error: unknown): Bytes {
  if (!(error instanceof CaissonError)) {
    return utf8ToBytes(`unexpected: ${error instanceof Error ? error.message : String(error)}`);
  }
  return TEXTS[error.code] ?? matching(error) ?? execution(error) ?? described(error);
}

function matching({ code, message }: CaissonError): Bytes | undefined {
  return PATTERNS.find(([of, pattern]) => of === code && pattern.test(message))?.[2];
}

const START = 'unable to start container process: ';

/** A program that is not there, or may not be executed: `exec: "nope": executable file not found in $PATH`. */
function execution({ code, syscall, message }: CaissonError): Bytes | undefined {
  if (syscall !== 'execve' && syscall !== 'execveat') return undefined;
  // What the container's process prints itself under runc.
  if (code === 'EINTERPRETER') return message.replace(/^execute ([\s\S]*) \(ENOENT\)$/, 'exec $1');
  const [, program, reason] = /^execute ([\s\S]*): (.*) \((?:ENOENT|EACCES)\)$/.exec(message) ?? [];
  return program === undefined ? undefined : `${START}exec: ${goQuote(program)}: ${reason}`;
}

/**
 * What failed, after the circumstance of a step of a start; then the fields that caused it, and which step of the
 * plan it was, or which other problems a configuration has.
 */
function described({ syscall, message, provenance, sources, details }: CaissonError): Bytes {
  const circumstance = syscall === undefined ? '' : `${START}error during container init: `;
  const fields = [...sources, ...provenance].filter((each) => each !== '' && !message.includes(each));
  const causes = fields.length === 0 ? '' : ` (${fields.slice(0, 5).join(', ')})`;
  const subject = [message, ...provenance].join(' ');
  const words = REFUSALS.find(([pattern]) => pattern.test(subject))?.[1];
  const refusal = words === undefined ? '' : `${words}: `;
  return `${circumstance}${refusal}${message}${causes}${details.map((detail) => `; ${detail}`).join('')}`;
}
