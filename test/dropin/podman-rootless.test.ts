// podman as an ordinary user with subordinate ids.

import assert from 'node:assert/strict';
import { matrix } from './matrix.ts';
import { Podman } from './podman.ts';
import { PODMAN_CASES } from './podman-cases.ts';

matrix('podman as an ordinary user', (runtime) => Podman.open(runtime, 'dweller'), {
  'run: ids are mapped': async (podman) => {
    const map = (await podman.said([], 'cat /proc/self/uid_map'))
      .split('\n')
      .map((line) => line.trim().split(/ +/));
    assert.deepEqual(map, [
      ['0', '1000', '1'],
      ['1', '300000', '65536'],
    ]);
  },
  'run --userns keep-id': async (podman) => {
    await podman.asUser(['sh', '-c', 'mkdir -p /srv/work/kept']);
    const flags = ['--userns', 'keep-id', '-v', '/srv/work/kept:/kept'];
    assert.equal(await podman.said(flags, 'id -u; touch /kept/x; stat -c %u /kept/x'), '1000\n1000');
    assert.equal((await podman.asUser(['stat', '-c', '%u', '/srv/work/kept/x'])).stdout, '1000\n');
  },
  ...PODMAN_CASES,
});
