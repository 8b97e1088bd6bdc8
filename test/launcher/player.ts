// Starts the real launcher on a channel and plays batches on it, for the tests.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import {
  type Answer,
  type Batch,
  continueBytes,
  decodeAnswer,
  encode,
  frameLength,
} from '../../src/plan/encode.ts';
import type { Step } from '../../src/plan/step.ts';
import { FRAME_SIZE } from '../../src/plan/wire.ts';
import { program } from './programs.ts';
import { arch, type RawBatch, rawBatch } from './raw-batch.ts';

export interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface PlayerOptions {
  readonly command?: string;
  readonly args?: readonly string[];
  /** Descriptors that the launcher finds open behind its channel, from 4 on. */
  readonly descriptors?: readonly number[];
}

/** A running launcher whose environment is empty and whose output is collected. */
export class Player {
  readonly process: ChildProcess;
  readonly ended: Promise<Ending>;
  stdout = '';
  stderr = '';
  readonly #channel: Duplex;
  #received = Buffer.alloc(0);
  #wake: () => void = () => undefined;
  #over = false;

  constructor(options: PlayerOptions = {}) {
    this.process = spawn(options.command ?? program('launcher'), options.args ?? [], {
      env: {},
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', ...(options.descriptors ?? [])],
    });
    this.process.stdout?.setEncoding('latin1').on('data', (text) => {
      this.stdout += text;
    });
    this.process.stderr?.setEncoding('latin1').on('data', (text) => {
      this.stderr += text;
    });
    this.ended = once(this.process, 'close').then(([code, signal]) => ({ code, signal }));
    this.#channel = this.process.stdio[3] as Duplex;
    this.#channel.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    const over = () => {
      this.#over = true;
      this.#wake();
    };
    // The launcher may be gone before it has read what a test wrote.
    this.#channel.on('end', over).on('close', over).on('error', over);
  }

  get pid(): number {
    return this.process.pid as number;
  }

  send(bytes: Uint8Array): void {
    this.#channel.write(bytes);
  }

  /** Ends the channel, and waits until the launcher and its output have ended. */
  async end(bytes: Uint8Array = new Uint8Array()): Promise<Ending> {
    this.#channel.end(bytes);
    return await this.ended;
  }

  /** The next answer, undefined when the launcher ends instead. */
  async answer(): Promise<Answer | undefined> {
    const frame = await this.#take(FRAME_SIZE);
    if (frame === undefined) return undefined;
    const data = await this.#take(frameLength(frame));
    return data === undefined ? undefined : decodeAnswer(frame, data);
  }

  async play(batch: RawBatch | Uint8Array): Promise<Answer> {
    this.send(batch instanceof Uint8Array ? batch : rawBatch(batch));
    return await this.#expectAnswer();
  }

  async playSteps(
    steps: readonly Step[],
    options: { trace?: boolean } = {},
  ): Promise<{ batch: Batch; answer: Answer }> {
    const batch = encode(steps, arch, options);
    return { batch, answer: await this.play(batch.bytes) };
  }

  async goOn(): Promise<Answer> {
    this.send(continueBytes());
    return await this.#expectAnswer();
  }

  async #expectAnswer(): Promise<Answer> {
    const answer = await this.answer();
    if (answer === undefined)
      throw new Error(`the launcher ended: ${JSON.stringify(await this.ended)} ${this.stderr}`);
    return answer;
  }

  async #take(length: number): Promise<Buffer | undefined> {
    while (this.#received.length < length) {
      if (this.#over) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const taken = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return taken;
  }
}

/** Calls `use` with a player that is ended afterwards, however `use` ends. */
export async function withPlayer<T>(
  use: (player: Player) => Promise<T>,
  options: PlayerOptions = {},
): Promise<T> {
  const player = new Player(options);
  try {
    return await use(player);
  } finally {
    if (player.process.exitCode === null && player.process.signalCode === null)
      player.process.kill('SIGKILL');
    await player.ended;
  }
}

/** A number in the data of an answer. */
export function u32(answer: Answer, at: number): number {
  return Buffer.from(answer.data).readUInt32LE(at);
}

export function u64(answer: Answer, at: number): bigint {
  return Buffer.from(answer.data).readBigUInt64LE(at);
}

/** The text up to the first NUL in the data of an answer. */
export function textAt(answer: Answer, at: number): string {
  return Buffer.from(answer.data.subarray(at)).toString('latin1').split('\0', 1)[0] ?? '';
}
