// T25: sysctls of the whole machine, values that are more than one, and ids and annotations that are paths
// (CVE-2022-0811, CVE-2021-21284).
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { type Arena, refusedClearly } from './arena.ts';
import { attack } from './attack.ts';

/** Keys that are the machine's, in every spelling, and values that would be two. */
const SYSCTLS: readonly (readonly [string, string])[] = [
  ['kernel.core_pattern', '|/evil'],
  ['kernel/core_pattern', '|/evil'],
  ['net/../kernel/core_pattern', '|/evil'],
  ['net.ipv4/../../kernel.core_pattern', '|/evil'],
  ['net..kernel.core_pattern', '|/evil'],
  ['/proc/sys/kernel/core_pattern', '|/evil'],
  ['kernel.shmmax+kernel.core_pattern', '|/evil'],
  ['kernel.shm_rmid_forced', '1+kernel.core_pattern=|/evil'],
  ['kernel.msgmax', '8192\nkernel.core_pattern=|/evil'],
  ['kernel.msgmax=8192\nkernel.core_pattern', '|/evil'],
  ['vm.overcommit_memory', '1'],
  ['fs.suid_dumpable', '2'],
  ['kernel.hostname', 'evil'],
  ['', 'x'],
];

const IDS = ['../x', '..', '.', '', 'a/b', '/tmp/x', 'x\n', 'x y', '.hidden', 'a'.repeat(1024), 'ä', '*'];

function corePattern(): string {
  return readFileSync('/proc/sys/kernel/core_pattern', 'latin1');
}

function sysctls(arena: Arena): string[] {
  const before = corePattern();
  return SYSCTLS.flatMap(([key, value]) => {
    const ended = arena.oci({ linux: { sysctl: { [key]: value } } }, 'echo started');
    // A value that is one number and a bit is the kernel's to refuse.
    const refused = ended.code !== 0 && !ended.stdout.includes('started');
    return [
      ...(refused ? [] : [`${JSON.stringify(key)}=${JSON.stringify(value)} was taken`]),
      ...(refusedClearly(ended) ? [] : [`${JSON.stringify(key)}: ${ended.stderr}`]),
      ...(corePattern() === before ? [] : [`${JSON.stringify(key)} changed the core pattern`]),
    ];
  });
}

function ids(arena: Arena): string[] {
  const bundle = arena.bundle({}, 'echo started');
  const beside = () => readdirSync(arena.directory).join(' ');
  return IDS.flatMap((id) => {
    const before = beside();
    const commands = [
      ['run', '--bundle', bundle, id],
      ['state', id],
      ['delete', '--force', id],
    ];
    return commands.flatMap((command) => {
      const ended = arena.caisson(['oci', ...command]);
      const taken = ended.stdout.includes('started') || (ended.code === 0 && command[0] !== 'delete');
      return [
        ...(taken ? [`${command[0]} ${JSON.stringify(id)} was taken: ${ended.stdout}`] : []),
        ...(beside() === before ? [] : [`${command[0]} ${JSON.stringify(id)} left something beside`]),
        ...(/unexpected|undefined/.test(ended.stderr) ? [`${command[0]}: ${ended.stderr}`] : []),
      ];
    });
  });
}

/** Annotations are data: a name that looks like a path or a field of the state is none. */
function annotations(arena: Arena): string[] {
  const strange = {
    '../../evil': 'x',
    '/etc/evil': 'x',
    pid: '1',
    status: 'running',
    __proto__x: 'y',
    'a\nb': 'c',
  };
  const { code, stderr } = arena.oci({ annotations: strange }, 'true');
  return [
    ...(code === 0 ? [] : [`annotations: ${stderr}`]),
    ...(existsSync('/etc/evil') || existsSync(`${arena.directory}/evil`)
      ? ['an annotation became a file']
      : []),
  ];
}

attack({
  id: 'T25',
  title: 'sysctls are of a namespace and one each, ids are names, annotations are data',
  modes: ['R', 'L', 'U'],
  caught: [['ids that begin with a dot', 'R']],
  run: (arena) => [...sysctls(arena), ...ids(arena), ...annotations(arena)],
});
