// T14: the five capability sets, whoever the user is (CVE-2022-29162 and its kin), and set-user-id files.
import { chmodSync, copyFileSync } from 'node:fs';
import { capabilities, type Part } from '../harness/caisson.ts';
import type { Arena, Mode } from './arena.ts';
import { attack } from './attack.ts';

const BITS: Readonly<Record<string, number>> = {
  CAP_CHOWN: 0,
  CAP_KILL: 5,
  CAP_SETUID: 7,
  CAP_NET_BIND_SERVICE: 10,
};
const NAMES = Object.keys(BITS);

interface Case {
  readonly name: string;
  readonly sets: Part;
  /** Inheritable, permitted, effective, bounding, ambient as names, for PID 1 after execve. */
  readonly root: readonly (readonly string[])[];
  readonly user: readonly (readonly string[])[];
}

const TWO = ['CAP_CHOWN', 'CAP_KILL'];

/** capabilities(7): a root that executes gets its bounding set; another user what is ambient. */
const CASES: readonly Case[] = [
  { name: 'none', sets: {}, root: [[], [], [], [], []], user: [[], [], [], [], []] },
  {
    name: 'three alike',
    sets: capabilities(NAMES),
    root: [[], NAMES, NAMES, NAMES, []],
    user: [[], [], [], NAMES, []],
  },
  {
    name: 'bounding alone',
    sets: { bounding: TWO },
    root: [[], TWO, TWO, TWO, []],
    user: [[], [], [], TWO, []],
  },
  {
    name: 'ambient',
    sets: { ...capabilities(NAMES), inheritable: TWO, ambient: TWO },
    root: [TWO, NAMES, NAMES, NAMES, []],
    user: [TWO, TWO, TWO, NAMES, TWO],
  },
];

const hex = (names: readonly string[]) =>
  names
    .reduce((sum, name) => sum + 2 ** (BITS[name] ?? 60), 0)
    .toString(16)
    .padStart(16, '0');

function users(mode: Mode): readonly number[] {
  // An ordinary user without a helper has one id.
  return mode === 'L' ? [0] : [0, 1000];
}

function matrix(arena: Arena): string[] {
  const evidence: string[] = [];
  for (const uid of users(arena.mode)) {
    for (const { name, sets, root, user } of CASES) {
      for (const noNewPrivileges of [true, false]) {
        const process = { user: { uid, gid: uid }, capabilities: sets, noNewPrivileges };
        const { stdout, stderr } = arena.oci({ process }, 'grep ^Cap /proc/self/status');
        const found = [...stdout.matchAll(/^Cap\w+:\s*([0-9a-f]{16})$/gm)].map(([, value]) => value);
        // An execve of root's that would add capabilities is none under no_new_privs.
        const gained = name === 'bounding alone' && noNewPrivileges;
        const wanted = uid !== 0 || gained ? user : root;
        // Of the ambient set root keeps what it was given: the kernel clears it only for set-user-id programs.
        const expected = wanted.map(hex);
        const same =
          found.length === 5 &&
          found.every(
            (value, index) => value === expected[index] || (uid === 0 && name === 'ambient' && index === 4),
          );
        if (!same)
          evidence.push(
            `uid ${uid}, ${name}, no_new_privs ${noNewPrivileges}: ${found.join(' ')}${stderr}, not ${expected.join(' ')}`,
          );
      }
    }
  }
  return evidence;
}

attack({
  id: 'T14',
  title: 'the five sets are what was asked for, for root and for a user',
  modes: ['R', 'L', 'U'],
  caught: [
    ['inheritable capabilities', 'R'],
    ['a full bounding set', 'R'],
    ['a full bounding set', 'L'],
  ],
  run: matrix,
});

attack({
  id: 'T14',
  title: 'a set-user-id program of the image gives nothing under no_new_privs',
  modes: ['R', 'U'],
  caught: [['new privileges by execve', 'R']],
  run: (arena) => {
    const path = `${arena.rootfs}/home/probe`;
    copyFileSync(arena.probe, path);
    arena.own(path);
    chmodSync(path, 0o4755);

    const process = {
      user: { uid: 1000, gid: 1000 },
      args: ['/home/probe', 'show', '/proc/self/status'],
    };
    const { stdout, stderr } = arena.oci({ process }, '');
    const ids = /^Uid:\s*(\d+)\s+(\d+)/m.exec(stdout);
    const caps = /^CapEff:\s*(\w+)/m.exec(stdout)?.[1];
    return ids?.[2] === '1000' && caps === '0000000000000000'
      ? []
      : [`effective uid ${ids?.[2]}, capabilities ${caps}: ${stderr}`];
  },
});
