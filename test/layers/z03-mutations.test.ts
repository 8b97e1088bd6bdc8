// Z03: mutated archives. The reader never fails but by its own error, reads what GNU tar reads where it accepts, and
// what is applied stays inside.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { concat, END, member, pax } from '../../src/image/tar.testing.ts';
import { TarReader } from '../../src/image/tar.ts';
import { fromArray } from '../../src/linux/bytes.ts';
import { CaissonError } from '../../src/spec/error.ts';
import { OCI_LAYER, OCI_LAYER_GZIP } from '../../src/spec/media-types.ts';
import { apply, directory, listing, place, skip } from './harness.ts';
import { hostile } from './hostile.ts';

const long = process.env.CAISSON_LONG === '1';
const ROUNDS = long ? 200_000 : 6000;
const COMPARED = long ? 4000 : 250;
const APPLIED = long ? 2000 : 120;

/** mulberry32: the same archives every day, others in the long round. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const seed = long ? randomInt(2 ** 31) : 20_260_101;

/** Benign archives, and the hostile ones. */
function seeds(): Uint8Array[] {
  const plain = concat(
    member({ name: 'd/', type: '5', mode: 0o755 }),
    member({ name: 'd/file', uid: 5 }, 'content of a file\n'.repeat(60)),
    member({ name: 'd/link', type: '2', linkName: 'file' }),
    member({ name: 'hard', type: '1', linkName: 'd/file' }),
    member({ name: 'pipe', type: '6' }),
    END,
  );
  const extended = concat(
    pax(['path', 'a name that is longer/than usual'], ['mtime', '1.5'], ['SCHILY.xattr.user.a', 'b']),
    member({ name: 'x' }, 'y'),
    member({ name: '././@LongLink', type: 'L' }, `${'n'.repeat(130)}\0`),
    member({ name: 'n' }, 'z'.repeat(600)),
    pax(
      ['GNU.sparse.major', '1'],
      ['GNU.sparse.minor', '0'],
      ['GNU.sparse.name', 's'],
      ['GNU.sparse.realsize', '99'],
    ),
    member({ name: 'x' }, `${'1\n10\n5\n'.padEnd(512, '\0')}holes`),
    END,
  );
  return [plain, extended, ...Object.values(hostile('/outside')).map((archive) => concat(archive, END))];
}

const INTERESTING = [
  '\0',
  '/',
  '..',
  '.wh.',
  '\xff',
  '\x80',
  '77777777777',
  'x',
  'L',
  '1',
  '2',
  '5',
  ' ',
  '\n',
  '=',
];

/** Changes bytes, blocks or lengths; checksums of headers are mostly put right, or nothing would get past them. */
function mutated(archive: Uint8Array, pick: (below: number) => number): Uint8Array {
  let bytes: Uint8Array = archive.slice();
  for (let changes = 1 + pick(4); changes > 0; changes--) {
    const at = pick(bytes.length);
    const kind = pick(6);
    if (kind === 0) bytes[at] = pick(256);
    else if (kind === 1)
      bytes.set(
        Buffer.from(INTERESTING[pick(INTERESTING.length)] as string, 'latin1').subarray(0, bytes.length - at),
        at,
      );
    else if (kind === 2) bytes = bytes.slice(0, at);
    else if (kind === 3) bytes = concat(bytes.subarray(0, at & ~511), bytes.subarray((at & ~511) + 512));
    else if (kind === 4)
      bytes = concat(bytes.subarray(0, at & ~511), bytes.subarray(pick(bytes.length) & ~511));
    else bytes.copyWithin(at & ~511, pick(bytes.length) & ~511, (pick(bytes.length) & ~511) + 512);
    if (bytes.length === 0) return archive.slice();
  }
  if (pick(10) > 0)
    for (let at = 0; at + 512 <= bytes.length; at += 512) repairChecksum(bytes.subarray(at, at + 512));
  return bytes;
}

/** Where a block looks like a header (it has the magic), its checksum becomes right. */
function repairChecksum(block: Uint8Array): void {
  if (fromArray(block, 257, 262) !== 'ustar') return;
  block.fill(32, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.set(Buffer.from(`${sum.toString(8).padStart(6, '0')}\0 `), 148);
}

/** A long name without a NUL at its end: GNU tar reads on behind it, Go and we do not. */
function hasUnendedName(archive: Uint8Array): boolean {
  for (let at = 0; at + 1024 <= archive.length; at += 512) {
    if (
      fromArray(archive, at + 257, at + 262) !== 'ustar' ||
      !'LK'.includes(fromArray(archive, at + 156, at + 157))
    )
      continue;
    const size = Number.parseInt(fromArray(archive, at + 124, at + 135), 8);
    if (!(size > 0) || archive[at + 511 + size] !== 0) return true;
  }
  return false;
}

/**
 * A link, device, directory or FIFO that says a size: Go's and our reader have no content for one (archive/tar,
 * isHeaderOnlyType), GNU tar leaves as many bytes out.
 */
function hasSizeWithoutContent(archive: Uint8Array): boolean {
  for (let at = 0; at + 512 <= archive.length; at += 512) {
    const type = fromArray(archive, at + 156, at + 157);
    if (fromArray(archive, at + 257, at + 262) !== 'ustar' || !/^[1-6]$/.test(type)) continue;
    if (/[^0\0 ]/.test(fromArray(archive, at + 124, at + 136))) return true;
  }
  return false;
}

/** Names as the reader has them; undefined where it refuses. Checks that events fit together. */
function read(archive: Uint8Array, chunk: number): string[] | undefined {
  const reader = new TarReader();
  const names: string[] = [];
  let open: { size: number; at: number } | undefined;
  try {
    for (let from = 0; from < archive.length; from += chunk) {
      for (const event of reader.push(archive.subarray(from, from + chunk))) {
        if (event.kind === 'entry') {
          assert.equal(open, undefined);
          open = { size: event.entry.size, at: 0 };
          assert.ok(Number.isSafeInteger(event.entry.size) && event.entry.size >= 0);
          assert.ok(event.entry.path !== '' && !event.entry.path.includes('\0'));
          names.push(event.entry.path);
        } else if (event.kind === 'data') {
          assert.ok(open !== undefined && event.offset >= open.at && event.bytes.length > 0);
          open.at = event.offset + event.bytes.length;
          assert.ok(open.at <= open.size);
        } else {
          assert.ok(open !== undefined);
          open = undefined;
        }
      }
    }
    reader.finish();
    return names;
  } catch (error) {
    if (error instanceof CaissonError && error.code === 'EARCHIVE') return undefined;
    throw error;
  }
}

test(`Z03: the reader survives mutated archives, whatever the chunks (seed ${seed})`, () => {
  const pick = random(seed);
  const all = seeds();
  let accepted = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const archive = mutated(all[pick(all.length)] as Uint8Array, pick);
    const whole = read(archive, archive.length);
    assert.deepEqual(read(archive, 1 + pick(1500)), whole, `round ${round}`);
    if (whole !== undefined) accepted++;
  }
  assert.ok(accepted > ROUNDS / 20 && accepted < ROUNDS * 0.9, `${accepted} accepted`);
});

test(`Z03: where both accept an archive, GNU tar lists the same names (seed ${seed})`, () => {
  const pick = random(seed + 1);
  const all = seeds();
  let compared = 0;
  for (let round = 0; compared < COMPARED && round < 40 * COMPARED; round++) {
    const archive = mutated(all[pick(all.length)] as Uint8Array, pick);
    const names = read(archive, 4096);
    if (names === undefined || hasUnendedName(archive) || hasSizeWithoutContent(archive)) continue;
    const args = ['-t', '-f', '-', '--quoting-style=literal', '--absolute-names', '--null'];
    const { status, stdout } = spawnSync('tar', args, { input: archive, encoding: 'latin1' });
    if (status !== 0) continue;
    compared++;
    const shown = names.map((name) => name.replace(/\/+$/, '')).join('\n');
    const theirs = stdout
      .split('\n')
      .slice(0, -1)
      .map((name) => name.replace(/\/+$/, ''))
      .join('\n');
    assert.equal(shown, theirs, `round ${round}`);
  }
  assert.ok(compared >= COMPARED / 2, `${compared} compared`);
});

test(`Z03: what is applied stays inside (seed ${seed})`, { skip }, async (t) => {
  const base = place(t);
  const outside = directory(base, 'outside');
  writeFileSync(join(outside, 'canary'), 'untouched');
  const all = Object.values(hostile(outside)).map((archive) => concat(archive, END));
  const pick = random(seed + 2);
  const before = listing(outside);
  let unpacked = 0;
  for (let round = 0; round < APPLIED; round++) {
    const archive = mutated(all[pick(all.length)] as Uint8Array, pick);
    const target = directory(base, `t${round}`);
    const gzip = pick(2) === 0;
    const form = pick(2) === 0 ? 'overlay' : 'merged';
    await apply(gzip ? gzipSync(archive) : archive, target, {
      form,
      mediaType: gzip ? OCI_LAYER_GZIP : OCI_LAYER,
    }).then(
      () => unpacked++,
      (error: unknown) =>
        assert.ok(
          error instanceof CaissonError && ['EARCHIVE', 'ESYSCALL'].includes(error.code),
          String(error),
        ),
    );
    assert.deepEqual(listing(outside), before, `round ${round}`);
  }
  assert.ok(unpacked > APPLIED / 20, `${unpacked} unpacked`);
});
