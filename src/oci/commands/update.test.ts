// Flags of update as linux.resources.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCommandLine } from '../grammar.ts';
import { command, resourcesOf } from './update.ts';

function resources(line: string): unknown {
  return resourcesOf(parseCommandLine(command, line.split(' ')));
}

test('each flag is a field', () => {
  const cases: readonly (readonly [string, unknown])[] = [
    ['id', {}],
    ['--memory 50M id', { memory: { limit: 50 << 20 } }],
    ['id --memory 67108864', { memory: { limit: 64 << 20 } }],
    ['--memory -1 --memory-swap -1 id', { memory: { limit: -1, swap: -1 } }],
    ['--memory-reservation 1g id', { memory: { reservation: 2 ** 30 } }],
    ['--cpu-period 1 --cpu-quota -1 --cpu-burst 0 id', { cpu: { period: 1, quota: -1, burst: 0 } }],
    ['--cpu-share 2 --cpu-idle 1 id', { cpu: { shares: 2, idle: 1 } }],
    ['--cpu-rt-period 3 --cpu-rt-runtime 4 id', { cpu: { realtimePeriod: 3, realtimeRuntime: 4 } }],
    ['--cpuset-cpus 0-1,3 --cpuset-mems 0 id', { cpu: { cpus: '0-1,3', mems: '0' } }],
    ['--pids-limit 0 id', { pids: { limit: 0 } }],
    ['--blkio-weight 100 id', { blockIO: { weight: 100 } }],
    ['--cpu-period 18446744073709551615 id', { cpu: { period: 2n ** 64n - 1n } }],
  ];
  for (const [line, expected] of cases) assert.deepEqual(resources(line), expected, line);
});

test('values that are none', () => {
  for (const line of ['--memory x id', '--memory -2 id', '--cpu-share 1.5 id', '--pids-limit many id'])
    assert.throws(() => resources(line), /^CaissonError: invalid value for /, line);
});
