// A program for the embedded QuickJS: `engine LAUNCHER INIT oci-run-program.mjs STATE BUNDLE ID` runs a bundle.
import { exitCodeOf, reportError } from '../../src/cli/report.ts';
import { runAsProgram } from '../../src/host/quickjs.ts';
import { runContainer } from '../../src/runtime/oci-run.ts';

runAsProgram(async (port) => {
  try {
    const [stateRoot = '', bundle = '', id = ''] = port.arguments;
    return await runContainer(port, { id, bundle, stateRoot, warn: () => undefined });
  } catch (error) {
    port.write(2, reportError(error, { colour: false, debug: false }));
    return exitCodeOf(error);
  }
});
