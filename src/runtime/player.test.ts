// Answers come in the order of the batches, whoever waits for which first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Channel, Port } from '../host/port.ts';
import { step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import { FRAME_SIZE, WIRE } from '../plan/wire.ts';
import { Player } from './player.ts';

/** A launcher that answers DONE to the first batch, with 1 as its index, to the second with 2, and so on. */
function counting(): { player: Player; log: string[] } {
  const log: string[] = [];
  let sent = 0;
  let received = 0;
  const channel = {
    pid: 1,
    send: () => {
      log.push(`send ${++sent}`);
    },
    receive: () => {
      log.push(`receive ${++received}`);
      const frame = new Uint8Array(FRAME_SIZE);
      new Int32Array(frame.buffer).set([WIRE.MAGIC_ANSWER, WIRE.ANSWER_DONE, received]);
      return { frame, data: new Uint8Array(0) };
    },
    close: () => undefined,
    captured: () => Promise.resolve({ stdout: '', stderr: '' }),
  } as Channel;
  return { player: new Player({ arch: 'x86_64' } as Port, channel), log };
}

const nothing = [step('parent', 'nothing', 'nothing', 'default: test', [])];

test('an answer that was asked for is kept while others are received', async () => {
  const { player, log } = counting();
  const first = await player.ask(nothing);
  const second = await player.ask(nothing);
  const third = await player.play(nothing);
  assert.equal(third.answer.index, 3);
  assert.equal((await second()).answer.index, 2);
  assert.equal((await first()).answer.index, 1);
  assert.deepEqual(log, ['send 1', 'send 2', 'send 3', 'receive 1', 'receive 2', 'receive 3']);
});

test('an answer that is waited for brings those before it', async () => {
  const { player } = counting();
  const first = await player.ask(nothing);
  const second = await player.ask(nothing);
  assert.equal((await second()).answer.index, 2);
  assert.equal((await first()).answer.index, 1);
  assert.equal((await player.play(nothing)).answer.index, 3);
});

test('a batch that the launcher has no room for is refused by its size', async () => {
  const { player, log } = counting();
  const large = sys.write(1, 'x'.repeat(WIRE.ARENA));
  const steps = [step('parent', 'large', 'write much', 'default: test', [large])];
  await assert.rejects(player.play(steps), /takes 8\d{6} bytes, and at most 8388640 can be played/);
  assert.deepEqual(log, []);
});
