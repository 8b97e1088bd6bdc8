// Runs a host program (newuidmap, hooks) with an explicit environment, for the QuickJS host.
import type { Bytes } from '../linux/bytes.ts';
import { POLLIN } from '../linux/constants/poll.ts';
import { SIGNALS } from '../linux/signals.ts';
import type { Ended, SpawnOptions } from './port.ts';
import { after, watch } from './quickjs-loop.ts';
import { call, callAgain, engine, osError, pathOf } from './quickjs-native.ts';
import { collect, feed, makePipe } from './quickjs-pipes.ts';

/** What a program may print before the rest is thrown away. */
const OUTPUT_LIMIT = 1 << 20;

/** Waits for the end of a child. The low byte of a wait status is the signal, the next the exit code (wait(2)). */
function endOf(pid: number): Promise<{ exitCode: number; signal: number }> {
  const pidfd = call('pidfd_open', pid, 0);
  if (pidfd < 0) throw osError(pidfd, 'pidfd_open', String(pid));
  return new Promise((resolve) => {
    const end = watch(pidfd, POLLIN, () => {
      end();
      call('close', pidfd);
      const status = new Int32Array(1);
      callAgain('wait4', pid, status, 0, null);
      const word = status[0] ?? 0;
      const signal = word & 0x7f;
      resolve({ exitCode: signal === 0 ? (word >> 8) & 0xff : -1, signal });
    });
  });
}

/** port.ts; rejects when the program cannot be executed. */
export async function spawnProgram(
  program: Bytes,
  args: readonly Bytes[],
  options: SpawnOptions,
): Promise<Ended> {
  const [stdin, input] = makePipe();
  const [out, stdout] = makePipe();
  const [err, stderr] = makePipe();
  const words = [program, ...args];
  for (const word of [...words, ...options.env]) pathOf(word);
  const pid = engine.spawn(
    pathOf(program),
    words,
    options.env,
    [stdin, stdout, stderr],
    pathOf(options.cwd ?? '/'),
  );
  for (const fd of [stdin, stdout, stderr]) call('close', fd);
  if (pid < 0) {
    for (const fd of [input, out, err]) call('close', fd);
    throw osError(pid, 'spawn', program);
  }
  const ended = endOf(pid);
  feed(input, options.stdin ?? '');
  const cancel =
    options.timeout === undefined
      ? undefined
      : after(options.timeout, () => void call('kill', pid, SIGNALS.SIGKILL));
  const [first, second, end] = await Promise.all([
    collect(out, OUTPUT_LIMIT),
    collect(err, OUTPUT_LIMIT),
    ended,
  ]);
  cancel?.();
  return { ...end, stdout: first, stderr: second };
}
