// `--cpu-units` and `--memory-reservation`: what is reserved, and the weight.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunFlags } from './run-flags.ts';
import { compile, messageOf, part, ROOT_HOST, USER_HOST } from './test-facts.ts';

const M = 1024 * 1024;
const reserved = (flags: RunFlags) => compile(flags).settings.reservation;

test('what flags reserve', () => {
  assert.equal(reserved({}), undefined);
  assert.equal(reserved({ memory: '64m' }), undefined, 'a limit alone reserves nothing');
  assert.deepEqual(reserved({ cpuUnits: '512' }), { cpuUnits: 512, memory: 0 });
  assert.deepEqual(reserved({ memoryReservation: '32m' }), { cpuUnits: 0, memory: 32 * M });
  assert.deepEqual(reserved({ cpuUnits: '512', memory: '64m' }), { cpuUnits: 512, memory: 64 * M });
  const all = { cpuUnits: '512', memory: '64m', memoryReservation: '32m' };
  assert.deepEqual(reserved(all), { cpuUnits: 512, memory: 32 * M }, "ECS's rule");
  assert.deepEqual(compile(all).settings.reservedBy, {
    cpuUnits: '--cpu-units 512',
    memory: '--memory-reservation 32m',
  });
});

test('units are the shares of the container', () => {
  assert.deepEqual(part('/linux/resources/cpu', { cpuUnits: '512' }), { shares: 512 });
  assert.deepEqual(part('/linux/resources/cpu', { cpuUnits: '300000' }), { shares: 262_144 });
  assert.equal(compile({ cpuUnits: '512' }).sources.get('/linux/resources/cpu/shares'), '--cpu-units 512');
});

test('refused', () => {
  for (const text of ['0', '1', '-5', '1.5', 'all', '8388609'])
    assert.match(
      messageOf(() => compile({ cpuUnits: text })),
      /whole number/,
      text,
    );
  assert.match(
    messageOf(() => compile({ cpuUnits: '2', cpuShares: '2' })),
    /--cpu-units 2 and --cpu-shares 2/,
  );
  assert.match(
    messageOf(() => compile({ cpuUnits: '512' }, USER_HOST)),
    /cpu-units/,
    'no controller, no weight',
  );
  const without = { ...ROOT_HOST, cgroups: { ...ROOT_HOST.cgroups, controllers: new Set(['memory']) } };
  assert.match(
    messageOf(() => compile({ cpuUnits: '512' }, without)),
    /cpu/,
  );
});
