// Tests of the batches that unpacking compiles to, with a player that only looks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call, Slot } from '../plan/call.ts';
import type { Step } from '../plan/step.ts';
import { type ExtractOptions, Extractor } from './extract.ts';
import { concat, END, member, pax } from './tar.testing.ts';
import { TarReader } from './tar.ts';

const ROOT = 7;

async function compile(
  archive: Uint8Array,
  more: Partial<ExtractOptions> = {},
): Promise<(readonly Step[])[]> {
  const batches: (readonly Step[])[] = [];
  let next = 100;
  const player = {
    play(steps: readonly Step[]) {
      batches.push(steps);
      return { value: (_: Slot) => next++ };
    },
  };
  const options: ExtractOptions = { cause: 'test', owners: { kind: 'keep' }, devices: true, ...more };
  const extractor = new Extractor(player, ROOT, options);
  for (const event of new TarReader().push(archive)) await extractor.take(event);
  await extractor.finish();
  return batches;
}

const callsOf = (batches: readonly (readonly Step[])[]) => batches.flat().flatMap((step) => step.calls);

function strings(call: Call): string[] {
  return call.args.flatMap((arg) =>
    arg.kind === 'memory' && arg.memory.kind === 'string' ? [arg.memory.bytes] : [],
  );
}

const TREE = concat(
  member({ name: './', type: '5', mode: 0o755 }),
  member({ name: 'a/b/c/file', mode: 0o4755, uid: 1, gid: 2 }, 'content'),
  member({ name: 'a/b/link', type: '2', linkName: '../../../../etc/passwd' }),
  member({ name: 'hard', type: '1', linkName: 'a/b/c/file' }),
  member({ name: 'null', type: '3', device: [1, 3], mode: 0o666 }),
  member({ name: 'dir', type: '5', mode: 0o555, mtime: 5 }),
  END,
);

test('only openat2 sees more than one component, and always stays in the root', async () => {
  const single = ['mkdirat', 'unlinkat', 'openat', 'mknodat', 'fchownat', 'utimensat'];
  for (const call of callsOf(await compile(TREE))) {
    if (single.includes(call.name))
      for (const name of strings(call)) assert.ok(!name.includes('/'), `${call.name} ${name}`);
    if (call.name === 'linkat') assert.ok(strings(call).every((name) => !name.includes('/')));
    if (call.name !== 'openat2') continue;
    const how = call.args[2];
    assert.ok(how?.kind === 'memory' && how.memory.kind === 'struct');
    assert.equal(how.memory.fields[2]?.value, 0x10 | 0x2);
  }
});

test('the order of attributes: owner, extended ones, mode, time', async () => {
  const archive = concat(
    pax(['SCHILY.xattr.security.capability', 'cap'], ['SCHILY.xattr.trusted.overlay.opaque', 'y']),
    TREE.subarray(512),
  );
  const file = (await compile(archive)).flat().find((step) => step.title === 'finish /a/b/c/file');
  assert.deepEqual(
    file?.calls.map((call) => call.name),
    ['fchown', 'fsetxattr', 'fchmod', 'utimensat', 'close'],
  );
});

test('directories get their attributes at the very end, deepest first', async () => {
  const archive = concat(
    ...['a', 'a/b', 'a/b/c', 'z'].map((name) => member({ name, type: '5' })),
    member({ name: 'a/f' }),
    END,
  );
  const titles = (await compile(archive)).flat().map((step) => step.title);
  assert.deepEqual(titles.slice(-5, -1), ['finish /z', 'finish /a/b/c', 'finish /a/b', 'finish /a']);
});

test('batches are bounded in calls and bytes, and a file goes on in the next one by its number', async () => {
  const small = Array.from({ length: 500 }, (_, i) => member({ name: `f${i}` }, 'x'));
  for (const batch of await compile(concat(...small, END))) {
    assert.ok(callsOf([batch]).length < 520, String(callsOf([batch]).length));
  }
  const batches = await compile(concat(member({ name: 'large' }, 'x'.repeat(2_500_000)), END));
  assert.equal(batches.length, 3);
  const numbers = batches.map((batch) => callsOf([batch]).find((call) => call.name === 'write')?.args[0]);
  assert.equal(numbers[0]?.kind, 'slot');
  assert.ok(numbers[1]?.kind === 'number' && numbers[1].value === 100);
  assert.ok(numbers[2]?.kind === 'number' && numbers[2].value === 100);
});

test('descriptors that a batch opens are closed in it', async () => {
  for (const batch of await compile(TREE)) {
    const calls = callsOf([batch]);
    const opened = calls.filter((call) => call.name === 'openat' || call.name === 'openat2').length;
    assert.equal(calls.filter((call) => call.name === 'close').length, opened);
  }
});

test('squashed owners, and devices that are left out', async () => {
  const names = callsOf(await compile(TREE, { owners: { kind: 'squash' }, devices: false })).map(
    (call) => call.name,
  );
  for (const name of ['fchown', 'fchownat', 'mknodat'])
    assert.ok(!names.includes(name as Call['name']), name);
});
