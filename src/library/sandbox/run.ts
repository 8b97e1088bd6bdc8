// One program in a sandbox: from the command to how it ended.
import { oomFiles, oomReport } from '../../cgroups/oom.ts';
import type { Port } from '../../host/port.ts';
import { type Bytes, utf8ToBytes } from '../../linux/bytes.ts';
import { compileInside, fillInput, killInside, openInput } from '../../plan/compile-inside.ts';
import { slotValue } from '../../plan/encode.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Process } from '../../spec/runtime-spec.ts';
import type { InsideExit } from './agent.ts';
import { Collected, type OutputPiece } from './output.ts';
import type { Place } from './place.ts';

/** What `run` takes beside the command; times in milliseconds, sizes in bytes. */
export interface SandboxRunOptions {
  /** What the program reads from its standard input; nothing by default. */
  readonly input?: string | Uint8Array;
  /** After this time every process of the sandbox but its first is killed. Default: that of the sandbox; 0: never. */
  readonly timeout?: number;
  /** Variables beside those of the sandbox. */
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory, absolute. Default: that of the sandbox. */
  readonly cwd?: string;
  /** Called with each piece of output as it comes. */
  readonly onOutput?: (piece: OutputPiece) => void;
  /** Bytes of each stream that are kept; the rest is read and thrown away. Default: 16 MiB. */
  readonly maxOutput?: number;
  /** Kills as a timeout does; `run` then rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** How a program ended, and what it wrote. */
export interface SandboxResult {
  /** UTF-8; what is not becomes U+FFFD. */
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code, or 128 + the signal that killed it. */
  readonly exitCode: number;
  /** The number of that signal, 0 without one. */
  readonly signal: number;
  /** Milliseconds. */
  readonly duration: number;
  /** It did not end with 0, and the kernel killed processes of the sandbox meanwhile for want of memory. */
  readonly oom: boolean;
  /** It was killed because its time was over. */
  readonly timedOut: boolean;
  /** It wrote more than `maxOutput`. */
  readonly truncated: boolean;
}

const MAX_OUTPUT = 16 << 20;
/** A batch has room for 8 MiB. */
const PIECE = 4 << 20;

/** What a run needs of its sandbox. */
export interface RunContext {
  readonly port: Port;
  readonly place: Place;
  /** Of the sandbox, in milliseconds; 0: none. */
  readonly timeout: number;
  /** Kills by the kernel that have been told, to know new ones. */
  kills: number;
}

/** A string is for the shell, a list is a program with its arguments. */
export function argumentsOf(command: string | readonly string[]): Bytes[] {
  const words = typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
  if (words.length === 0) throw new CaissonError('there is no program in an empty list', { code: 'EUSAGE' });
  if (words.some((word) => word.includes('\0')))
    throw new CaissonError('a NUL byte in the command', { code: 'EUSAGE' });
  return words.map(utf8ToBytes);
}

/** Runs it. Throws CaissonError where it cannot be started (exit code 126, 127), and the reason of `signal`. */
export async function runInside(
  context: RunContext,
  command: string | readonly string[],
  options: SandboxRunOptions,
): Promise<SandboxResult> {
  options.signal?.throwIfAborted();
  const { place } = context;
  const args = argumentsOf(command);
  const begin = performance.now();
  const input = options.input === undefined ? undefined : await giveInput(place, options.input);
  const limit = options.maxOutput ?? MAX_OUTPUT;
  const streams = { 1: new Collected(limit), 2: new Collected(limit) };
  const over = { timedOut: false };
  const exit = await until(context, options, over, (resolve, reject) => {
    place.agent.start(planOf(context, args, options, input), args[0] ?? '', {
      output: (stream, bytes) => {
        streams[stream].add(bytes);
        if (options.onOutput === undefined) return;
        const text = streams[stream].decode(bytes);
        options.onOutput({ stream: stream === 1 ? 'stdout' : 'stderr', text, bytes });
      },
      ended: resolve,
      failed: reject,
    });
  });
  const duration = performance.now() - begin;
  return {
    stdout: streams[1].text,
    stderr: streams[2].text,
    exitCode: exit.code,
    signal: exit.signal,
    duration,
    oom: exit.code !== 0 && wasKilled(context),
    timedOut: over.timedOut,
    truncated: streams[1].truncated || streams[2].truncated,
  };
}

function planOf(
  { place }: RunContext,
  args: readonly Bytes[],
  options: SandboxRunOptions,
  input: number | undefined,
) {
  const { spec, facts, doors, namespaces, init, id, mayCallSetgroups } = place;
  const process = processOf(spec.process, args, options);
  const ownStdio = process.user.uid === 0 ? [] : [1, 2];
  return compileInside(spec, process, facts, {
    ...{ id, doors, namespaces, init, mayCallSetgroups, ownStdio },
    ...(input === undefined ? {} : { input }),
  });
}

function processOf(
  own: Process | undefined,
  args: readonly Bytes[],
  { env, cwd }: SandboxRunOptions,
): Process {
  const process = own ?? { cwd: '/', user: { uid: 0, gid: 0 } };
  const variables = Object.entries(env ?? {}).map(([name, value]) => utf8ToBytes(`${name}=${value}`));
  const names = new Set(variables.map(nameOf));
  const kept = (process.env ?? []).filter((entry) => !names.has(nameOf(entry)));
  return {
    ...process,
    args,
    env: variables.length === 0 ? (process.env ?? []) : [...kept, ...variables],
    ...(cwd === undefined ? {} : { cwd: utf8ToBytes(cwd) }),
  };
}

const nameOf = (entry: Bytes): Bytes => entry.slice(0, entry.indexOf('='));

/** A memory file of the agent that holds the input. */
async function giveInput({ agent }: Place, input: string | Uint8Array): Promise<number> {
  const bytes = typeof input === 'string' ? new TextEncoder().encode(input) : input;
  const { steps, file } = openInput();
  const { batch, answer } = await agent.play(steps);
  const fd = slotValue(batch, answer, file);
  let at = 0;
  do {
    const piece = bytes.subarray(at, at + PIECE);
    at += piece.length;
    await agent.play([fillInput(fd, piece, at >= bytes.length)]);
  } while (at < bytes.length);
  return fd;
}

/** Kills all processes of the sandbox but its first. */
export async function killAll({ place }: Pick<RunContext, 'place'>): Promise<void> {
  await place.agent.play(killInside());
}

/** Waits for the end of a program, and no longer than it may take. */
function until(
  context: RunContext,
  { timeout = context.timeout, signal }: SandboxRunOptions,
  over: { timedOut: boolean },
  start: (resolve: (exit: InsideExit) => void, reject: (error: unknown) => void) => void,
): Promise<InsideExit> {
  return new Promise((resolve, reject) => {
    const kill = (): void => {
      killAll(context).catch(fail);
    };
    const cancel =
      timeout > 0
        ? context.port.after(timeout, () => {
            over.timedOut = true;
            kill();
          })
        : undefined;
    const finish = (): void => {
      cancel?.();
      signal?.removeEventListener('abort', kill);
    };
    const fail = (error: unknown): void => {
      finish();
      reject(error);
    };
    signal?.addEventListener('abort', kill, { once: true });
    start((exit) => {
      finish();
      if (signal?.aborted) reject(signal.reason);
      else resolve(exit);
    }, fail);
  });
}

/** Whether the kernel has killed for want of memory since this was asked last. */
function wasKilled(context: RunContext): boolean {
  const { port, place } = context;
  const contents = new Map(
    oomFiles(place.cgroups).flatMap((file) => {
      const text = port.readFile(file);
      return text === undefined ? [] : [[file, text] as const];
    }),
  );
  const kills = Number(oomReport(place.cgroups, contents)?.kills ?? 0);
  const more = kills > context.kills;
  context.kills = kills;
  return more;
}
