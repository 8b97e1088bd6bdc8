// The entry of dist/caisson: the commands that people wait for on the embedded QuickJS; the rest is handed over to Bun's program.
//
// What is evaluated here is evaluated when the executable is built, and is part of it (ARCHITECTURE.md, third host).
import { dispatch } from './cli/dispatch.ts';
import { exitCodeOf, reportError } from './cli/report.ts';
import { VERSION } from './cli/version.ts';
import { HandOver } from './host/hand-over.ts';
import type { Port } from './host/port.ts';
import { calledBy, runAsProgram } from './host/quickjs.ts';
import { becomeWhole } from './host/quickjs-hand-over.ts';
import { isTerminal } from './host/quickjs-tty.ts';
import { ociMain } from './oci/main.ts';

async function main(port: Port): Promise<number> {
  // Called by the name of the OCI runtime or of what it replaces, the whole command line is runc's.
  const oci = /(?:^|\/)(caisson-oci|runc)$/.exec(calledBy())?.[1];
  if (oci !== undefined) return await ociMain(port, port.arguments, oci);
  const [first, second] = port.arguments;
  if (second === undefined && (first === '--version' || first === '-v')) {
    port.write(1, `caisson version ${VERSION}\n`);
    return 0;
  }
  try {
    return await dispatch(port);
  } catch (error) {
    if (!(error instanceof HandOver)) throw error;
  }
  try {
    becomeWhole();
  } catch (error) {
    port.write(2, reportError(error, { colour: isTerminal(2), debug: false }));
    return exitCodeOf(error);
  }
}

runAsProgram(main);
