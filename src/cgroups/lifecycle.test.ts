// Tests of what happens to the cgroups of a running and of an ended container.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bytes } from '../linux/bytes.ts';
import { ERRNO } from '../linux/errno.ts';
import type { OutBuffer, Slot } from '../plan/call.ts';
import { type RemovalOptions, removeCgroups } from './destroy.ts';
import { parseDirectoryEntries } from './directory-entries.ts';
import { freezerState, freezerStateFile, freezeStep, thawStep } from './freezer.ts';
import { hybridHost, mountedTogether, printed, unifiedHost } from './hosts.testing.ts';
import { killStep, parseProcesses, processFiles, signalStep } from './kill.ts';
import { moveSteps } from './move.ts';
import { oomFiles, oomReport, oomStep } from './oom.ts';
import { type Cgroup, cgroupPath, cgroupsAt } from './path.ts';

const AT = cgroupPath('/c', '');
const V1 = cgroupsAt(mountedTogether(), AT);
const V2 = cgroupsAt(unifiedHost(), AT);
const BOTH = cgroupsAt(hybridHost(), AT);

test('freezing: v2 where there is one, else the freezer', () => {
  assert.deepEqual(printed([freezeStep(V1)]), [
    'openat(AT_FDCWD, "/sys/fs/cgroup/freezer/c/freezer.state", O_WRONLY|O_CLOEXEC) = </sys/fs/cgroup/freezer/c/freezer.state>',
    'write(</sys/fs/cgroup/freezer/c/freezer.state>, "FROZEN", 6)',
    'close(</sys/fs/cgroup/freezer/c/freezer.state>)',
  ]);
  assert.match(printed([thawStep(V1)])[1] ?? '', /"THAWED"/);
  assert.match(printed([freezeStep(BOTH)])[0] ?? '', /unified\/c\/cgroup\.freeze/);
  assert.match(printed([thawStep(V2)])[1] ?? '', /"0", 1/);
  assert.equal(freezerStateFile(V1), '/sys/fs/cgroup/freezer/c/freezer.state');
  assert.equal(freezerStateFile(V2), '/sys/fs/cgroup/c/cgroup.events');
  assert.throws(() => freezeStep([]), /neither/);
});

test('the state of a freezer', () => {
  assert.equal(freezerState('FROZEN\n'), 'frozen');
  assert.equal(freezerState('FREEZING\n'), 'freezing');
  assert.equal(freezerState('THAWED\n'), 'thawed');
  assert.equal(freezerState('populated 1\nfrozen 1\n'), 'frozen');
  assert.equal(freezerState('populated 1\nfrozen 0\n'), 'thawed');
});

test('killing: one write on v2, thawing what v1 has frozen', () => {
  const step = killStep(BOTH);
  assert.match(printed(step === undefined ? [] : [step])[0] ?? '', /unified\/c\/cgroup\.kill", O_WRONLY/);
  const frozen = killStep([...V2, ...V1]);
  assert.equal(frozen?.calls.length, 6);
  assert.equal(killStep(V1), undefined);
});

test('killing on v1: through descriptors of the processes', () => {
  assert.deepEqual(parseProcesses('12\n0\n7\n'), [12, 7]);
  assert.equal(processFiles(BOTH)[0], '/sys/fs/cgroup/unified/c/cgroup.procs');
  assert.deepEqual(printed([signalStep([12])]), [
    'pidfd_open(12, 0) = <process 12> /* or ESRCH, EINVAL */',
    'pidfd_send_signal(<process 12>, SIGKILL, NULL, 0) /* or EBADF, ESRCH */',
    'close(<process 12>) /* or EBADF, ESRCH */',
  ]);
});

test('moving a process', () => {
  assert.deepEqual(printed(moveSteps(7, V2)), [
    'openat(AT_FDCWD, "/sys/fs/cgroup/c/cgroup.procs", O_WRONLY|O_CLOEXEC) = <cgroup.procs of unified>',
    'write(<cgroup.procs of unified>, "7", 1)',
    'close(<cgroup.procs of unified>)',
  ]);
});

test('out of memory', () => {
  const contents =
    (...texts: string[]) =>
    (files: readonly Bytes[]) =>
      new Map(files.map((file, at) => [file, texts[at]]));
  const v1 = contents(
    'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n',
    '67108864\n',
    '17\n',
    '3\n',
  )(oomFiles(BOTH));
  assert.deepEqual(oomReport(BOTH, v1), { kills: 2, limitHits: 20, limit: 67108864 });
  const v2 = contents('low 0\nmax 9\noom 1\noom_kill 1\n', 'max\n', 'max 8\n')(oomFiles(V2));
  assert.deepEqual(oomReport(V2, v2), { kills: 1, limitHits: 8, limit: undefined });
  assert.equal(oomReport(V2, new Map()), undefined);
  assert.equal(oomReport(V1, new Map()), undefined);
});

test('out of memory, read in a batch', () => {
  const { steps, report } = oomStep(V2);
  assert.equal(steps[0]?.calls.length, 9);
  const texts: Record<string, string> = {
    'memory.events': 'oom_kill 1\n',
    'memory.events.local': '',
    'memory.max': '5\n',
  };
  const textOf = (name: string) => texts[name.slice(name.lastIndexOf('/') + 1)] ?? '';
  const found = report({
    value: (slot) => textOf(slot.name).length,
    bytes: (buffer, length) => textOf(buffer.name).slice(0, length),
  });
  assert.deepEqual(found, { kills: 1, limitHits: 0, limit: 5 });
  assert.equal(report({ value: () => -ERRNO.EBADF, bytes: () => '' }), undefined);
  assert.deepEqual(oomStep([]).steps, []);
});

function entry(name: string, type: number): Bytes {
  const length = (19 + name.length + 1 + 7) & ~7;
  return `${'\0'.repeat(16)}${String.fromCharCode(length & 255, length >> 8, type)}${name}`.padEnd(
    length,
    '\0',
  );
}

test('directory entries', () => {
  const bytes = entry('.', 4) + entry('..', 4) + entry('a', 4) + entry('cgroup.procs', 8);
  assert.deepEqual(parseDirectoryEntries(bytes), [
    { name: 'a', type: 4 },
    { name: 'cgroup.procs', type: 8 },
  ]);
  assert.deepEqual(parseDirectoryEntries('\0'.repeat(40)), []);
  assert.deepEqual(parseDirectoryEntries(bytes.slice(0, -1)), [{ name: 'a', type: 4 }]);
  assert.deepEqual(parseDirectoryEntries(''), []);
});

/** A tree of cgroups that answers the removal: what has children or is in `busy` cannot be removed. */
function playRemoval(
  tree: Set<Bytes>,
  busy: Map<Bytes, number>,
  cgroups: readonly Cgroup[],
  options: RemovalOptions = {},
): { left: readonly Bytes[]; rounds: number; waited: number } {
  const results = new Map<Slot, number>();
  const lists = new Map<OutBuffer, Bytes>();
  const childrenOf = (directory: Bytes) =>
    [...tree].filter(
      (path) => path.startsWith(`${directory}/`) && !path.slice(directory.length + 1).includes('/'),
    );
  const remove = (directory: Bytes): number => {
    if (!tree.has(directory)) return -ERRNO.ENOENT;
    const still = busy.get(directory) ?? 0;
    if (still > 0) busy.set(directory, still - 1);
    if (still > 0 || childrenOf(directory).length > 0) return -ERRNO.EBUSY;
    tree.delete(directory);
    return 0;
  };
  const removal = removeCgroups(cgroups, options);
  let rounds = 0;
  let waited = 0;
  let round = removal.next();
  while (!round.done) {
    rounds++;
    waited += round.value.wait;
    for (const call of round.value.steps.flatMap(({ calls }) => calls)) {
      const path =
        call.args[1]?.kind === 'memory' && call.args[1].memory.kind === 'string'
          ? call.args[1].memory.bytes
          : '';
      if (call.name === 'unlinkat' && call.result !== undefined) results.set(call.result, remove(path));
      if (call.name !== 'getdents64' || call.result === undefined) continue;
      const memory = call.args[1]?.kind === 'memory' ? call.args[1].memory : undefined;
      if (memory?.kind !== 'out') continue;
      const directory = memory.buffer.name;
      const bytes =
        childrenOf(directory)
          .map((child) => entry(child.slice(directory.length + 1), 4))
          .join('') + entry('tasks', 8);
      lists.set(memory.buffer, bytes);
      results.set(call.result, bytes.length);
    }
    round = removal.next({
      value: (slot) => results.get(slot) ?? -ERRNO.EBADF,
      bytes: (buffer, length) => (lists.get(buffer) ?? '').slice(0, length),
    });
  }
  return { left: round.value, rounds, waited };
}

test('removal: one round when nothing is in the way, absent directories are no error', () => {
  const tree = new Set(['/sys/fs/cgroup/c']);
  assert.deepEqual(playRemoval(tree, new Map(), V2), { left: [], rounds: 1, waited: 0 });
  assert.equal(tree.size, 0);
  assert.deepEqual(playRemoval(tree, new Map(), V2).left, []);
});

test('removal: cgroups inside of it go first, deepest first', () => {
  const tree = new Set([
    '/sys/fs/cgroup/c',
    '/sys/fs/cgroup/c/a',
    '/sys/fs/cgroup/c/a/b',
    '/sys/fs/cgroup/c/z',
  ]);
  assert.deepEqual(playRemoval(tree, new Map(), V2).left, []);
  assert.equal(tree.size, 0);
});

test('removal: what is busy is tried again after a while, then reported', () => {
  const tree = new Set(['/sys/fs/cgroup/c']);
  const slow = playRemoval(tree, new Map([['/sys/fs/cgroup/c', 3]]), V2);
  assert.deepEqual(slow.left, []);
  assert.ok(slow.waited > 0);
  const stuck = playRemoval(new Set(['/sys/fs/cgroup/c']), new Map([['/sys/fs/cgroup/c', 99]]), V2, {
    rounds: 4,
  });
  assert.deepEqual(stuck.left, ['/sys/fs/cgroup/c']);
});

test('removal: ancestors that are asked for, unless they are needed', () => {
  const tree = new Set(['/p', '/p/c', '/p/other']);
  const cgroup: Cgroup = { version: 2, controllers: [], directory: '/p/c', parents: ['/p'], base: '' };
  assert.deepEqual(playRemoval(tree, new Map(), [cgroup], { ancestors: ['/p'] }).left, []);
  assert.deepEqual([...tree], ['/p', '/p/other']);
  tree.delete('/p/other');
  playRemoval(tree, new Map(), [cgroup], { ancestors: ['/p'] });
  assert.deepEqual([...tree], []);
});
