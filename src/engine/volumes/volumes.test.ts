// Volumes without a kernel: records, options of the local driver, filters, owners and labels.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CaissonError } from '../../spec/error.ts';
import { backingOf } from './driver-options.ts';
import { filterVolumes } from './filter.ts';
import { ownerHere, sharedLabel } from './host-actions.ts';
import { inspection, parseVolume, type Volume, volumeJson } from './volume.ts';

const DATA: Volume = {
  name: 'data',
  options: { type: 'tmpfs', o: 'size=1m' },
  labels: { a: '1', b: '' },
  anonymous: false,
  createdAt: '2026-01-02T03:04:05Z',
};

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof CaissonError) return error.message;
    throw error;
  }
  return 'no error';
}

test('a record is read as it was written, and as docker shows it', () => {
  assert.deepEqual(parseVolume(volumeJson(DATA), 'data'), DATA);
  const hidden = { ...DATA, name: 'f'.repeat(64), anonymous: true, labels: {}, options: {} };
  const read = parseVolume(volumeJson(hidden), hidden.name);
  assert.equal(read.anonymous, true);
  assert.deepEqual(inspection({ ...read, mountpoint: '/m' }), {
    CreatedAt: DATA.createdAt,
    Driver: 'local',
    Labels: { 'com.docker.volume.anonymous': '' },
    Mountpoint: '/m',
    Name: hidden.name,
    Options: null,
    Scope: 'local',
  });
});

test('a damaged record is no volume', () => {
  const whole = volumeJson(DATA);
  for (const text of [
    '',
    '{',
    'null',
    '[]',
    whole.slice(0, -3),
    whole.replace('"1"', '1'),
    whole.replace('data', 'other'),
  ])
    assert.match(
      messageOf(() => parseVolume(text, 'data')),
      /the record of volume data .* is damaged/,
      text,
    );
});

test('options of the local driver', () => {
  assert.deepEqual(backingOf({}), { kind: 'directory' });
  assert.deepEqual(backingOf({ type: 'none', o: 'bind', device: '/x' }), {
    kind: 'bind',
    device: '/x',
    options: ['bind'],
  });
  assert.deepEqual(backingOf({ o: 'rbind,ro,noexec', device: '/x' }), {
    kind: 'bind',
    device: '/x',
    options: ['ro', 'noexec'],
  });
  const memory = backingOf({ type: 'tmpfs', device: 'tmpfs', o: 'size=100M,uid=5' });
  assert.deepEqual(memory, { kind: 'tmpfs', options: ['nosuid', 'nodev', 'size=100m', 'uid=5'] });
});

test('filters: labels together, names as alternatives', () => {
  const other: Volume = { ...DATA, name: 'other', labels: { a: '2' } };
  const users = new Map([['other', ['c1']]]);
  const names = (...filters: string[]) =>
    filterVolumes([DATA, other], filters, users, ['dangling', 'driver', 'label', 'label!', 'name']).map(
      ({ name }) => name,
    );
  assert.deepEqual(names('label=a', 'label=b'), ['data']);
  assert.deepEqual(names('label=a=1', 'label=a=2'), []);
  assert.deepEqual(names('label!=b'), ['other']);
  assert.deepEqual(names('name=at', 'name=the'), ['data', 'other']);
  assert.deepEqual(names('dangling=0'), ['other']);
  assert.deepEqual(names('driver=local', 'dangling=true'), ['data']);
  assert.equal(
    messageOf(() => names('until=1h')),
    "invalid filter 'until'",
  );
  assert.equal(
    messageOf(() => names('dangling=x')),
    "invalid filter 'dangling=[x]'",
  );
});

test('the owner of a file, as the launcher that gives it away calls it', () => {
  const action = { path: '/x', source: '--volume /x:/y:U' };
  const mappings = [
    { containerID: 0, hostID: 1000, size: 1 },
    { containerID: 1, hostID: 100000, size: 65536 },
  ];
  const lines = [[0, 1000, 1] as const, [1, 100000, 65536] as const];
  const owner = (uid: number, id: number, maps = mappings) =>
    ownerHere({ uid }, { id, own: uid, mappings: maps, lines: uid === 0 ? undefined : lines }, action);
  assert.equal(owner(1000, 0), 0);
  assert.equal(owner(1000, 33), 33);
  assert.equal(owner(0, 33), 100032);
  assert.equal(owner(0, 33, []), 33);
  // keep-id: the user is the user.
  assert.equal(owner(1000, 1000, [{ containerID: 1000, hostID: 1000, size: 1 }]), 0);
  assert.match(
    messageOf(() => owner(1000, 70000)),
    /cannot be given to id 70000 of the container/,
  );
  assert.match(
    messageOf(() => owner(0, 70000)),
    /cannot be given to id 70000 of the container/,
  );
});

test('a shared label has no categories', () => {
  assert.equal(
    sharedLabel('system_u:object_r:container_file_t:s0:c1,c2'),
    'system_u:object_r:container_file_t:s0',
  );
  assert.equal(sharedLabel('system_u:object_r:container_file_t:s0'), 'system_u:object_r:container_file_t:s0');
});
