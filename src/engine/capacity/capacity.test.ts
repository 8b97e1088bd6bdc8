// The arithmetic of admission.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capacityOf, cores, doesNotFit, type Holder, lacking } from './capacity.ts';

const M = 1024 * 1024;
const ONE_CORE = { cpus: 1, cpuUnits: 1024, memory: 1024 * M };
const holder = (cpuUnits: number, memory = 0, name?: string): Holder => ({
  id: `${cpuUnits}`.padStart(64, '0'),
  name,
  cpuUnits,
  memory,
});
const reasons = (holders: readonly Holder[], cpuUnits: number, memory = 0, total = ONE_CORE) =>
  lacking(capacityOf(total, holders), { cpuUnits, memory }).map(({ reason }) => reason);

test("the seed's rule: two of 512 on one core, no third", () => {
  assert.deepEqual(reasons([], 512), []);
  assert.deepEqual(reasons([holder(512)], 512), []);
  assert.deepEqual(reasons([holder(512), holder(512)], 512), ['needs 512 of 1024 units, 0 free on 1 core']);
  assert.deepEqual(reasons([holder(768)], 512), ['needs 512 of 1024 units, 256 free on 1 core']);
  assert.deepEqual(reasons([holder(768)], 256), [], 'the last ones');
  assert.deepEqual(reasons([], 1025), ['needs 1025 of 1024 units, 1024 free on 1 core']);
});

test('memory, and both', () => {
  assert.deepEqual(reasons([holder(0, 512 * M)], 0, 512 * M), []);
  assert.deepEqual(reasons([holder(0, 512 * M)], 0, 513 * M), [
    'needs 513 MiB of 1 GiB of memory, 512 MiB free',
  ]);
  assert.equal(reasons([holder(1024, 1024 * M)], 2, 1).length, 2);
  assert.deepEqual(reasons([holder(1024)], 0, 1024 * M), [], 'who wants no units needs none');
  assert.deepEqual(reasons([holder(0, 1024 * M)], 1024), []);
});

test('a host that has become smaller', () => {
  const { units } = capacityOf(ONE_CORE, [holder(1500)]);
  assert.deepEqual(units, { total: 1024, reserved: 1500, free: -476 });
  assert.deepEqual(reasons([holder(1500)], 2), ['needs 2 of 1024 units, 0 free on 1 core']);
});

test('parts of cores', () => {
  assert.deepEqual(
    [cores(1), cores(2), cores(0.5), cores(1.333333)],
    ['1 core', '2 cores', '0.5 cores', '1.33 cores'],
  );
  const half = { ...ONE_CORE, cpus: 0.5, cpuUnits: 512 };
  assert.deepEqual(reasons([], 513, 0, half), ['needs 513 of 512 units, 512 free on 0.5 cores']);
});

test('the error names the flag that asks, and who holds what is wanted', () => {
  const many = Array.from({ length: 10 }, (_, index) => holder(100, 0, `box-${index}`));
  const capacity = capacityOf(ONE_CORE, [holder(0, M, 'memory-alone'), ...many]);
  const lacks = lacking(capacity, { cpuUnits: 512, memory: M });
  const sources = { cpuUnits: '--cpu-units 512', memory: '--memory 1m' };
  const error = doesNotFit(capacity, lacks, sources);
  assert.equal(error.message, 'the container does not fit: it needs 512 of 1024 units, 24 free on 1 core');
  assert.deepEqual([error.code, error.exitCode, error.sources], ['ECAPACITY', 125, ['--cpu-units 512']]);
  assert.equal(error.details[0], 'box-0 holds 100 units');
  assert.equal(error.details[8], 'and 2 more');
  const named = doesNotFit(capacityOf(ONE_CORE, [holder(1024, M)]), lacks, sources);
  assert.equal(named.details[0], '000000000000 holds 1024 units and 1 MiB of memory');
});
