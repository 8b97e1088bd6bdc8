// `caisson version`.

import { OCI_VERSION } from '../../spec/validate.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { VERSION } from '../version.ts';

export const command: Command = {
  name: 'version',
  summary: 'Show the caisson version information',
  usage: '',
  flags: [],
  arguments: [0, 0],
  run: (_parsed, context) => {
    const { port } = context;
    const kernel = (port.readFile('/proc/sys/kernel/osrelease') ?? 'unknown').trim();
    context.out(` Version:            ${VERSION}`);
    context.out(` OCI specification:  ${OCI_VERSION}`);
    context.out(` Engine:             ${engineName()}`);
    context.out(` OS/Arch:            linux/${port.arch === 'aarch64' ? 'arm64' : 'amd64'}`);
    context.out(` Kernel version:     ${kernel}`);
    return 0;
  },
};

/** `caisson --version`. */
export function printVersion(context: Context): number {
  context.out(`caisson version ${VERSION}`);
  return 0;
}

function engineName(): string {
  const { bun } = process.versions;
  return bun === undefined ? `Node ${process.versions.node}` : `Bun ${bun}`;
}
