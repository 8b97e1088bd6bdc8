#!/usr/bin/env node
// The entry of the command line: global options, then one command, loaded when it is known.

import { VERSION } from './version.ts';

/** `--version` alone costs nothing but the start of the program. */
function answerVersion(): boolean {
  const [first, second] = process.argv.slice(2);
  if (second !== undefined || (first !== '--version' && first !== '-v') || isOci()) return false;
  // process.stdout is a stream, and making it takes Bun 9 ms (measured); this does not make it.
  console.log(`caisson version ${VERSION}`);
  return true;
}

/** Called by the name of the OCI runtime (dist/caisson-oci), the whole command line is runc's. */
function isOci(): boolean {
  return /(?:^|\/)caisson-oci$/.test(process.argv0);
}

async function main(): Promise<void> {
  const { dispatch } = await import('./dispatch.ts');
  const code = await dispatch(isOci());
  const { leave } = await import('./host.ts');
  await leave(code);
}

if (!answerVersion()) void main();
