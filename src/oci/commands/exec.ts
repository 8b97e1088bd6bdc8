// `exec`: another process inside a container, from a file or from flags over the container's own process.

import { boolean, list, value } from '../../frontends/flag.ts';
import { parseInteger } from '../../frontends/number.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { parseCapability } from '../../linux/capabilities.ts';
import { execProcess } from '../../runtime/exec.ts';
import type { ExecOptions } from '../../runtime/exec-preparation.ts';
import { readGivenFile } from '../../runtime/given-file.ts';
import { CaissonError } from '../../spec/error.ts';
import type { LinuxCapabilities, Process, Spec, User } from '../../spec/runtime-spec.ts';
import { parseProcess } from '../../spec/validate.ts';
import { absolute, type Invocation, type OciCommand } from '../command.ts';
import { HANDOVER_FLAGS, handover } from '../create-options.ts';
import { goQuote } from '../go-quote.ts';
import type { Parsed } from '../grammar.ts';
import { logStages } from '../stages.ts';

export const command: OciCommand = {
  name: 'exec',
  summary: 'Run another process inside a container',
  usage: '<container-id> <command> [arguments...] | --process FILE <container-id>',
  description: `Without --process it is the process of the container's configuration with another command line, without a
terminal, and with what the options say. The exit code is the process's, or 128 and the number of the signal that
killed it; 255 when it could not be started.`,
  flags: [
    ...HANDOVER_FLAGS,
    value('cwd', 'Working directory in the container', { takes: 'DIR' }),
    list('env', 'Set a variable of the environment', { short: 'e', takes: 'NAME=VALUE' }),
    boolean('tty', 'Give the process a terminal', { short: 't' }),
    value('user', 'User and group by number', { short: 'u', takes: 'UID[:GID]' }),
    list('additional-gids', 'Further group', { short: 'g', takes: 'GID' }),
    value('process', 'Take the whole process from a JSON file', {
      short: 'p',
      takes: 'FILE',
      completes: 'file',
    }),
    boolean('detach', 'Leave when the process has started', { short: 'd' }),
    value('process-label', 'SELinux label of the process', { takes: 'LABEL' }),
    value('apparmor', 'AppArmor profile of the process', { takes: 'PROFILE' }),
    boolean('no-new-privs', 'No more privileges by setuid programs (PR_SET_NO_NEW_PRIVS)'),
    list('cap', 'Give the process a capability more', { short: 'c', takes: 'CAP' }),
    list('cgroup', "Put it into a cgroup below the container's", { takes: '[CONTROLLER:]PATH' }),
    boolean('ignore-paused', 'Start it in a paused container, too'),
    boolean('no-new-keyring', 'Keep the session keyring of the caller'),
  ],
  arguments: [1, Number.POSITIVE_INFINITY],
  stopsAtArgument: true,
  failure: 'exec failed: ',
  failureCode: 255,
  run: (invocation) => {
    const { port, parsed, target, log } = invocation;
    logStages(log, 'exec');
    const options: ExecOptions = {
      ...handover(invocation),
      process: processOf(invocation),
      detach: parsed.on('detach'),
      cgroup: parsed.list('cgroup'),
      ignorePaused: parsed.on('ignore-paused'),
      noNewKeyring: parsed.on('no-new-keyring'),
    };
    return execProcess(port, target(), options);
  },
};

/** The process of a file, or how it is made from the container's. */
function processOf({ port, parsed }: Invocation): ExecOptions['process'] {
  const file = parsed.text('process');
  if (file === undefined) return (spec) => changedProcess(spec, parsed);
  const path = absolute(port, file);
  const text = readGivenFile(port, path);
  if (text === undefined) {
    throw new CaissonError(`open ${file}: no such file or directory`, { code: 'EUSAGE' });
  }
  const { process } = parseProcess(text, file);
  if ((process.args ?? []).length === 0)
    throw new CaissonError('args must not be empty', { code: 'EINVALIDSPEC' });
  return process;
}

/** The container's own process with what the flags say, as runc's exec has it. Throws CaissonError EUSAGE. */
export function changedProcess(spec: Spec, parsed: Parsed): Process {
  const own = spec.process ?? { cwd: '/', user: { uid: 0, gid: 0 } };
  const args = parsed.words.slice(1);
  if (args.length === 0) throw new CaissonError('exec args cannot be empty', { code: 'EUSAGE' });
  const apparmorProfile = parsed.text('apparmor') ?? own.apparmorProfile;
  const selinuxLabel = parsed.text('process-label') ?? own.selinuxLabel;
  const capabilities = withCapabilities(own.capabilities, parsed.list('cap'));
  return {
    ...own,
    args,
    cwd: parsed.text('cwd') ?? own.cwd,
    env: [...(own.env ?? []), ...parsed.list('env')],
    terminal: parsed.on('tty'),
    user: withUser(own.user, parsed),
    noNewPrivileges: parsed.isSet('no-new-privs') ? parsed.on('no-new-privs') : own.noNewPrivileges === true,
    ...(apparmorProfile === undefined ? {} : { apparmorProfile }),
    ...(selinuxLabel === undefined ? {} : { selinuxLabel }),
    ...(capabilities === undefined ? {} : { capabilities }),
  };
}

/** Ambient ones need inheritable ones, which are added to none: only where the configuration has some. */
function withCapabilities(
  own: LinuxCapabilities | undefined,
  more: readonly Bytes[],
): LinuxCapabilities | undefined {
  if (more.length === 0) return own;
  const names = more.map((name) => parseCapability(name) ?? name);
  const add = (set: readonly Bytes[] = []): Bytes[] => [...new Set([...set, ...names])];
  const { bounding, effective, permitted, inheritable, ambient } = own ?? {};
  return {
    ...own,
    bounding: add(bounding),
    effective: add(effective),
    permitted: add(permitted),
    ...(inheritable === undefined ? {} : { ambient: add(ambient) }),
  };
}

function withUser(own: User, parsed: Parsed): User {
  const [uid, gid] = (parsed.text('user') ?? '').split(':', 2);
  const groups = parsed.list('additional-gids').map((text) => id('additional-gids', text));
  return {
    ...own,
    ...(uid === undefined || uid === '' ? {} : { uid: id('uid', uid) }),
    ...(gid === undefined ? {} : { gid: id('gid', gid) }),
    ...(groups.length === 0 ? {} : { additionalGids: [...(own.additionalGids ?? []), ...groups] }),
  };
}

/** (uid_t) -1 means "unchanged" to setresuid(2). */
const ID_MAX = 2n ** 32n - 2n;

function id(what: string, text: Bytes): number {
  const value = parseInteger(text, 0n, ID_MAX);
  if (typeof value === 'number') return value;
  throw new CaissonError(`bad ${what}: parsing ${goQuote(text)}: invalid syntax`, { code: 'EUSAGE' });
}
