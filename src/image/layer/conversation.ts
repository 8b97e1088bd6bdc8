// A conversation with one launcher in batches of file system calls: one is played while the next is written.
import type { Awaitable, RawAnswer } from '../../host/port.ts';
import { errnoName, errnoText } from '../../linux/errno.ts';
import { type Answer, decodeAnswer } from '../../plan/answer.ts';
import { HEADER_SIZE, WIRE } from '../../plan/wire.ts';
import { CaissonError, type Pointer } from '../../spec/error.ts';
import type { ReadyBatch } from './batch-writer.ts';
import type { TreeCalls } from './tree-calls.ts';

/** What a conversation needs of a channel (src/host/port.ts). */
export interface Line {
  send(bytes: Uint8Array): Awaitable<void>;
  receive(brief: boolean): Awaitable<RawAnswer | undefined>;
}

/** A record that failed. */
export interface Failure {
  /** Its number in the batch. */
  readonly index: number;
  readonly errno: number;
  /** What the writer was `about`. */
  readonly subject: string;
  readonly call: string;
}

/** Does away with the cause; the record to go on from, or undefined where there is no help. */
export type Repair = (failure: Failure) => Promise<number | undefined>;

const LARGEST = WIRE.ARENA + HEADER_SIZE;

interface Posted {
  readonly calls: TreeCalls;
  readonly batch: ReadyBatch;
  readonly repair: Repair | undefined;
}

/** The value of a slot in an answer's data: a result, or a negative errno that was tolerated. */
export function slotOf(data: Uint8Array, slot: number): number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return view.getInt32(8 * slot + 4, true) * 2 ** 32 + view.getUint32(8 * slot, true);
}

export class Conversation {
  private readonly line: Line;
  private readonly cause: Pointer;
  private readonly before: (() => Awaitable<void>) | undefined;
  private posted: Posted | undefined;

  /** `before` is called before each batch is sent, and may throw to end the work. */
  constructor(line: Line, cause: Pointer, before?: () => Awaitable<void>) {
    this.line = line;
    this.cause = cause;
    this.before = before;
  }

  /** Waits for the batch before and sends this one. `calls` and `content` must stay as they are until it is settled. */
  async post(calls: TreeCalls, content: readonly Uint8Array[] = [], repair?: Repair): Promise<void> {
    const batch = calls.finish(content);
    await this.settle();
    await this.before?.();
    await this.transmit(batch);
    this.posted = { calls, batch, repair };
  }

  /** Waits for the batch that was posted. Throws CaissonError ESYSCALL where a call failed without repair. */
  async settle(): Promise<Uint8Array | undefined> {
    const { posted } = this;
    if (posted === undefined) return undefined;
    this.posted = undefined;
    const { calls, batch, repair } = posted;
    let answer = await this.receive();
    let from = 0;
    let last = -1;
    while (answer.kind !== 'done') {
      const index = from + answer.index;
      const failure = this.failureOf(calls, index, answer);
      const next = index === last ? undefined : await repair?.(failure);
      if (next === undefined) throw this.errorOf(failure);
      last = index;
      from = next;
      if (from >= batch.records) return answer.data;
      await this.transmit(calls.rest(batch, from, answer.data));
      answer = await this.receive();
    }
    return answer.data;
  }

  /** Posts a batch and waits for its answer's data. */
  async ask(calls: TreeCalls, repair?: Repair): Promise<Uint8Array> {
    await this.post(calls, [], repair);
    return (await this.settle()) as Uint8Array;
  }

  private failureOf(calls: TreeCalls, index: number, answer: Answer): Failure {
    if (answer.kind !== 'failed')
      throw new CaissonError(`the launcher refused a batch at record ${answer.index}`, { code: 'EPLAN' });
    const call = calls.callOf(index) ?? 'write';
    return { index, errno: answer.errno, subject: calls.subjectOf(index), call };
  }

  private errorOf({ errno, subject, call }: Failure): CaissonError {
    return new CaissonError(`${subject}: ${errnoText(errno)} (${errnoName(errno)})`, {
      code: 'ESYSCALL',
      errno,
      syscall: call,
      provenance: [this.cause],
      details: [`system call ${call}`],
    });
  }

  private async transmit({ head, parts }: ReadyBatch): Promise<void> {
    // The launcher ends when there is more (docs/plan.md, Bytes): one member with megabytes of names and attributes.
    if (parts.reduce((sum, part) => sum + part.length, head.length) > LARGEST)
      throw new CaissonError('a member has more names and attributes than can be played', {
        code: 'EARCHIVE',
      });
    try {
      await this.line.send(head);
      for (const part of parts) if (part.length > 0) await this.line.send(part);
    } catch (cause) {
      throw gone(cause);
    }
  }

  private async receive(): Promise<Answer> {
    let raw: RawAnswer | undefined;
    try {
      raw = await this.line.receive(false);
    } catch (cause) {
      throw gone(cause);
    }
    if (raw === undefined) throw gone();
    return decodeAnswer(raw.frame, raw.data);
  }
}

function gone(cause?: unknown): CaissonError {
  return new CaissonError('the launcher has ended unexpectedly', { code: 'ELAUNCHER', cause });
}
