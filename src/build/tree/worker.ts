// The launcher that a build works with inside contexts, stages and layers: every path there is resolved by it.
import type { Channel, Port } from '../../host/port.ts';
import { type FileLauncher, openFileLauncher } from '../../image/user-namespace.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { O_CLOEXEC, O_PATH } from '../../linux/constants/open.ts';
import { ERRNO } from '../../linux/errno.ts';
import { type Call, type OutBuffer, type Slot, slot } from '../../plan/call.ts';
import { O_DIRECTORY } from '../../plan/compile/destination.ts';
import { type Answer, type Batch, slotValue } from '../../plan/encode.ts';
import { type Step, step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import { Player } from '../../runtime/player.ts';
import type { Pointer } from '../../spec/error.ts';

/** The answer to a batch. */
export class Reply {
  private readonly batch: Batch;
  private readonly answer: Answer;

  constructor(batch: Batch, answer: Answer) {
    this.batch = batch;
    this.answer = answer;
  }

  /** The result of a call whose slot was made with `reply`; negative errnos are those that were tolerated. */
  value(of: Slot): number {
    return slotValue(this.batch, this.answer, of);
  }

  /** What the kernel wrote: not a copy. */
  array(buffer: OutBuffer, length = buffer.length): Uint8Array {
    const at = this.batch.buffers.get(buffer) ?? 0;
    return this.answer.data.subarray(at, at + Math.min(length, buffer.length));
  }
}

const SHUT = { tolerate: [ERRNO.EBADF] };

export class TreeWorker {
  readonly port: Port;
  /** What it may do: give files away, make device nodes. */
  readonly rights: Omit<FileLauncher, 'channel'>;
  private readonly channel: Channel;
  private readonly player: Player;
  private readonly cause: Pointer;

  private constructor(port: Port, { channel, ...rights }: FileLauncher, cause: Pointer) {
    this.port = port;
    this.channel = channel;
    this.rights = rights;
    this.player = new Player(port, channel);
    this.cause = cause;
  }

  /** Throws CaissonError `EIDMAP` where the user's subordinate ids are refused. */
  static async open(port: Port, cause: Pointer): Promise<TreeWorker> {
    const worker = new TreeWorker(port, await openFileLauncher(port, cause), cause);
    try {
      await worker.play('prepare', [sys.umask(0)]);
      return worker;
    } catch (error) {
      await worker.close();
      throw error;
    }
  }

  /** One step; `title` is what an error says. Throws CaissonError `ESYSCALL`. */
  async play(title: string, calls: readonly Call[]): Promise<Reply> {
    return await this.steps([this.step(title, calls)]);
  }

  private readonly done = new Set<string>();

  /** The same the first time, and nothing after that. */
  async once(title: string, calls: readonly Call[]): Promise<void> {
    if (this.done.has(title)) return;
    await this.play(title, calls);
    this.done.add(title);
  }

  step(title: string, calls: readonly Call[]): Step {
    return step('parent', 'build', title, this.cause, calls);
  }

  async steps(steps: readonly Step[]): Promise<Reply> {
    const { batch, answer } = await this.player.play(steps);
    return new Reply(batch, answer);
  }

  /** Opens a directory of the host by its path, to resolve things in. Throws CaissonError `ESYSCALL`. */
  async openDirectory(path: Bytes): Promise<number> {
    const opened = slot('directory', { reply: true });
    const flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    const reply = await this.play(`open ${path}`, [
      sys.openat(sys.AT_FDCWD, path, flags, 0, { result: opened }),
    ]);
    return reply.value(opened);
  }

  async shut(...descriptors: readonly number[]): Promise<void> {
    const open = descriptors.filter((descriptor) => descriptor >= 0);
    if (open.length === 0) return;
    await this.play(
      'close',
      open.map((descriptor) => sys.close(descriptor, SHUT)),
    );
  }

  async close(): Promise<void> {
    await this.channel.close();
  }
}
