// A program for Debian's QuickJS: walks through its port and prints what it found.
import { quickjsPort } from '../../src/host/quickjs.ts';
import type { Os, Std } from '../../src/host/quickjs-modules.ts';
import { exercise } from './port-exercise.ts';

declare const std: Std;
declare const os: Os;
declare const scriptArgs: readonly string[];

async function main(): Promise<number> {
  const [, launcher = '', init = '', directory = ''] = scriptArgs;
  const port = quickjsPort({ std, os, scriptArgs, launcher, init });
  try {
    for (const line of await exercise(port, directory)) port.write(1, `${line}\n`);
    return 0;
  } catch (error) {
    port.write(2, error instanceof Error ? `${error.message}\n${error.stack}` : String(error));
    return 1;
  }
}

// No `await` out here (see src/host/quickjs.ts).
void main().then((code) => std.exit(code));
