// A plan as a shell script of unshare, mount, mkdir, echo and capsh, for a person who wants to see it happen by hand.
//
// It is derived from the specification that the plan was compiled from, and is nearly the same container: what it
// leaves out stands at its top. Paths inside the root are looked up as they are, so it is for roots that one trusts.
import type { Bytes } from '../linux/bytes.ts';
import type { LinuxNamespaceType, Spec } from '../spec/runtime-spec.ts';
import { sysctlPath } from '../spec/sysctl.ts';
import type { Slot } from './call.ts';
import type { HostFacts } from './facts.ts';
import { type ShellCgroups, shellCgroups } from './shell/cgroups.ts';
import { deviceCommands, maskCommands, mountCommands, rootCommands } from './shell/mounts.ts';
import { limitCommands, programCommand } from './shell/process.ts';
import { comment, hereDocument, quote, words } from './shell/quote.ts';
import type { Plan } from './step.ts';

export interface ShellOptions {
  /** The plan of the same specification: its cgroup steps become commands. */
  readonly plan: Plan;
  readonly facts: HostFacts;
  /** Write the values of environment variables into the script; without, they come from whoever runs it. */
  readonly showSecrets?: boolean;
}

/** The script, for any POSIX shell with util-linux 2.38 and capsh (libcap2-bin). */
export function planShell(spec: Spec, options: ShellOptions): Bytes {
  const cgroups = shellCgroups(options.plan.steps, intoCgroup(options.plan));
  const mounts = mountCommands(spec);
  const inner = hereDocument(`${innerScript(spec, mounts.commands, options).join('\n')}\n`);
  const left = [...leftOut(spec), ...mounts.left, ...cgroups.left];
  const run = `${unshareCommand(spec, options.facts)} sh -eu /dev/fd/4 4<<'${inner.end}'`;
  return [
    '#!/bin/sh',
    comment('The same container by hand, nearly. Run it as the user who would run caisson.'),
    comment('Left out:'),
    ...left.map((each) => comment(`  ${each}`)),
    'set -eu',
    'PATH=${PATH-/usr/bin:/bin}:/usr/sbin:/sbin',
    'capsh=$(command -v capsh)',
    'export PATH capsh',
    ...section('cgroups and their limits', cgroups.make),
    ...section('a process in its cgroups, in new namespaces', [`${beginning(cgroups)}${run}`]),
    `${inner.text}${ending(cgroups)}`,
  ].join('\n');
}

function section(title: Bytes, commands: readonly Bytes[]): Bytes[] {
  return commands.length === 0 ? [] : ['', comment(title), ...commands];
}

/** The cgroups are left again by the end of a subshell, so that they can be removed. */
function beginning({ join }: ShellCgroups): Bytes {
  return join.length === 0 ? 'exec ' : `set +e\n(\nset -e\n${join.join('\n')}\nexec `;
}

function ending({ join, remove }: ShellCgroups): Bytes {
  return join.length === 0 ? '' : `)\nstatus=$?\n${remove.join('\n')}\nexit $status\n`;
}

function innerScript(
  spec: Spec,
  mounts: readonly Bytes[],
  { facts, showSecrets = false }: ShellOptions,
): Bytes[] {
  const isNew = (type: LinuxNamespaceType) => namespaceOf(spec, type) === 'new';
  const process = spec.process ?? { user: { uid: 0, gid: 0 }, cwd: '/' };
  const score = process.oomScoreAdj;
  const names = [
    ...(spec.hostname ? [words('hostname', spec.hostname)] : []),
    ...(spec.domainname ? [words('domainname', spec.domainname)] : []),
  ];
  const sysctls = Object.entries(spec.linux?.sysctl ?? {}).map(
    ([key, content]) => `printf %s ${quote(content)} > ${quote(`/proc/sys/${sysctlPath(key) ?? key}`)}`,
  );
  const root = isNew('mount') ? rootCommands(spec) : [words('cd', spec.root?.path ?? '/')];
  return [
    comment("these mounts are nothing for the host's own list, /run/mount/utab"),
    'mount() { command mount -n "$@"; }',
    ...(score === undefined ? [] : [`echo ${score} > /proc/self/oom_score_adj`]),
    ...section('loopback', isNew('network') ? ['ip link set lo up'] : []),
    ...section('the root', root),
    ...(isNew('mount') ? section('mounts', mounts) : []),
    ...(isNew('mount') ? section('devices', deviceCommands(spec)) : []),
    ...section('masked and read-only paths', isNew('mount') ? maskCommands(spec) : []),
    ...section('names and sysctls', [...names, ...sysctls]),
    ...(isNew('mount') ? section('into the root; caisson uses pivot_root', intoRoot(spec)) : []),
    ...section('limits', limitCommands(process)),
    ...section('user, capabilities, program', [
      programCommand(process, {
        showSecrets,
        mayCallSetgroups: namespaceOf(spec, 'user') === 'none' || facts.privileged,
        lastCapability: facts.lastCapability,
      }),
    ]),
  ];
}

/** The root is moved over /, so that a later chroot cannot be left: there is nothing above it. */
function intoRoot(spec: Spec): Bytes[] {
  const readonly = spec.root?.readonly === true ? ['mount -o remount,bind,ro .'] : [];
  return [...readonly, 'mount --move . /'];
}

function namespaceOf(spec: Spec, type: LinuxNamespaceType): 'new' | 'joined' | 'none' {
  const found = spec.linux?.namespaces?.find((namespace) => namespace.type === type);
  if (found === undefined) return 'none';
  return (found.path ?? '') === '' ? 'new' : 'joined';
}

const FLAGS: readonly (readonly [LinuxNamespaceType, Bytes])[] = [
  ['user', '--user'],
  ['mount', '--mount'],
  ['uts', '--uts'],
  ['ipc', '--ipc'],
  ['network', '--net'],
  ['pid', '--pid'],
  ['cgroup', '--cgroup'],
  ['time', '--time'],
];

function unshareCommand(spec: Spec, facts: HostFacts): Bytes {
  const joined = FLAGS.flatMap(([type, flag]) => {
    const path = spec.linux?.namespaces?.find((namespace) => namespace.type === type)?.path ?? '';
    return path === '' ? [] : [`${flag}=${path}`];
  });
  const flags = FLAGS.filter(([type]) => namespaceOf(spec, type) === 'new').map(([, flag]) => flag);
  if (flags.includes('--mount')) flags.push('--propagation=slave');
  if (flags.includes('--pid')) flags.push('--fork', '--kill-child');
  if (flags.includes('--user')) flags.push(...mapFlags(spec, facts));
  const offsets = spec.linux?.timeOffsets ?? {};
  for (const clock of ['monotonic', 'boottime'] as const) {
    const seconds = offsets[clock]?.secs;
    if (flags.includes('--time') && seconds !== undefined) flags.push(`--${clock}=${seconds}`);
  }
  const enter = joined.length === 0 ? [] : ['nsenter', ...joined];
  return words(...enter, ...(flags.length === 0 ? [] : ['unshare', ...flags]));
}

function mapFlags(spec: Spec, facts: HostFacts): Bytes[] {
  const { uidMappings: uids = [], gidMappings: gids = [] } = spec.linux ?? {};
  const isCaller = (mappings: typeof uids, id: number) =>
    mappings.length === 0 ||
    (mappings.length === 1 &&
      mappings[0]?.containerID === 0 &&
      mappings[0].hostID === id &&
      mappings[0].size === 1);
  if (isCaller(uids, facts.uid) && isCaller(gids, facts.gid)) return ['--map-root-user'];
  const flag = (name: Bytes, mappings: typeof uids) =>
    mappings.map(({ containerID, hostID, size }) => `--map-${name}=${hostID},${containerID},${size}`);
  return [...flag('users', uids), ...flag('groups', gids), '--setuid=0', '--setgid=0'];
}

function intoCgroup({ steps }: Plan): Slot | undefined {
  const fork = steps.flatMap(({ calls }) => calls).find(({ name }) => name === 'FORK');
  const memory = fork?.args[0]?.kind === 'memory' ? fork.args[0].memory : undefined;
  const cgroup =
    memory?.kind === 'struct' ? memory.fields.find(({ name }) => name === 'cgroup')?.value : undefined;
  return typeof cgroup === 'object' && 'width' in cgroup ? cgroup : undefined;
}

/** What no command of the script does, of what the specification asks for. */
function leftOut(spec: Spec): Bytes[] {
  const { process, linux } = spec;
  const all: readonly (readonly [unknown, Bytes])[] = [
    [true, 'closing every inherited descriptor, a session and a session keyring of its own'],
    [true, 'lookups that cannot leave the root, and pivot_root'],
    [linux?.seccomp, 'the seccomp filter'],
    [process?.apparmorProfile, 'the AppArmor profile'],
    [process?.selinuxLabel, 'the SELinux label'],
    [process?.terminal, 'the terminal: it has yours'],
    [process?.scheduler, 'the scheduler'],
    [linux?.memoryPolicy, 'the memory policy'],
    [linux?.personality, 'the personality'],
    [linux?.rootfsPropagation, 'the propagation of the root'],
    [linux?.timeOffsets, 'nanoseconds of time offsets'],
    [spec.hooks, 'hooks'],
  ];
  return all.flatMap(([asked, what]) =>
    asked === undefined || asked === false || asked === '' ? [] : [what],
  );
}
