// Tests of cache keys.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogicalLine } from '../dockerfile/source.ts';
import type { CopyOperation, RunOperation } from '../graph/operations.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { contentKey, operationKey } from './key.ts';

const LINE: LogicalLine = {
  file: { name: 'D', lines: [] },
  text: '',
  startLine: 1,
  endLine: 1,
  at: () => ({ line: 1, column: 1 }),
};
const CONTEXT = { parent: 'p', platform: 'linux/amd64', inputs: [] };

const RUN: RunOperation = {
  kind: 'run',
  line: LINE,
  title: 't',
  args: ['a'],
  env: ['A=1'],
  proxies: [],
  cwd: '/',
  user: '',
  mounts: [],
  network: 'default',
  insecure: false,
  script: undefined,
};

const COPY: CopyOperation = {
  kind: 'copy',
  line: LINE,
  title: 't',
  add: false,
  owner: '',
  mode: '',
  origin: { kind: 'context' },
  sources: [{ kind: 'files', pattern: 'a', offset: 0 }],
  destination: '/b',
  exclude: [],
  parents: false,
  link: false,
  checksum: '',
  keepGitDirectory: false,
  unpack: undefined,
};

const ENTRY: TreeEntry = {
  path: 'a',
  type: 'file',
  mode: 0o644,
  uid: 1,
  gid: 1,
  size: 1,
  modified: { seconds: 1, nanoseconds: 1 },
  changed: { seconds: 1, nanoseconds: 1 },
  ino: 1,
  links: 1,
  major: 0,
  minor: 0,
  target: '',
  xattrs: [],
};

test('each part of an operation changes its key; titles, places and proxies do not', () => {
  const key = operationKey(RUN, CONTEXT);
  const others: Partial<RunOperation>[] = [
    { args: ['b'] },
    { args: ['a', ''] },
    { env: ['A=2'] },
    { env: ['A=1', 'B='] },
    { cwd: '/x' },
    { user: '1' },
    { network: 'none' },
    { script: { name: 'a', content: 'b' } },
  ];
  const keys = others.map((other) => operationKey({ ...RUN, ...other }, CONTEXT));
  assert.equal(new Set([key, ...keys]).size, others.length + 1);
  assert.equal(operationKey({ ...RUN, title: 'u', proxies: ['HTTP_PROXY=x'] }, CONTEXT), key);
  for (const other of [{ parent: 'q' }, { platform: 'linux/arm64' }, { inputs: ['x'] }])
    assert.notEqual(operationKey(RUN, { ...CONTEXT, ...other }), key);
  const copies: Partial<CopyOperation>[] = [
    {},
    { destination: '/c' },
    { owner: '1' },
    { mode: '755' },
    { add: true },
    { parents: true },
    { exclude: ['x'] },
    { sources: [{ kind: 'files', pattern: 'b', offset: 0 }] },
    { sources: [{ kind: 'inline', name: 'a', content: '' }] },
  ];
  assert.equal(
    new Set(copies.map((other) => operationKey({ ...COPY, ...other }, CONTEXT))).size,
    copies.length,
  );
});

test('content: everything but times, numbers of inodes and, from the context, owners', () => {
  const digests = new Map([['a', 'x']]);
  const key = contentKey([ENTRY], digests, 'none');
  const same: Partial<TreeEntry>[] = [
    { modified: { seconds: 2, nanoseconds: 0 } },
    { ino: 9 },
    { links: 2 },
    { uid: 5 },
  ];
  for (const other of same) assert.equal(contentKey([{ ...ENTRY, ...other }], digests, 'none'), key);
  const different: Partial<TreeEntry>[] = [{ mode: 0o755 }, { type: 'fifo' }, { xattrs: [['user.a', 'b']] }];
  for (const other of different) assert.notEqual(contentKey([{ ...ENTRY, ...other }], digests, 'none'), key);
  assert.notEqual(contentKey([{ ...ENTRY, uid: 5 }], digests, 'kept'), contentKey([ENTRY], digests, 'kept'));
  assert.notEqual(contentKey([ENTRY], new Map([['a', 'y']]), 'none'), key);
  // Where one entry ends and the next begins is not open to interpretation.
  const two = [
    { ...ENTRY, path: 'a' },
    { ...ENTRY, path: 'b' },
  ];
  assert.notEqual(contentKey(two, digests, 'none'), contentKey([{ ...ENTRY, path: 'ab' }], digests, 'none'));
});
