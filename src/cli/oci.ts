// `caisson oci`: the command line of src/oci, which parses, reports and exits as runc does.

import type { Bytes } from '../linux/bytes.ts';
import { COMMANDS, GLOBAL_FLAGS } from '../oci/commands.ts';
import type { ForwardedGroup } from './command.ts';
import type { Context } from './context.ts';

export const OCI: ForwardedGroup = {
  name: 'oci',
  summary: 'The OCI runtime, called as runc is',
  flags: GLOBAL_FLAGS,
  singleDash: true,
  commands: COMMANDS.map(({ name, summary, load }) => ({
    name: `oci ${name}`,
    summary,
    load: async () => {
      const { command } = await load();
      return { command: { ...command, name: `oci ${name}`, singleDash: true } };
    },
  })),
  forward,
};

/** caisson's own global options come before runc's, and mean the same. */
async function forward(args: readonly Bytes[], { port, globals }: Context): Promise<number> {
  const { ociMain } = await import('../oci/main.ts');
  const root = globals.runtimeRoot === undefined ? [] : ['--root', globals.runtimeRoot];
  const debug = globals.debug ? ['--debug'] : [];
  return ociMain(port, [...root, ...debug, ...args], 'caisson oci');
}
