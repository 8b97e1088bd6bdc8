// A room has one runtime and nothing of the host's; when it is closed, nothing of it is left.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { peersMissing } from '../peers/harness.ts';
import { hierarchies } from './cgroups.ts';
import { Room } from './room.ts';
import { RUNTIMES } from './runtimes.ts';

const skip = peersMissing() ?? (RUNTIMES[0] === undefined && 'no runtime');

function mounts(): string {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes('caisson-dropin'))
    .join('\n');
}

test('a room: other runtimes fail, the network is its own, nothing is left', { skip }, async () => {
  const [runtime] = RUNTIMES;
  if (runtime === undefined) return;
  const room = await Room.open(runtime);
  const { directory } = room;
  try {
    for (const name of ['runc', 'crun'])
      assert.match((await room.run([name, '--version'])).stderr, /not the runtime that was asked for/);
    assert.match(await room.output([room.program, '--version']), /runc version/);
    assert.equal(await room.output(['ls', '/sys/class/net']), 'lo');
    await room.output(['sh', '-c', 'mkdir /sys/fs/cgroup/pids/below; mount -t tmpfs tmpfs /mnt']);
    room.start(['sleep', '1000'], { seconds: 0 });
  } finally {
    await room.close();
  }
  assert.equal(existsSync(directory), false);
  assert.equal(mounts(), '');
  const suffix = directory.slice(-6);
  for (const hierarchy of hierarchies())
    assert.deepEqual(
      readdirSync(hierarchy.directory).filter((name) => name.endsWith(suffix)),
      [],
    );
});

test('a command in a room: input, environment, directory, status, the end of its time', {
  skip,
}, async () => {
  const [runtime] = RUNTIMES;
  if (runtime === undefined) return;
  const room = await Room.open(runtime);
  try {
    const script = 'cat; echo "$A|$PWD"; echo err >&2; exit 9';
    const options = { input: 'typed\n', env: { A: "b 'c'" }, cwd: '/tmp' };
    const result = await room.run(['sh', '-c', script], options);
    assert.deepEqual(result, { code: 9, stdout: "typed\nb 'c'|/tmp\n", stderr: 'err\n' });
    assert.equal((await room.run(['sleep', '100'], { seconds: 1 })).code, 137);
  } finally {
    await room.close();
  }
});
