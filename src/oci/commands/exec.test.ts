// A process from the container's own and the flags of exec.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Process, Spec } from '../../spec/runtime-spec.ts';
import { parseCommandLine } from '../grammar.ts';
import { changedProcess, command } from './exec.ts';

const OWN: Process = {
  terminal: true,
  user: { uid: 5, gid: 6, additionalGids: [7], umask: 0o77 },
  args: ['init'],
  env: ['A=1'],
  cwd: '/srv',
  capabilities: { bounding: ['CAP_KILL'], effective: [], permitted: [] },
  noNewPrivileges: true,
  apparmorProfile: 'own',
  rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1, hard: 2 }],
};

function changed(line: string, own: Process | undefined = OWN): Process {
  const spec: Spec = { ociVersion: '1.2.0', ...(own === undefined ? {} : { process: own }) };
  return changedProcess(spec, parseCommandLine(command, line.split(' ')));
}

test('without flags only command line and terminal are new', () => {
  assert.deepEqual(changed('id ls -l --all'), { ...OWN, args: ['ls', '-l', '--all'], terminal: false });
});

test('every flag', () => {
  const process = changed(
    '-t --cwd /tmp -e B=2 --env C=3 -u 1:2 -g 8 --additional-gids 9 --cap kill -c CAP_CHOWN ' +
      '--no-new-privs=false --apparmor other --process-label s0 id sh',
  );
  assert.deepEqual(process, {
    ...OWN,
    args: ['sh'],
    terminal: true,
    cwd: '/tmp',
    env: ['A=1', 'B=2', 'C=3'],
    user: { uid: 1, gid: 2, additionalGids: [7, 8, 9], umask: 0o77 },
    capabilities: {
      bounding: ['CAP_KILL', 'CAP_CHOWN'],
      effective: ['CAP_KILL', 'CAP_CHOWN'],
      permitted: ['CAP_KILL', 'CAP_CHOWN'],
    },
    noNewPrivileges: false,
    apparmorProfile: 'other',
    selinuxLabel: 's0',
  });
});

test('a user without a group keeps the group; inheritable capabilities bring ambient ones', () => {
  assert.deepEqual(changed('-u 1000 id sh').user, { ...OWN.user, uid: 1000 });
  const own = { ...OWN, capabilities: { inheritable: ['CAP_KILL'] } };
  assert.deepEqual(changed('-c CAP_CHOWN id sh', own).capabilities?.ambient, ['CAP_CHOWN']);
});

test('a configuration without a process', () => {
  const process = changedProcess({ ociVersion: '1.2.0' }, parseCommandLine(command, ['id', 'sh']));
  assert.deepEqual([process.args, process.cwd, process.user], [['sh'], '/', { uid: 0, gid: 0 }]);
});

test('what is refused', () => {
  assert.throws(() => changed('id'), /^CaissonError: exec args cannot be empty$/);
  for (const line of ['-u x id sh', '-u 1:y id sh', '-u -1 id sh', '-u 4294967295 id sh', '-g -1 id sh'])
    assert.throws(() => changed(line), /^CaissonError: bad (uid|gid|additional-gids): parsing /, line);
});
