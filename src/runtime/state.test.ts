// The state directory and the ids in it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FileStat, Port } from '../host/port.ts';
import { type ContainerRecord, checkId, checkStateRoot, claim, STATE_VERSION } from './state.ts';

const process = { pid: 1, startTime: 1 };
const record: ContainerRecord = {
  version: STATE_VERSION,
  id: 'web',
  bootId: 'b',
  keeper: process,
  launcher: process,
  cgroups: [],
};

/** A host where somebody else makes the state directory before this command does. */
function raced(): { port: Port; written: string[] } {
  const written: string[] = [];
  let made = false;
  const foreign: Partial<FileStat> = { type: 'directory', uid: 1001, mode: 0o755 };
  const port: Partial<Port> = {
    uid: 1000,
    readLink: () => undefined,
    stat: () => (made ? (foreign as FileStat) : undefined),
    makeDirectory: () => {
      made = true;
      return true;
    },
    replaceFile: (path) => void written.push(path),
  };
  return { port: port as Port, written };
}

test('a state directory that another user has made meanwhile gets no record', () => {
  const { port, written } = raced();
  assert.throws(() => claim(port, '/tmp/caisson-1000', record), /not a directory that only you can write to/);
  assert.deepEqual(written, []);
});

test('a state directory in /tmp is no link, whoever owns what it leads to', () => {
  const own: Partial<FileStat> = { type: 'directory', uid: 1000, mode: 0o700 };
  for (const found of [own as FileStat, undefined]) {
    const port: Partial<Port> = { uid: 1000, stat: () => found, readLink: () => '/home/alice/x' };
    assert.throws(() => checkStateRoot(port as Port, '/tmp/caisson-1000'), /only you can write to/);
    checkStateRoot(port as Port, '/run/user/1000/caisson');
  }
});

test('an id leaves room for the name of a record that has not taken it yet', () => {
  checkId('a'.repeat(240));
  checkId('a.b');
  for (const id of ['', '.', '..', '.x', 'a/b', 'a b', 'a'.repeat(241)])
    assert.throws(() => checkId(id), /is not a container id/, id);
});
