// Tests of what is noted of an update, and of what it has to write.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LinuxResources } from '../spec/runtime-spec.ts';
import { changesOf, mergeResources } from './resources.ts';

test('fields take the place of fields, what is not given stays', () => {
  const now: LinuxResources = {
    devices: [{ allow: false }],
    memory: { limit: 100, reservation: 50, checkBeforeUpdate: true },
    cpu: { shares: 5, cpus: '0' },
    pids: { limit: 7 },
    unified: { 'a.b': '1' },
  };
  const changes = { memory: { limit: 200 }, cpu: { quota: 9 }, pids: {}, unified: { 'c.d': '2' } };
  assert.deepEqual(mergeResources(now, changes), {
    devices: [{ allow: false }],
    memory: { limit: 200, reservation: 50 },
    cpu: { shares: 5, cpus: '0', quota: 9 },
    pids: { limit: 7 },
    unified: { 'a.b': '1', 'c.d': '2' },
  });
  assert.deepEqual(mergeResources({}, {}), {});
});

test('one entry for a device and for a page size', () => {
  const device = { major: 8, minor: 0 };
  const now: LinuxResources = {
    blockIO: {
      weightDevice: [{ ...device, weight: 10, leafWeight: 20 }],
      throttleReadBpsDevice: [
        { ...device, rate: 1 },
        { ...device, rate: 1 },
      ],
    },
    hugepageLimits: [{ pageSize: '2MB', limit: 1 }],
  };
  const changes: LinuxResources = {
    blockIO: {
      weightDevice: [{ ...device, weight: 30 }],
      throttleReadBpsDevice: [
        { ...device, rate: 2 },
        { major: 9, minor: 0, rate: 3 },
      ],
    },
    hugepageLimits: [
      { pageSize: '1GB', limit: 2 },
      { pageSize: '2MB', limit: 3 },
    ],
  };
  assert.deepEqual(mergeResources(now, changes), {
    blockIO: {
      weightDevice: [{ ...device, weight: 30, leafWeight: 20 }],
      throttleReadBpsDevice: [
        { ...device, rate: 2 },
        { major: 9, minor: 0, rate: 3 },
      ],
    },
    hugepageLimits: [
      { pageSize: '1GB', limit: 2 },
      { pageSize: '2MB', limit: 3 },
    ],
  });
});

test('memory and memory plus swap are written together', () => {
  const written = (now: LinuxResources, changes: LinuxResources) =>
    changesOf(changes, mergeResources(now, changes)).memory;
  const both = { memory: { limit: 30, swap: 50, reservation: 3 } };
  assert.deepEqual(written(both, { memory: { limit: 40 } }), { limit: 40, swap: 50 });
  assert.deepEqual(written(both, { memory: { swap: 60 } }), { limit: 30, swap: 60 });
  assert.deepEqual(written(both, { memory: { reservation: 4 } }), { reservation: 4 });
  assert.deepEqual(written(both, { memory: { limit: -1 } }), { limit: -1 });
  assert.deepEqual(written(both, { memory: { limit: -1, swap: 70 } }), { limit: -1, swap: 70 });
  assert.deepEqual(written({}, { memory: { swap: -1 } }), { swap: -1 });
});
