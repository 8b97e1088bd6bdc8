// launcher.c under the address and undefined-behaviour sanitizers, its system calls replaced by a stub (Z01).
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { syscallNumber } from '../../src/linux/abi/index.ts';
import { continueBytes, encode } from '../../src/plan/encode.ts';
import { WIRE } from '../../src/plan/wire.ts';
import { plans } from './arbitrary-plans.ts';
import { buildHarness, root } from './programs.ts';
import { arch, dataOf, pseudo, type RawBatch, rawBatch, syscall } from './raw-batch.ts';

const long = process.env.CAISSON_LONG === '1';
const CASES = long ? 10_000_000 : 100_000;
const SEED = 20261124;

let directory = '';
const harness = () => join(directory, 'fuzz');
const corpusFile = () => join(directory, 'corpus');

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'caisson-fuzz-'));
  buildHarness(harness());
  writeFileSync(corpusFile(), corpus());
});
after(() => rmSync(directory, { recursive: true, force: true }));

/** Encoded plans, every second with answers to its pauses, as {u32 length, bytes}. */
function corpus(): Buffer {
  const batches = fc.sample(plans, { numRuns: 300, seed: SEED }).map((steps, index) => {
    const { bytes } = encode(steps, arch, { trace: index % 3 === 0 });
    const pauses = steps.flatMap((step) => step.calls).filter((call) => call.name === 'PAUSE').length;
    return Buffer.concat([bytes, ...Array<Uint8Array>(index % 2 ? pauses : 0).fill(continueBytes())]);
  });
  return Buffer.concat(
    batches.flatMap((bytes) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  );
}

interface Summary {
  readonly [what: string]: number;
}

async function fuzz(program: string, first: number, count: number): Promise<Summary> {
  const args = [corpusFile(), SEED, first, count].map(String);
  return JSON.parse((await promisify(execFile)(program, args, { maxBuffer: 1 << 24 })).stdout) as Summary;
}

test(`${CASES} mutated and random channels: no byte outside of a batch is touched, nothing of a refused one is executed`, async () => {
  const half = CASES / 2;
  const summaries = await Promise.all([fuzz(harness(), 0, half), fuzz(harness(), half, half)]);
  // The fuzzer would prove nothing if it did not come to every place.
  const sum = (what: string) => summaries.reduce((total, summary) => total + (summary[what] ?? 0), 0);
  for (const what of ['calls', 'done', 'paused', 'failed', 'refused'])
    assert.ok(sum(what) > CASES / 100, what);
  for (const code of [0, 120, 121, 122]) assert.ok(sum(`exit ${code}`) > CASES / 10_000, `exit ${code}`);
});

// Each is one check less; the harness must notice every one.
const BROKEN: readonly (readonly [string, string, string])[] = [
  ['a load is not checked', '!inside(b, r->arg[i], width[kind])', '0'],
  ['a result is not checked', 'if (r->dest != WIRE_NONE && !inside(', 'if (0 && !inside('],
  [
    'a 64-bit result is checked as one of 32',
    'r->flags & WIRE_FLAG_DEST32 ? 4 : 8)) return 0',
    '4)) return 0',
  ],
  ['a relocation is not checked', 'if (!inside(b, at, 8) ||', 'if ('],
  ['the trace is not checked', 'inside(b, h->trace, 8ull * h->records)', '1'],
  ['the reply is not checked', 'h->reply > h->data ||', ''],
  ['decimal text is not checked', 'inside(b, r->arg[1], r->arg[2]) &&', ''],
  ['the room for decimal text is not checked', 'r->arg[2] >= 21 &&', ''],
  ['the arena is not a limit', 'total > WIRE_ARENA ||', ''],
  [
    'a pseudo-operation is retried as a call',
    'r->nr == WIRE_OP_FORK ? __NR_clone3 : (long)r->nr',
    '(long)r->nr',
  ],
  ['an executed record is refused afterwards', 'if (bad > 0) answer(', 'if (bad > 0) play(&b), answer('],
];

test('the harness notices a missing check', async (t) => {
  const source = readFileSync(join(root, 'launcher/launcher.c'), 'utf8');
  for (const [index, [what, from, to]] of BROKEN.entries()) {
    await t.test(what, async () => {
      assert.equal(source.split(from).length, 2, `${from} is not once in launcher.c`);
      const file = join(directory, `broken-${index}.c`);
      writeFileSync(file, source.replace(from, to));
      buildHarness(`${file}.fuzz`, file);
      await assert.rejects(fuzz(`${file}.fuzz`, 0, 100_000), /case \d+|Sanitizer|runtime error/);
    });
  }
});

const nr = (name: Parameters<typeof syscallNumber>[1]) => syscallNumber(arch, name);

/** What the stub kernel sees of `batch` when it answers with `results`, and then zeros. */
function play(batch: RawBatch | Uint8Array, ...results: number[]): string[] {
  const file = join(directory, 'channel');
  writeFileSync(file, batch instanceof Uint8Array ? batch : rawBatch(batch));
  const { stdout, stderr, status } = spawnSync(harness(), ['play', file, ...results.map(String)], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return stdout.trim().split('\n');
}

test('RETRY repeats at EINTR and EAGAIN, 128 times at most, and at nothing else', () => {
  const call = { ...syscall('openat2', 1, 2), flags: WIRE.FLAG_RETRY };
  const line = `call ${nr('openat2')} 1 2 0 0 0 0`;
  assert.deepEqual(play({ records: [call] }, -4, -11, -4, 7), [
    ...Array(4).fill(line),
    'done 1 0 0 0',
    'exit 0',
  ]);
  assert.deepEqual(play({ records: [call] }, -4, -2), [line, line, 'failed 0 2 0 0', 'exit 0']);
  const always = Array<number>(200).fill(-11);
  assert.deepEqual(play({ records: [call] }, ...always), [
    ...Array(129).fill(line),
    'failed 0 11 0 0',
    'exit 0',
  ]);
  const once = { records: [{ ...call, flags: 0 }] };
  assert.deepEqual(play(once, -4), [line, 'failed 0 4 0 0', 'exit 0']);
});

test('FORK is clone3, also when it is retried; the child goes on at its record', () => {
  const records = [
    { ...pseudo('FORK', { ptr: 0 }, 88, 3), flags: WIRE.FLAG_RETRY, dest: 88 },
    syscall('getppid', { load64: 88 }),
    pseudo('END'),
    syscall('getpid', { load64: 88 }),
  ];
  const batch = { records, data: dataOf(96, [88, -1n]), reply: 0 };
  const clone = `call ${nr('clone3')} data+0 88 3 0 0 0`;
  assert.deepEqual(play(batch, -11, 500), [
    clone,
    clone,
    `call ${nr('getppid')} 500 0 0 0 0 0`,
    'done 4 0 0 0',
    'exit 0',
  ]);
  assert.deepEqual(play(batch, 0), [clone, `call ${nr('getpid')} 0 0 0 0 0 0`, 'done 4 0 0 0', 'exit 0']);
});

test('results from -4095 are errnos, and -4096 is a result', () => {
  const batch = { records: [syscall('getpid')] };
  assert.deepEqual(play(batch, -4095).slice(1), ['failed 0 4095 0 0', 'exit 0']);
  assert.deepEqual(play(batch, -4096).slice(1), ['done 1 0 0 0', 'exit 0']);
});

test('the player accepts every plan that the encoder makes', () => {
  for (const steps of fc.sample(plans, { numRuns: long ? 2000 : 100, seed: 7 })) {
    const lines = play(
      Buffer.concat([encode(steps, arch).bytes, ...Array<Uint8Array>(20).fill(continueBytes())]),
    );
    assert.ok(!lines.some((line) => line.startsWith('refused')), lines.join('\n'));
    assert.ok(
      lines.some((line) => /^(done|failed)/.test(line)),
      lines.join('\n'),
    );
  }
});
