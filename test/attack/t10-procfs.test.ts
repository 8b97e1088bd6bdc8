// T10: mounts over files of /proc that the start writes to, so that a sysctl or a label goes elsewhere
// (CVE-2019-16884, CVE-2025-52881). There is no LSM here: labels are tested in test/uml.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { MOUNTS } from '../harness/caisson.ts';
import { type Arena, refusedClearly, rounds } from './arena.ts';
import { attack } from './attack.ts';
import { neighbour, whileSwapping } from './race.ts';

const COVERED = [
  '/proc/self/attr',
  '/proc/sys',
  '/proc/1',
  '/proc/self',
  '/proc/sys/kernel',
  '/proc/sysrq-trigger',
  '/proc/./sys',
  '/proc//self/attr',
];

attack({
  id: 'T10',
  title: 'what is mounted over files of /proc that are written to is refused',
  modes: ['R', 'U'],
  caught: [['mounts allowed all over /proc', 'R']],
  run: (arena) => {
    const evidence: string[] = [];
    const source = arena.volume('fake', (path) => mkdirSync(`${path}/kernel`));
    for (const destination of COVERED) {
      for (const mount of [
        { destination, type: 'tmpfs', source: 'tmpfs' },
        { destination, type: 'bind', source, options: ['rbind'] },
      ]) {
        const ended = arena.oci({ mounts: [...MOUNTS, mount] }, 'echo started');
        if (ended.stdout.includes('started')) evidence.push(`${mount.type} on ${destination}: started`);
        else if (!refusedClearly(ended)) evidence.push(`${mount.type} on ${destination}: ${ended.stderr}`);
      }
    }
    return evidence;
  },
});

/** The sysctl as the kernel has it in the network namespace of a process: asked from outside. */
function forwarding(pid: number): string {
  return execFileSync('nsenter', ['-t', String(pid), '-n', 'cat', '/proc/sys/net/ipv4/ip_forward'], {
    encoding: 'utf8',
  }).trim();
}

const SYSCTL = { linux: { sysctl: { 'net.ipv4.ip_forward': '1' } } };

/** A directory that looks like a procfs, for a volume on /proc. */
function fakeProc(arena: Arena): string {
  return arena.volume('fake-proc', (path) => {
    for (const directory of ['sys/net/ipv4', 'self/attr', 'self/fd'])
      mkdirSync(`${path}/${directory}`, { recursive: true });
    writeFileSync(`${path}/sys/net/ipv4/ip_forward`, '0\n');
    writeFileSync(`${path}/sys/net/ipv4/decoy`, '');
    symlinkSync('/proc/sys/net/ipv4/decoy', `${path}/sys/net/ipv4/trick`);
  });
}

async function confirmed(arena: Arena, mounts: readonly unknown[]): Promise<string[]> {
  const { pid, end } = await neighbour(
    arena,
    { mounts: mounts as never, ...SYSCTL },
    'echo ready; cat',
    'ready',
  );
  const value = forwarding(pid);
  await end();
  return value === '1' ? [] : [`started with ip_forward ${value}, asked for was 1`];
}

attack({
  id: 'T10',
  title: 'a sysctl reaches the kernel whatever lies on /proc',
  modes: ['R', 'U'],
  caught: [['sysctls through the /proc of the container', 'R']],
  run: async (arena) => {
    const fake = { destination: '/proc', type: 'bind', source: fakeProc(arena), options: ['rbind'] };
    assert.deepEqual(await confirmed(arena, MOUNTS), []);
    return confirmed(arena, [...MOUNTS.filter(({ destination }) => destination !== '/proc'), fake]);
  },
});

attack({
  id: 'T10',
  title: 'a sysctl reaches the kernel while another exchanges its file for a link',
  modes: ['R', 'U'],
  caught: [['sysctls through the /proc of the container', 'R']],
  run: (arena) => {
    const source = fakeProc(arena);
    const file = `${source}/sys/net/ipv4/ip_forward`;
    const mounts = [
      ...MOUNTS.filter(({ destination }) => destination !== '/proc'),
      { destination: '/proc', type: 'bind', source, options: ['rbind'] },
    ];
    return whileSwapping(arena, file, `${source}/sys/net/ipv4/trick`, async () => {
      const evidence: string[] = [];
      for (let i = 0; i < rounds(20, 1000) && evidence.length === 0; i++)
        evidence.push(...(await confirmed(arena, mounts)));
      return evidence;
    });
  },
});
