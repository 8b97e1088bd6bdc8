// T40: hostile layers change nothing outside their target, by whoever and in whatever form they are applied.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { concat, END, member } from '../../src/image/tar.testing.ts';
import { CaissonError } from '../../src/spec/error.ts';
import { OCI_LAYER_GZIP } from '../../src/spec/media-types.ts';
import { apply, type Caller, directory, idsOf, listing, place, skip } from './harness.ts';
import { hostile } from './hostile.ts';

/** Canaries that the caller could change; only the extractor's care keeps them. */
function canaries(base: string, caller: Caller): string {
  const outside = join(base, 'outside');
  const [uid, gid] = idsOf(caller);
  for (const name of ['outside', 'outside/directory']) {
    mkdirSync(join(base, name));
    chownSync(join(base, name), uid, gid);
  }
  for (const name of ['canary', 'outside/canary', 'outside/directory/canary']) {
    writeFileSync(join(base, name), 'untouched\n');
    chownSync(join(base, name), uid, gid);
  }
  return outside;
}

function outsideOf(base: string): string {
  return listing(base)
    .filter((line) => !line.startsWith('./target'))
    .join('\n');
}

const empty = (target: string) => execFileSync('sh', ['-c', 'find . -mindepth 1 -delete'], { cwd: target });

/** What an error may say: the archive is bad, or the kernel found no such thing inside. */
const EXPECTED = new Set(['EARCHIVE', 'ESYSCALL']);

for (const caller of ['root', 'user', 'stranger'] as const) {
  for (const form of ['overlay', 'merged'] as const) {
    test(`T40 ${caller}, ${form}: hostile layers`, { skip }, async (t) => {
      const base = place(t, caller);
      const outside = canaries(base, caller);
      const target = directory(base, 'target', caller);
      const before = outsideOf(base);
      assert.ok(before.split('\n').length >= 5);
      let refused = 0;
      const attempt = async (archive: Uint8Array, name: string): Promise<void> => {
        const bytes = gzipSync(concat(archive, END), { level: 1 });
        await apply(bytes, target, { caller, form, mediaType: OCI_LAYER_GZIP, chunk: 500 }).catch(
          (error: unknown) => {
            refused++;
            assert.ok(error instanceof CaissonError && EXPECTED.has(error.code), `${name}: ${error}`);
            assert.match(error.message, /./);
          },
        );
        assert.equal(outsideOf(base), before, name);
      };
      const set = Object.entries(hostile(outside));
      assert.ok(set.length > 50);
      for (const [name, archive] of set) {
        empty(target);
        await attempt(archive, name);
      }
      assert.ok(refused > 12 && refused < set.length - 10, `${refused} of ${set.length} refused`);
      // Each again, on top of what all the others have left (CVE-2025-45582).
      empty(target);
      await attempt(concat(member({ name: 'l', type: '2', linkName: outside })), 'a link');
      if (form === 'overlay') return;
      for (const [name, archive] of set) await attempt(archive, `${name}, on top of others`);
    });
  }
}

test('T40: a second layer does not trust the links of the first', { skip }, async (t) => {
  const base = place(t);
  const outside = canaries(base, 'root');
  const before = outsideOf(base);
  const target = directory(base, 'target');
  const first = concat(
    member({ name: 'l', type: '2', linkName: outside }),
    member({ name: 'f', type: '2', linkName: `${outside}/canary` }),
    member({ name: 'up', type: '2', linkName: '../outside' }),
    END,
  );
  const seconds = [
    concat(member({ name: 'l/canary' }, 'overwritten'), END),
    concat(member({ name: 'f' }, 'overwritten'), END),
    concat(member({ name: 'up/canary' }, 'overwritten'), END),
    concat(member({ name: 'l/.wh.canary' }), member({ name: 'up/.wh.directory' }), END),
    concat(member({ name: 'l/.wh..wh..opq' }), member({ name: 'up/.wh..wh..opq' }), END),
    concat(member({ name: '.wh.l' }), member({ name: '.wh.up' }), END),
    concat(member({ name: 'l/', type: '5', mode: 0o700, uid: 9 }), END),
    concat(member({ name: 'h', type: '1', linkName: 'f' }), member({ name: 'h' }, 'overwritten'), END),
  ];
  for (const [index, second] of seconds.entries()) {
    empty(target);
    await apply(first, target, { form: 'merged' });
    await apply(second, target, { form: 'merged' }).catch((error: unknown) => {
      assert.ok(error instanceof CaissonError && EXPECTED.has(error.code), String(error));
    });
    assert.equal(outsideOf(base), before, `second layer ${index}`);
  }
});
