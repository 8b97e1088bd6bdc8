// A conversation with one launcher: plays batches of steps, receives their answers, keeps frames and plans together.
import type { Replies } from '../cgroups/reading.ts';
import type { Channel, Port, RawAnswer } from '../host/port.ts';
import type { Arch } from '../linux/abi/index.ts';
import {
  type Answer,
  type Batch,
  bufferBytes,
  continueBytes,
  decodeAnswer,
  type EncodeOptions,
  encode,
  slotValue,
} from '../plan/encode.ts';
import type { Step } from '../plan/step.ts';
import { HEADER_SIZE, WIRE } from '../plan/wire.ts';
import { CaissonError } from '../spec/error.ts';
import { failure } from './failure.ts';

export interface Played {
  readonly batch: Batch;
  readonly answer: Answer;
}

/** What src/cgroups and src/image ask of an answer. */
export function repliesOf({ batch, answer }: Played): Replies {
  return {
    value: (slot) => slotValue(batch, answer, slot),
    bytes: (buffer, length) => bufferBytes(batch, answer, buffer, length),
  };
}

function gone(cause?: unknown): CaissonError {
  return new CaissonError('the launcher has ended unexpectedly', { code: 'ELAUNCHER', cause });
}

/** The launcher ends when there is more (docs/plan.md, Bytes). */
const LARGEST = WIRE.ARENA + HEADER_SIZE;

function tooLarge(size: number): CaissonError {
  return new CaissonError(
    `what the configuration asks for takes ${size} bytes, and at most ${LARGEST} can be played: use fewer mounts, arguments or variables`,
    { code: 'E2BIG' },
  );
}

/** A batch whose answer has not been asked for, and that answer once it has come. */
interface Asked {
  readonly batch: Batch;
  answer: Answer | undefined;
}

export class Player {
  private readonly asked: Asked[] = [];
  private readonly channel: Channel;
  private readonly arch: Arch;
  private readonly writeBytes: Port['writeBytes'];
  private readonly told: Port['told'];

  constructor(port: Port, channel: Channel) {
    this.writeBytes = port.writeBytes;
    this.told = port.told;
    this.channel = channel;
    this.arch = port.arch;
  }

  get pid(): number {
    return this.channel.pid;
  }

  /** Throws CaissonError ELAUNCHER when the launcher has gone. */
  async send(steps: readonly Step[], options: EncodeOptions = {}): Promise<Batch> {
    const batch = this.encode(steps, options);
    await this.transmit(batch);
    return batch;
  }

  /** A batch that is sent later, by `transmit`. */
  encode(steps: readonly Step[], options: EncodeOptions): Batch {
    const { writeBytes } = this;
    return encode(steps, this.arch, writeBytes === undefined ? options : { ...options, writeBytes });
  }

  /** Throws CaissonError ELAUNCHER when the launcher has gone. */
  async transmit(batch: Batch): Promise<void> {
    if (batch.bytes.length > LARGEST) throw tooLarge(batch.bytes.length);
    if (this.told !== undefined) for (const { actor, title } of batch.steps) this.told(`${actor}: ${title}`);
    try {
      await this.channel.send(batch.bytes);
    } catch (cause) {
      throw gone(cause);
    }
  }

  /** The next answer that nobody was promised. Throws CaissonError ELAUNCHER when the launcher has gone. */
  async receive(brief: boolean): Promise<Answer> {
    for (const one of this.asked.splice(0)) one.answer = await this.next(true);
    return this.next(brief);
  }

  private async next(brief: boolean): Promise<Answer> {
    let raw: RawAnswer | undefined;
    try {
      raw = await this.channel.receive(brief);
    } catch (cause) {
      // ECONNRESET: a batch was still unread when it ended (unix(7)).
      throw gone(cause);
    }
    if (raw === undefined) throw gone();
    return decodeAnswer(raw.frame, raw.data);
  }

  /**
   * Sends steps that take no time and goes on; the result waits for their answer, and throws as `play`. A launcher that
   * has just been started takes a while to listen. Other batches may be sent meanwhile: answers come in their order.
   */
  async ask(steps: readonly Step[]): Promise<() => Promise<Played>> {
    const one: Asked = { batch: await this.send(steps), answer: undefined };
    this.asked.push(one);
    return async () => {
      while (one.answer === undefined) {
        const first = this.asked.shift() ?? one;
        first.answer = await this.next(true);
      }
      if (one.answer.kind !== 'done') throw failure(one.batch, one.answer);
      return { batch: one.batch, answer: one.answer };
    };
  }

  /** Plays steps that take no time, up to the first that fails. */
  async attempt(steps: readonly Step[]): Promise<Played> {
    const batch = await this.send(steps);
    return { batch, answer: await this.receive(true) };
  }

  /** Plays steps that take no time. Throws CaissonError ESYSCALL when one fails. */
  async play(steps: readonly Step[]): Promise<Played> {
    const { batch, answer } = await this.attempt(steps);
    if (answer.kind !== 'done') throw failure(batch, answer);
    return { batch, answer };
  }

  async continue(): Promise<void> {
    await this.channel.send(continueBytes());
  }

  async close(): Promise<void> {
    await this.channel.close();
  }
}
