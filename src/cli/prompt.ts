// Asks a person something on the terminal; a password is not shown.
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';
import type { Context } from './context.ts';

type Asking = Pick<Context, 'port'>;

/**
 * The answer, without its line end; without a terminal the first line of standard input. Throws CaissonError
 * `EINTERRUPTED` for Ctrl-C and Ctrl-D.
 */
export async function ask({ port }: Asking, question: string, secret = false): Promise<Bytes> {
  const { terminal } = port;
  port.write(1, question);
  if (terminal === undefined) {
    const answer = port.readInput().split('\n')[0] ?? '';
    port.write(1, '\n');
    return answer.replace(/\r$/, '');
  }
  return await typed(port, terminal, secret);
}

/** Raw mode: what is typed comes key by key, and is shown only if it is no secret. */
function typed(port: Port, terminal: NonNullable<Port['terminal']>, secret: boolean): Promise<Bytes> {
  return new Promise((resolve, reject) => {
    let line = '';
    const end = (finish: () => void): void => {
      release();
      port.write(1, '\r\n');
      finish();
    };
    const key = (char: Bytes): boolean => {
      if (char === '\r' || char === '\n') {
        end(() => {
          resolve(line);
        });
        return true;
      }
      if (char === '\x03' || char === '\x04') {
        end(() => {
          reject(new CaissonError('interrupted', { code: 'EINTERRUPTED', exitCode: 130 }));
        });
        return true;
      }
      if (char === '\x7f' || char === '\b') {
        if (line !== '' && !secret) port.write(1, '\b \b');
        line = line.slice(0, -1);
      } else if (char >= ' ') {
        line += char;
        if (!secret) port.write(1, char);
      }
      return false;
    };
    const release = terminal.capture((bytes) => {
      for (const char of bytes) if (key(char)) return;
    });
  });
}

/** docker's question before something is removed. */
export async function confirmed(asking: Asking, warning: string): Promise<boolean> {
  const answer = await ask(asking, `${warning}\nAre you sure you want to continue? [y/N] `);
  return /^\s*y(es)?\s*$/i.test(answer);
}
