#!/usr/bin/env node
// The entry of the command line: global options, then one command, loaded when it is known.

import type { Port } from '../host/port.ts';
import { VERSION } from './version.ts';

/** `--version` alone costs nothing but the start of the program. */
function answerVersion(): boolean {
  const [first, second] = process.argv.slice(2);
  if (second !== undefined || (first !== '--version' && first !== '-v') || isOci() !== undefined)
    return false;
  // process.stdout is a stream, and making it takes Bun 9 ms (measured); this does not make it.
  console.log(`caisson version ${VERSION}`);
  return true;
}

/** Called by the name of the OCI runtime or of what it replaces, the whole command line is runc's: that name. */
function isOci(): string | undefined {
  return /(?:^|\/)(caisson-oci|runc)$/.exec(process.argv0)?.[1];
}

async function main(): Promise<void> {
  const { leave, openPort } = await import('./host.ts');
  const port = await openPort();
  await leave(isOci() === undefined ? await (await import('./dispatch.ts')).dispatch(port) : await oci(port));
}

async function oci(port: Port): Promise<number> {
  const { ociMain } = await import('../oci/main.ts');
  return ociMain(port, port.arguments, isOci());
}

if (!answerVersion()) void main();
