// `--progress` of a build: lines, a screen that is drawn again, or nothing.
import { plainProgress } from '../build/progress/plain.ts';
import type { Progress } from '../build/progress/progress.ts';
import { quietProgress } from '../build/progress/quiet.ts';
import { terminalProgress } from '../build/progress/terminal.ts';
import type { Bytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';
import type { Context } from './context.ts';

/** Progress on standard error. Throws CaissonError `EUSAGE` for another kind than docker's. */
export function buildProgress({ port, warn }: Context, kind: Bytes): Progress {
  const write = (bytes: Bytes) => port.write(2, bytes);
  const now = () => port.monotonic() / 1e6;
  const { isTTY, columns = 80, rows = 24 } = process.stderr;
  switch (kind) {
    case 'quiet':
      return quietProgress(warn);
    case 'plain':
      return plainProgress({ write, now });
    case 'auto':
      if (!isTTY) return plainProgress({ write, now });
      break;
    case 'tty':
      break;
    default:
      throw new CaissonError(`invalid progress output: ${kind}: auto, plain, tty or quiet`, {
        code: 'EUSAGE',
      });
  }
  return terminalProgress({ write, now, columns, rows, every });
}

function every(milliseconds: number, work: () => void): () => void {
  const timer = setInterval(work, milliseconds);
  timer.unref();
  return () => {
    clearInterval(timer);
  };
}
