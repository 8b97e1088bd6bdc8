// One more process in a running container, its output collected.
import type { Engine } from '../engine/containers/engine.ts';
import { asDocker, execProcessOf, execUser, runningContainer } from '../engine/containers/exec.ts';
import { toArray, utf8ToBytes } from '../linux/bytes.ts';
import { SIGNALS } from '../linux/signals.ts';
import { execProcess } from '../runtime/exec.ts';
import { CaissonError } from '../spec/error.ts';
import { Collected, type OutputPiece } from './sandbox/output.ts';
import { encoded, pairs } from './text.ts';

/** What `exec` takes beside the command. */
export interface ContainerExecOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly workdir?: string;
  readonly user?: string;
  readonly privileged?: boolean;
  /** Called with each piece of output as it comes. */
  readonly onOutput?: (piece: OutputPiece) => void;
  /** Bytes of each stream that are kept. Default: 16 MiB. */
  readonly maxOutput?: number;
  /** Kills the process; `exec` then rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** How the process ended, and what it wrote. */
export interface ExecResult {
  /** Exit code, or 128 + the signal. */
  readonly exitCode: number;
  /** UTF-8. */
  readonly stdout: string;
  readonly stderr: string;
  /** It wrote more than `maxOutput`. */
  readonly truncated: boolean;
}

const MAX_OUTPUT = 16 << 20;

/** Throws CaissonError `ENOTRUNNING`, and with exit code 126 or 127 where the program cannot be executed. */
export async function execInside(
  engine: Engine,
  id: string,
  command: readonly string[],
  options: ContainerExecOptions,
): Promise<ExecResult> {
  const { signal, onOutput, maxOutput = MAX_OUTPUT } = options;
  signal?.throwIfAborted();
  if (command.length === 0)
    throw new CaissonError('there is no program in an empty list', { code: 'EUSAGE' });
  const view = runningContainer(engine, id);
  const user = await execUser(engine, view, encoded(options.user));
  const request = {
    ...{ args: command.map(utf8ToBytes), tty: false, interactive: false, detach: false },
    privileged: options.privileged === true,
    ...{ user: undefined, workdir: encoded(options.workdir), env: pairs(options.env) },
  };
  const streams = { 1: new Collected(maxOutput), 2: new Collected(maxOutput) };
  let kill = (): void => undefined;
  try {
    const exitCode = await asDocker(() =>
      execProcess(
        engine.port,
        { stateRoot: engine.stateRoot, id: view.file.id },
        {
          process: (spec) => execProcessOf(spec, request, user),
          keepsSignals: true,
          stdio: {
            capture: true,
            output: (stream, text) => {
              const bytes = toArray(text);
              streams[stream].add(bytes);
              onOutput?.({
                stream: stream === 1 ? 'stdout' : 'stderr',
                text: streams[stream].decode(bytes),
                bytes,
              });
            },
          },
          started: (running) => {
            kill = () => void running.signal(SIGNALS.SIGKILL);
            signal?.addEventListener('abort', kill, { once: true });
            if (signal?.aborted) kill();
          },
        },
      ),
    );
    signal?.throwIfAborted();
    const truncated = streams[1].truncated || streams[2].truncated;
    return { exitCode, stdout: streams[1].text, stderr: streams[2].text, truncated };
  } finally {
    signal?.removeEventListener('abort', kill);
  }
}
