// Runs a host program (newuidmap, hooks) with an explicit environment, for the Node and Bun hosts.
import type { Bytes } from '../linux/bytes.ts';
import type { Ended, SpawnOptions } from './port.ts';

/** What a program may print before the rest is thrown away. */
const OUTPUT_LIMIT = 1 << 20;

function signalNumber(signal: NodeJS.Signals | null, numbers: Readonly<Record<string, number>>): number {
  return signal === null ? 0 : (numbers[signal] ?? 9);
}

/** Arguments cross node:child_process as text, so they must be UTF-8; a program's own arguments are. */
function text(bytes: Bytes): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** `node:child_process` is loaded only here: that takes Bun 0.7 ms (measured). */
export async function spawnProgram(
  program: Bytes,
  args: readonly Bytes[],
  options: SpawnOptions,
): Promise<Ended> {
  const env: Record<string, string> = {};
  for (const entry of options.env) {
    const cut = entry.indexOf('=');
    if (cut > 0) env[text(entry.slice(0, cut))] = text(entry.slice(cut + 1));
  }
  const { spawn } = await import('node:child_process');
  return new Promise((resolve, reject) => {
    const child = spawn(text(program), args.map(text), {
      env,
      cwd: text(options.cwd ?? '/'),
      timeout: options.timeout,
      killSignal: 'SIGKILL',
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].on('data', (chunk: Buffer) => {
        if (output[name].length < OUTPUT_LIMIT) output[name] += chunk.toString('latin1');
      });
    }
    child.on('error', reject);
    child.stdin.on('error', () => undefined);
    child.stdin.end(Buffer.from(options.stdin ?? '', 'latin1'));
    child.on('close', async (exitCode, signal) => {
      const { constants } = await import('node:os');
      resolve({ exitCode: exitCode ?? -1, signal: signalNumber(signal, constants.signals), ...output });
    });
  });
}
