// What exec joins, on made-up hosts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cgroup } from '../cgroups/path.ts';
import type { FileStat, Port } from '../host/port.ts';
import { exampleSpec } from '../spec/defaults.ts';
import { execCgroups, foreignStdio, otherNamespaces } from './exec-target.ts';

interface Host {
  readonly files?: Readonly<Record<string, string>>;
  readonly stats?: Readonly<Record<string, Partial<FileStat>>>;
}

/** Only what is asked of it here. */
function host({ files = {}, stats = {} }: Host): Port {
  return { readFile: (path: string) => files[path], stat: (path: string) => stats[path] } as unknown as Port;
}

const UNIFIED: Cgroup = {
  version: 2,
  controllers: ['memory'],
  base: '/sys/fs/cgroup',
  parents: [],
  directory: '/sys/fs/cgroup/box',
};

/** The directory that is opened for the clone. */
function opened(files: Readonly<Record<string, string>>, given: readonly string[] = []): string {
  const plan = execCgroups(host({ files }), [UNIFIED], 7, { given, frozen: true });
  const [call] = plan?.create[0]?.calls ?? [];
  return JSON.stringify(call?.args[1]);
}

const FILES = {
  '/proc/self/mountinfo': '30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n',
  '/proc/self/cgroup': '0::/\n',
  '/proc/7/cgroup': '0::/box/inner\n',
};

test('the cgroup of the record, unless its first process had to leave it', () => {
  assert.match(opened({ ...FILES, '/sys/fs/cgroup/box/cgroup.subtree_control': '\n' }), /cgroup\/box"/);
  assert.match(opened({ ...FILES, '/sys/fs/cgroup/box/cgroup.subtree_control': 'memory\n' }), /box\/inner"/);
  assert.match(opened(FILES), /box\/inner"/, 'it is gone');
  assert.match(opened(FILES, ['/']), /cgroup\/box"/, 'what is asked for is not replaced');
  assert.match(opened(FILES, ['a']), /cgroup\/box\/a"/);
  assert.equal(execCgroups(host({}), [], 7, { frozen: false }), undefined);
});

test('namespaces that are not the own ones; the configuration says what cannot be seen', () => {
  const file = (ino: number) => ({ dev: 4, ino });
  const stats: Record<string, Partial<FileStat>> = {};
  for (const [index, name] of ['mnt', 'uts', 'ipc', 'pid', 'net', 'user', 'cgroup', 'time'].entries()) {
    stats[`/proc/self/ns/${name}`] = file(index);
    stats[`/proc/7/ns/${name}`] = file(['pid', 'mnt'].includes(name) ? index + 100 : index);
  }
  const sorted = (own: Host) => otherNamespaces(host(own), exampleSpec(), 7).sort();
  assert.deepEqual(sorted({ stats }), ['mount', 'pid']);
  assert.deepEqual(sorted({}), ['ipc', 'mount', 'network', 'pid', 'uts']);
});

test('pipes and sockets of others become the own ones; files, terminals and what is the own already do not', () => {
  const stats = {
    '/proc/self/fd/0': { type: 'fifo', uid: 0 },
    '/proc/self/fd/1': { type: 'file', uid: 0 },
    '/proc/self/fd/2': { type: 'socket', uid: 5 },
  } as const;
  const process = { user: { uid: 5, gid: 5 }, cwd: '/' };
  assert.deepEqual(foreignStdio(host({ stats }), process), [0]);
  assert.deepEqual(foreignStdio(host({ stats }), { ...process, user: { uid: 0, gid: 0 } }), [2]);
  assert.deepEqual(foreignStdio(host({ stats }), { ...process, terminal: true }), []);
});
