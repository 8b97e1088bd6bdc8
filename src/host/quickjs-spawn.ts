// Runs a host program (newuidmap, hooks) with an explicit environment, for the QuickJS host.
import { type Bytes, toArray } from '../linux/bytes.ts';
import { ERRNO } from '../linux/errno.ts';
import { SIGNALS } from '../linux/signals.ts';
import type { Ended, SpawnOptions } from './port.ts';
import { osError, osText } from './quickjs-files.ts';
import type { Os } from './quickjs-modules.ts';
import { collect, feed, makePipe } from './quickjs-pipes.ts';

/** What a program may print before the rest is thrown away. */
const OUTPUT_LIMIT = 1 << 20;

/** Milliseconds between looks at a program that has closed its output and goes on. */
const PATIENCE = 5;

function environmentOf(entries: readonly Bytes[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const entry of entries) {
    const cut = entry.indexOf('=');
    if (cut > 0) env[osText(entry.slice(0, cut))] = osText(entry.slice(cut + 1));
  }
  return env;
}

/** The low byte of a wait status is the signal, the next the exit code (wait(2)). */
async function endOf(os: Os, pid: number): Promise<{ exitCode: number; signal: number }> {
  for (;;) {
    const [got, status] = os.waitpid(pid, os.WNOHANG);
    if (got === pid) {
      const signal = status & 0x7f;
      return { exitCode: signal === 0 ? (status >> 8) & 0xff : -1, signal };
    }
    if (got < 0 && got !== -ERRNO.EINTR) throw osError(got, 'waitpid', String(pid));
    await new Promise<void>((resolve) => {
      os.setTimeout(resolve, PATIENCE);
    });
  }
}

/** A program that cannot be executed ends with 127. */
export async function spawnQuickjs(
  os: Os,
  program: Bytes,
  args: readonly Bytes[],
  options: SpawnOptions,
): Promise<Ended> {
  const file = osText(program);
  const words = [program, ...args].map(osText);
  const [env, cwd] = [environmentOf(options.env), osText(options.cwd ?? '/')];
  const [stdin, input] = makePipe(os);
  const [out, stdout] = makePipe(os);
  const [err, stderr] = makePipe(os);
  const pid = os.exec(words, { block: false, usePath: false, file, cwd, env, stdin, stdout, stderr });
  for (const fd of [stdin, stdout, stderr]) os.close(fd);
  feed(os, input, toArray(options.stdin ?? ''));
  const kill = () => {
    os.kill(pid, SIGNALS.SIGKILL);
  };
  const timer = options.timeout === undefined ? undefined : os.setTimeout(kill, options.timeout);
  const [first, second] = await Promise.all([collect(os, out, OUTPUT_LIMIT), collect(os, err, OUTPUT_LIMIT)]);
  const ended = await endOf(os, pid);
  if (timer !== undefined) os.clearTimeout(timer);
  return { ...ended, stdout: first, stderr: second };
}
