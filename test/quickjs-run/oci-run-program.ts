// A program for Debian's QuickJS: `qjs --std ... oci-run-program.mjs LAUNCHER INIT STATE BUNDLE ID` runs a bundle.
import { exitCodeOf, reportError } from '../../src/cli/report.ts';
import { ociRun } from '../../src/engine/oci-run.ts';
import { quickjsPort } from '../../src/host/quickjs.ts';
import type { Os, Std } from '../../src/host/quickjs-modules.ts';

declare const std: Std;
declare const os: Os;
declare const scriptArgs: readonly string[];

async function main(): Promise<number> {
  const [, launcher = '', init = '', ...rest] = scriptArgs;
  const port = quickjsPort({ std, os, scriptArgs, launcher, init });
  try {
    // As bytes, not as QuickJS has decoded them.
    const [stateRoot = '', bundle = '', id = ''] = port.arguments.slice(-rest.length);
    const exit = await ociRun(port, { id, bundle, stateRoot, warn: () => undefined });
    return exit.code;
  } catch (error) {
    port.write(2, reportError(error, { colour: false, debug: false }));
    return exitCodeOf(error);
  }
}

// No `await` out here (see src/host/quickjs.ts).
void main().then((code) => std.exit(code));
