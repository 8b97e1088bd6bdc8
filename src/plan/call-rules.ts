// Where strace 6.1 prints the arguments of a call otherwise than one by one: measured, call by call.

import { openFlags } from '../linux/abi/index.ts';
import { CAPABILITIES } from '../linux/capabilities.ts';
import { F_ADD_SEALS, F_SETFD, F_SETFL, O_CREAT, S_IFBLK, S_IFCHR, S_IFMT } from '../linux/constants/open.ts';
import {
  PR_CAPBSET_DROP,
  PR_SET_DUMPABLE,
  PR_SET_KEEPCAPS,
  PR_SET_NAME,
  PR_SET_PDEATHSIG,
} from '../linux/constants/process.ts';
import { SCM_RIGHTS, SOL_SOCKET } from '../linux/constants/socket.ts';
import { TIOCGPTPEER } from '../linux/constants/terminal.ts';
import { FD_STATE, formatFlags, OPEN_FLAGS, POLL_EVENTS, SEALS, SIGNALS } from '../linux/flags.ts';
import { SIGNALS as NUMBERS } from '../linux/signals.ts';
import type { Call, Field, Memory } from './call.ts';

/** What a rule needs of the printer. */
export interface ArgumentTexts {
  readonly call: Call;
  args(): string[];
  argument(index: number): string;
  memory(memory: Memory): string;
  field(field: Field): string;
}

type Rule = (text: ArgumentTexts) => string[];

const NO_ID = '4294967295';

function numberAt(call: Call, index: number): number {
  const arg = call.args[index];
  return arg?.kind === 'number' ? Number(arg.value) : 0;
}

function fieldsAt(call: Call, index: number): readonly Field[] {
  const arg = call.args[index];
  return arg?.kind === 'memory' && arg.memory.kind === 'struct' ? arg.memory.fields : [];
}

function fieldValue(fields: readonly Field[], name: string): number {
  const value = fields.find((field) => field.name === name)?.value;
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : 0;
}

function creates(flags: number): boolean {
  const { O_TMPFILE } = openFlags('x86_64');
  return (flags & O_CREAT) !== 0 || (flags & O_TMPFILE) === O_TMPFILE;
}

const openat: Rule = (text) => (creates(numberAt(text.call, 2)) ? text.args() : text.args().slice(0, 3));

const openat2: Rule = (text) => {
  const fields = fieldsAt(text.call, 2);
  const shown = fields.filter(({ name }) => name !== 'mode' || creates(fieldValue(fields, 'flags')));
  const how = `{${shown.map((field) => `${field.name}=${text.field(field)}`).join(', ')}}`;
  return [text.argument(0), text.argument(1), how, text.argument(3)];
};

const mknodat: Rule = (text) => {
  const type = numberAt(text.call, 2) & S_IFMT;
  const args = text.args().slice(0, 3);
  if (type !== S_IFCHR && type !== S_IFBLK) return args;
  const device = numberAt(text.call, 3);
  const major = (device >>> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  return [...args, `makedev(${hex(major)}, ${hex(minor)})`];
};

function hex(value: number): string {
  return value === 0 ? '0' : `0x${value.toString(16)}`;
}

/** Ids of 32 bits, of which the last means "leave as it is". */
const ids: Rule = (text) => text.args().map((arg) => (arg === NO_ID ? '-1' : arg));

const TWO_ARGUMENTS: ReadonlySet<number> = new Set([
  PR_SET_KEEPCAPS,
  PR_CAPBSET_DROP,
  PR_SET_PDEATHSIG,
  PR_SET_DUMPABLE,
  PR_SET_NAME,
]);

const DUMPABLE = ['SUID_DUMP_DISABLE', 'SUID_DUMP_USER'];

const prctl: Rule = (text) => {
  const [operation = '', ...args] = text.args();
  if (operation === 'PR_SET_DUMPABLE') return [operation, DUMPABLE[numberAt(text.call, 1)] ?? args[0] ?? ''];
  if (TWO_ARGUMENTS.has(numberAt(text.call, 0))) return [operation, ...args.slice(0, 1)];
  return args[0] === 'PR_CAP_AMBIENT_CLEAR_ALL' ? [operation, args[0], '0', '0', '0'] : [operation, ...args];
};

/** The two halves of each set are printed as one. */
const capset: Rule = ({ call }) => {
  const data = fieldsAt(call, 1);
  const sets = ['effective', 'permitted', 'inheritable'].map((name) => {
    const [low = 0, high = 0] = data.filter((field) => field.name === name).map(({ value }) => Number(value));
    const names = Object.entries(CAPABILITIES)
      .filter(([, bit]) => (((bit < 32 ? low : high) >>> (bit % 32)) & 1) === 1)
      .map(([capability]) => `1<<${capability}`);
    return `${name}=${names.join('|') || '0'}`;
  });
  return ['{version=_LINUX_CAPABILITY_VERSION_3, pid=0}', `{${sets.join(', ')}}`];
};

const UNLIMITED = 2n ** 64n - 1n;

function limitText({ name, value }: Field): string {
  const exact = BigInt(typeof value === 'object' ? 0 : value);
  if (exact === UNLIMITED) return `${name}=RLIM64_INFINITY`;
  return exact > 1024n && exact % 1024n === 0n ? `${name}=${exact / 1024n}*1024` : `${name}=${exact}`;
}

const prlimit64: Rule = (text) => [
  text.argument(0),
  text.argument(1),
  `{${fieldsAt(text.call, 2).map(limitText).join(', ')}}`,
  text.argument(3),
];

/** A set of signals, `[HUP TERM]`; all of them as `~[]`. */
const signalSet: Rule = (text) => {
  const mask = fieldsAt(text.call, 1)[0]?.value;
  const bits = typeof mask === 'bigint' ? mask : 0n;
  const names = Object.entries(NUMBERS).filter(([, signal]) => ((bits >> BigInt(signal - 1)) & 1n) === 1n);
  const set = bits === -1n ? '~[]' : `[${names.map(([name]) => name.slice('SIG'.length)).join(' ')}]`;
  return text.args().map((arg, index) => (index === 1 ? set : arg));
};

const rtSigaction: Rule = (text) => [
  text.argument(0),
  '{sa_handler=SIG_DFL, sa_mask=[], sa_flags=0}',
  text.argument(2),
  text.argument(3),
];

/** NS_GET_* take no argument; structures of one number are printed as an array. */
const ioctl: Rule = (text) => {
  const [fd = '', command = '', argument = ''] = text.args();
  if (command.startsWith('NS_GET_')) return [fd, command];
  if (numberAt(text.call, 1) === TIOCGPTPEER) return [fd, command, hex(numberAt(text.call, 2))];
  const fields = fieldsAt(text.call, 2);
  const only = fields.length === 1 ? fields[0] : undefined;
  return [fd, command, only === undefined ? argument : `[${text.field(only)}]`];
};

const fcntl: Rule = (text) => {
  const [fd = '', command = '', argument = ''] = text.args();
  const operation = numberAt(text.call, 1);
  const value = numberAt(text.call, 2);
  if (operation === F_SETFL) return [fd, command, formatFlags(value, OPEN_FLAGS)];
  if (operation === F_ADD_SEALS) return [fd, command, formatFlags(value, SEALS)];
  return [fd, command, operation === F_SETFD ? formatFlags(value, FD_STATE) : argument];
};

const ppoll: Rule = (text) => {
  const fields = fieldsAt(text.call, 0);
  const polled: string[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const [fd, events] = [fields[index], fields[index + 1]];
    if (fd === undefined || typeof events?.value !== 'number') continue;
    polled.push(`{fd=${text.field(fd)}, events=${formatFlags(events.value & 0xffff, POLL_EVENTS)}}`);
  }
  return [`[${polled.join(', ')}]`, ...text.args().slice(1)];
};

/** Two descriptors, `[3, 4]`. */
const pair =
  (index: number): Rule =>
  (text) =>
    text.args().map((arg, at) =>
      at === index
        ? `[${fieldsAt(text.call, index)
            .map((field) => text.field(field))
            .join(', ')}]`
        : arg,
    );

const clone3: Rule = (text) => {
  const words = fieldsAt(text.call, 0).flatMap((field) => {
    const { name, value } = field;
    if (name === 'flags') return [`flags=${text.field(field)}`];
    if (name === 'exit_signal')
      return [`exit_signal=${formatFlags(Number(value), SIGNALS)}`, 'stack=NULL', 'stack_size=0'];
    return name === 'cgroup' && value !== 0 ? [`cgroup=${text.field(field)}`] : [];
  });
  const pidfd = fieldsAt(text.call, 0).find(({ name }) => name === 'pidfd')?.value;
  const made =
    typeof pidfd === 'object' && pidfd.kind !== 'slot' ? ` => {pidfd=${cellText(text, pidfd)}}` : '';
  return [`{${words.join(', ')}}${made}`, text.argument(1)];
};

function cellText(text: ArgumentTexts, memory: Memory): string {
  return memory.kind === 'struct'
    ? `[${memory.fields.map((field) => text.field(field)).join(', ')}]`
    : text.memory(memory);
}

/** struct msghdr, one part and one descriptor, as sendmsg(2) and recvmsg(2) have it. */
const message: Rule = (text) => {
  const fields = fieldsAt(text.call, 1);
  const words = fields.map((field) => {
    const inner = typeof field.value === 'object' && 'kind' in field.value ? field.value : undefined;
    if (field.name === 'msg_name') return 'msg_name=NULL';
    if (inner === undefined || inner.kind !== 'struct') return `${field.name}=${text.field(field)}`;
    return `${field.name}=[${field.name === 'msg_iov' ? text.memory(inner) : controlText(text, inner.fields)}]`;
  });
  return [text.argument(0), `{${words.join(', ')}}`, text.argument(2)];
};

function controlText(text: ArgumentTexts, fields: readonly Field[]): string {
  const fd = fields.find(({ name }) => name === 'fd');
  const known =
    fieldValue(fields, 'cmsg_level') === SOL_SOCKET && fieldValue(fields, 'cmsg_type') === SCM_RIGHTS;
  const kind = known ? 'cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS' : 'cmsg_level=?, cmsg_type=?';
  const data = fd === undefined ? '' : text.field(fd);
  return `{cmsg_len=${fieldValue(fields, 'cmsg_len')}, ${kind}, cmsg_data=[${data}]}`;
}

export const CALL_RULES: Readonly<Record<string, Rule>> = {
  openat,
  openat2,
  mknodat,
  fchown: ids,
  fchownat: ids,
  setresuid: ids,
  setresgid: ids,
  setgroups: (text) => text.args().map((arg) => arg.replace(new RegExp(NO_ID, 'g'), '-1')),
  prctl,
  capset,
  prlimit64,
  rt_sigprocmask: signalSet,
  signalfd4: signalSet,
  rt_sigaction: rtSigaction,
  ioctl,
  fcntl,
  ppoll,
  pipe2: pair(0),
  socketpair: pair(3),
  FORK: clone3,
  sendmsg: message,
  recvmsg: message,
};
