// A host program that lives as long as this one wants it: its standard input is a pipe, whose end is its end.
import type { Bytes } from '../linux/bytes.ts';

export interface HeldProgram {
  readonly pid: number;
  /** Says why it has ended before it was let go; undefined while it lives. */
  ended(): string | undefined;
  /** Closes its input and waits for its end; what does not end is killed. */
  release(): Promise<void>;
}

export interface HoldOptions {
  /** `NAME: value`: the whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: Bytes;
}

const PATIENCE = 2000;

/** Begins `program`, an absolute path. */
export async function holdProgram(
  program: Bytes,
  args: readonly string[],
  { env, cwd }: HoldOptions,
): Promise<HeldProgram> {
  const { spawn } = await import('node:child_process');
  const child = spawn(program, args, {
    env: { ...env },
    cwd: Buffer.from(cwd, 'latin1').toString('utf8'),
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let said = '';
  let why: string | undefined;
  child.stderr.on('data', (chunk: Buffer) => {
    if (said.length < PATIENCE) said += chunk.toString('latin1');
  });
  child.stdin.on('error', () => undefined);
  const end = new Promise<void>((resolve) => {
    child.on('error', (error) => {
      why = error.message;
      resolve();
    });
    child.on('exit', (code, signal) => {
      why = said.trim() || `it ended with ${signal ?? code}`;
      resolve();
    });
  });
  return {
    pid: child.pid ?? -1,
    ended: () => why,
    release: async () => {
      child.stdin.end();
      const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
      await end;
      clearTimeout(late);
      // A grandchild may hold the pipe: nobody waits for it.
      child.stderr.destroy();
    },
  };
}
