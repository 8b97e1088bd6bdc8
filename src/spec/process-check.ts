// Checks of the `process` object (config.md, Process).

import type { Bytes } from '../linux/bytes.ts';
import { isCapability } from '../linux/capabilities.ts';
import { RLIMITS, type RlimitName } from '../linux/rlimits.ts';
import { type Check, type Fields, quote } from './check.ts';
import type { IOPriorityClass } from './runtime-spec.ts';
import { checkScheduler } from './scheduler-check.ts';
import { absolutePathRule, lineRule, numberListRule } from './text-rules.ts';

/** An id of 2^32-1 is (uid_t)-1, which setresuid(2) and chown(2) read as "leave it": it would stay root. */
export const ID_MAX = 2 ** 32 - 2;

/** <linux/limits.h>: more groups setgroups(2) refuses. */
const NGROUPS_MAX = 65536;

const RLIMIT_NAMES = Object.keys(RLIMITS) as readonly RlimitName[];
const IO_CLASSES: readonly IOPriorityClass[] = ['IOPRIO_CLASS_RT', 'IOPRIO_CLASS_BE', 'IOPRIO_CLASS_IDLE'];
const CAPABILITY_SETS = ['bounding', 'effective', 'inheritable', 'permitted', 'ambient'] as const;

/** Checks `process`, of a configuration or of an exec. An absent user becomes 0:0, as in runc and crun. */
export function checkProcess(process: Fields, c: Check): void {
  c.boolean(process, 'terminal');
  c.object(process, 'consoleSize', checkConsoleSize);
  if (process.user === undefined || process.user === null) process.user = { uid: 0, gid: 0 };
  c.object(process, 'user', checkUser);
  checkArguments(process, c);
  checkEnvironment(process, c);
  c.require(process, 'cwd');
  c.text(process, 'cwd', absolutePathRule);
  c.object(process, 'capabilities', checkCapabilities);
  checkRlimits(process, c);
  c.boolean(process, 'noNewPrivileges');
  c.textOrNothing(process, 'apparmorProfile', lineRule);
  c.textOrNothing(process, 'selinuxLabel', lineRule);
  c.integer(process, 'oomScoreAdj', -1000, 1000);
  c.object(process, 'scheduler', checkScheduler);
  c.object(process, 'ioPriority', checkIOPriority);
  c.object(process, 'execCPUAffinity', checkCPUAffinity);
}

function checkConsoleSize(box: Fields, c: Check): void {
  // struct winsize of ioctl_tty(2) has 16 bits.
  for (const side of ['height', 'width']) {
    c.require(box, side);
    c.integer(box, side, 0, 65535);
  }
}

function checkUser(user: Fields, c: Check): void {
  for (const id of ['uid', 'gid']) {
    if (user[id] === undefined || user[id] === null) user[id] = 0;
    c.integer(user, id, 0, ID_MAX);
  }
  c.uint32(user, 'umask');
  const groups = c.uint32s(user, 'additionalGids', ID_MAX);
  if (groups !== undefined && groups.length > NGROUPS_MAX) {
    c.fail('additionalGids', `${groups.length} groups; Linux has at most ${NGROUPS_MAX}`);
  }
  c.text(user, 'username');
}

function checkArguments(process: Fields, c: Check): void {
  const args = c.texts(process, 'args');
  if (process.args === undefined) c.fail('args', 'is required: the program and its arguments');
  else if (args?.length === 0) c.fail('args', 'is empty; expected the program and its arguments');
  else if (args?.[0] === '') c.fail('args', 'the name of the program (the first argument) is empty');
}

/** Values may be secrets: messages about the environment never show one. */
function checkEnvironment(process: Fields, c: Check): void {
  const env = c.texts(process, 'env');
  if (env === undefined) return;
  for (let i = 0; i < env.length; i++) {
    const equals = (env[i] as Bytes).indexOf('=');
    if (equals > 0) continue;
    c.warn(
      'env',
      `entry ${i} is not NAME=VALUE (${equals < 0 ? 'no "="' : 'no name'}); it is passed on as it is`,
    );
  }
}

function checkCapabilities(capabilities: Fields, c: Check): void {
  // config.md: what cannot be mapped MUST be logged as a warning, and SHOULD NOT fail.
  const unknown = new Set<Bytes>();
  for (const set of CAPABILITY_SETS) {
    const names = c.texts(capabilities, set);
    if (names === undefined) continue;
    for (const name of names) {
      if (isCapability(name) || unknown.has(name)) continue;
      unknown.add(name);
      c.warn(set, `${quote(name)} is not a capability known here: ignored`);
    }
  }
  checkAmbient(capabilities, c);
}

/** Silent where none is inheritable: the ambient ones that older `runc spec` writes have never had an effect. */
function checkAmbient({ ambient, inheritable }: Fields, c: Check): void {
  if (!Array.isArray(ambient) || !Array.isArray(inheritable) || inheritable.length === 0) return;
  for (const name of ambient) {
    if (typeof name !== 'string' || !isCapability(name) || inheritable.includes(name)) continue;
    c.warn('ambient', `can't raise ambient capability ${name}: it is not inheritable`);
  }
}

function checkRlimits(process: Fields, c: Check): void {
  const seen = new Map<unknown, number>();
  let index = 0;
  c.objects(process, 'rlimits', (limit) => {
    c.require(limit, 'type');
    c.require(limit, 'hard');
    c.require(limit, 'soft');
    const type = c.oneOf(limit, 'type', RLIMIT_NAMES, 'a limit that Linux has');
    const before = seen.get(type);
    if (type !== undefined && before !== undefined)
      c.fail('type', `${type} is set twice, first by entry ${before}`);
    if (type !== undefined && before === undefined) seen.set(type, index);
    index++;
    const hard = c.uint64(limit, 'hard');
    const soft = c.uint64(limit, 'soft');
    if (hard !== undefined && soft !== undefined && soft > hard) {
      c.fail('soft', `${soft} is above the hard limit ${hard}`);
    }
  });
}

function checkIOPriority(priority: Fields, c: Check): void {
  c.require(priority, 'class');
  c.oneOf(priority, 'class', IO_CLASSES, 'an I/O priority class');
  if (priority.priority === undefined || priority.priority === null) priority.priority = 0;
  c.integer(priority, 'priority', 0, 7);
}

function checkCPUAffinity(affinity: Fields, c: Check): void {
  c.textOrNothing(affinity, 'initial', numberListRule);
  c.textOrNothing(affinity, 'final', numberListRule);
}
