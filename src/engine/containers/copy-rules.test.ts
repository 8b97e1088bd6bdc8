// docker's rules for `cp`, case by case.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CaissonError } from '../../spec/error.ts';
import { baseName, type CopyDestination, parseSide, pathArgument, placementOf } from './copy-rules.ts';

test('a side is a container, a path of the host, or an archive', () => {
  assert.deepEqual(parseSide('-'), { kind: 'stream' });
  assert.deepEqual(parseSide('web:/etc/hosts'), { kind: 'container', container: 'web', path: '/etc/hosts' });
  assert.deepEqual(parseSide('web:etc:x'), { kind: 'container', container: 'web', path: 'etc:x' });
  for (const path of ['/a:b', './a:b', '../a:b', 'plain'])
    assert.deepEqual(parseSide(path), { kind: 'host', path });
});

test('the end of a path says what is meant', () => {
  const cases = [
    ['/etc', '/etc', false, false],
    ['/etc/', '/etc', true, false],
    ['/etc/.', '/etc', true, true],
    ['.', '/base', true, true],
    ['a/../b//c', '/base/b/c', false, false],
    ['../../..', '/', false, false],
    ['', '/base', false, false],
  ] as const;
  for (const [text, path, wantsDirectory, contents] of cases)
    assert.deepEqual(pathArgument(text, '/base'), { text, path, wantsDirectory, contents }, text);
  assert.equal(baseName('/'), '/');
  assert.equal(baseName('/a/b'), 'b');
});

const absent: CopyDestination = {
  exists: false,
  isDirectory: false,
  wantsDirectory: false,
  path: '/d/x',
  parent: '/d',
  name: 'x',
};
const file = { isDirectory: false, contents: false, name: 'f' };
const directory = { isDirectory: true, contents: false, name: 's' };
const contents = { ...directory, contents: true };
const isFile: CopyDestination = { ...absent, exists: true };
const isDirectory: CopyDestination = { ...isFile, isDirectory: true };

test('where a copy goes, as the page of docker cp says', () => {
  assert.deepEqual(placementOf(file, absent), { directory: '/d', name: 'x' });
  assert.deepEqual(placementOf(file, isFile), { directory: '/d', name: 'x' });
  assert.deepEqual(placementOf(file, isDirectory), { directory: '/d/x', name: 'f' });
  assert.deepEqual(placementOf(directory, absent), { directory: '/d', name: 'x' });
  assert.deepEqual(placementOf(contents, absent), { directory: '/d', name: 'x' });
  assert.deepEqual(placementOf(directory, isDirectory), { directory: '/d/x', name: 's' });
  assert.deepEqual(placementOf(contents, isDirectory), { directory: '/d/x', name: '.' });
  assert.deepEqual(placementOf(directory, { ...absent, wantsDirectory: true }), {
    directory: '/d',
    name: 'x',
  });
});

test('what makes no sense is refused in docker’s words', () => {
  const cases = [
    [directory, isFile, 'cannot copy directory'],
    [file, { ...isFile, wantsDirectory: true }, 'not a directory'],
    [file, { ...absent, wantsDirectory: true }, 'no such directory'],
  ] as const;
  for (const [source, destination, message] of cases)
    assert.throws(
      () => placementOf(source, destination),
      (error) => error instanceof CaissonError && error.message === message && error.exitCode === 1,
    );
});
