// Where records are kept when nobody says it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FileStat, Port } from '../host/port.ts';
import { defaultStateRoot } from './state.ts';

/** Who asks, where /run/user/1000 is the caller's own. */
function caller(uid: number, map: string, environment: readonly string[]): Port {
  const own: Partial<FileStat> = { type: 'directory', uid, mode: 0o700 };
  const port: Partial<Port> = {
    uid,
    environment,
    stat: (path) => (path === '/run/user/1000' ? (own as FileStat) : undefined),
    readFile: (path) => (path === '/proc/self/uid_map' ? map : undefined),
  };
  return port as Port;
}

test('the default state directory is one in which the caller can make it', () => {
  const all = '         0          0 4294967295\n';
  const some = '         0       1000          1\n         1     300000      65536\n';
  const given = ['XDG_RUNTIME_DIR=/run/user/1000', 'USER=dweller'];
  assert.equal(defaultStateRoot(caller(0, all, given)), '/run/caisson');
  assert.equal(defaultStateRoot(caller(1000, all, given)), '/run/user/1000/caisson');
  assert.equal(defaultStateRoot(caller(0, some, given)), '/run/user/1000/caisson');
  assert.equal(
    defaultStateRoot(caller(0, some, ['XDG_RUNTIME_DIR=/run/user/1000'])),
    '/run/user/1000/caisson',
  );
  assert.equal(defaultStateRoot(caller(0, some, [given[0] ?? '', 'USER=root'])), '/run/caisson');
  assert.equal(defaultStateRoot(caller(1000, all, [])), '/tmp/caisson-1000');
});
