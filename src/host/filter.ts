// A host program as a filter: content goes in, and what it makes of it comes out, piece by piece.
import type { Bytes } from '../linux/bytes.ts';

export interface FilterOptions {
  /** `NAME: value`: the whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** User and group to run as; default the caller's. */
  readonly user?: number;
}

/** What a program has said before it failed is shown up to here, in bytes. */
const SAID = 4096;

/** The program has failed. */
export class FilterError extends Error {}

/**
 * Runs `program`, an absolute path, in `/` until its output ends or nobody wants more of it. What `content` throws is
 * thrown; FilterError where the program fails, with what it has said.
 */
export async function* throughProgram(
  program: Bytes,
  args: readonly string[],
  content: AsyncIterable<Uint8Array>,
  { env, user }: FilterOptions,
): AsyncGenerator<Uint8Array> {
  const { spawn } = await import('node:child_process');
  const child = spawn(program, args, {
    env: { ...env },
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(user === undefined ? {} : { uid: user, gid: user }),
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    if (said.length < SAID) said += chunk.toString('latin1');
  });
  // A program that has enough closes its input, and its end tells why.
  child.stdin.on('error', () => undefined);
  const ended = new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => {
      resolve(code === 0 ? undefined : said.trim() || `it ended with ${signal ?? code}`);
    });
  });
  const source: { error?: unknown } = {};
  const fed = feed(content, child.stdin, source);
  try {
    for await (const chunk of child.stdout) yield chunk as Uint8Array;
    const failure = await ended;
    await fed;
    if ('error' in source) throw source.error;
    if (failure !== undefined) throw new FilterError(failure);
  } finally {
    child.kill('SIGKILL');
    child.stdin.destroy();
    await fed;
    await ended;
  }
}

/** Never rejects: an error of the content ends the input and is kept. */
async function feed(
  content: AsyncIterable<Uint8Array>,
  input: NodeJS.WritableStream & { readonly destroyed: boolean },
  source: { error?: unknown },
): Promise<void> {
  try {
    for await (const chunk of content) {
      if (input.destroyed) return;
      if (!input.write(chunk))
        await new Promise<void>((resolve) => {
          const done = () => {
            input.off('drain', done);
            input.off('close', done);
            resolve();
          };
          input.on('drain', done);
          input.on('close', done);
        });
    }
  } catch (error) {
    source.error = error;
  }
  input.end();
}
