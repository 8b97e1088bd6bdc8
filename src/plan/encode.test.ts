// A plan in two batches: the second one knows the results of the first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeAnswer, knownSlots } from './answer.ts';
import { slot, struct } from './call.ts';
import { encode, supply } from './encode.ts';
import { step } from './step.ts';
import * as sys from './syscalls.ts';
import { FRAME_SIZE, HEADER_SIZE, RECORD, RECORD_SIZE, WIRE } from './wire.ts';

/** The answer DONE of a launcher whose data begins with `values`, 64 bits each. */
function answerOf(length: number, values: readonly number[]) {
  const frame = new Uint8Array(FRAME_SIZE);
  new Int32Array(frame.buffer).set([WIRE.MAGIC_ANSWER, WIRE.ANSWER_DONE, 0, 0, 0, length]);
  const data = new Uint8Array(length);
  const view = new DataView(data.buffer);
  values.forEach((value, index) => {
    view.setBigInt64(8 * index, BigInt(value), true);
  });
  return decodeAnswer(frame, data);
}

const [file, absent] = [slot('file'), slot('absent')];
const open = step('parent', 'open', 'open', 'default: test', [
  sys.openat(sys.AT_FDCWD, '/a', 0, 0, { result: file }),
  sys.openat(sys.AT_FDCWD, '/b', 0, 0, { result: absent }),
]);

test('every slot is in the answer to a batch that another one goes on from', () => {
  const marked = encode([open], 'x86_64');
  assert.equal(marked.replyLength, 0);
  const whole = encode([open], 'x86_64', { replies: 'all' });
  const known = knownSlots(whole, answerOf(whole.replyLength, [7, -2]));
  assert.equal(known(file), 7);
  assert.equal(known(absent), -2);
  assert.equal(known(slot('another')), undefined);
});

test('a known slot is an immediate argument, and a number in a structure', () => {
  const place = slot('place', { width: 4 });
  const known = (of: unknown) => (of === file ? 7 : of === absent ? -2 : of === place ? 9 : undefined);
  const earlier = step('parent', 'earlier', 'earlier', 'default: test', [
    ...open.calls,
    sys.openat(sys.AT_FDCWD, '/c', 0, 0, { result: place }),
  ]);
  const fields = struct({ name: 'fd', width: 4, value: place }, { name: 'events', width: 4, value: 1 });
  const use = step('child', 'use', 'use', 'default: test', [
    sys.close(file),
    sys.close(absent),
    sys.ioctl(0, 0, fields),
  ]);
  const batch = encode([use], 'x86_64', { after: encode([earlier], 'x86_64', { replies: 'all' }) });
  supply(batch, known);
  const view = new DataView(batch.bytes.buffer);
  const record = (index: number) => HEADER_SIZE + index * RECORD_SIZE;
  assert.equal(view.getUint32(4, true), 3);
  assert.equal(view.getUint16(record(0) + RECORD.kinds, true), 0);
  assert.equal(view.getBigInt64(record(0) + RECORD.arg, true), 7n);
  assert.equal(view.getBigInt64(record(1) + RECORD.arg, true), -2n);
  const data = batch.bytes.length - view.getUint32(12, true);
  assert.equal(view.getUint32(data + view.getUint32(record(2) + RECORD.arg + 16, true), true), 9);
  assert.equal(batch.records.length, 3);
  assert.equal(batch.records[2]?.call.name, 'ioctl');
});

test('the reply length tells whose answer it is', () => {
  const first = encode([open], 'x86_64', { replies: 'all' });
  const [a, b] = [slot('a', { reply: true }), slot('b', { reply: true })];
  const calls = [a, b].map((result) => sys.openat(sys.AT_FDCWD, '/c', 0, 0, { result }));
  const child = step('child', 'c', 'c', 'default: test', calls);
  assert.equal(encode([child], 'x86_64').replyLength, first.replyLength);
  assert.notEqual(encode([child], 'x86_64', { unlike: first.replyLength }).replyLength, first.replyLength);
});
