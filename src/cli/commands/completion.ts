// `caisson completion bash|zsh|fish`.

import type { Bytes } from '../../linux/bytes.ts';
import type { Command } from '../command.ts';
import { completionScript, SHELLS } from '../completion.ts';
import { usageError } from '../grammar.ts';
import { loadTree } from '../tree.ts';

export const command: Command = {
  name: 'completion',
  summary: 'Generate the autocompletion script for a shell',
  usage: 'bash|zsh|fish',
  examples: [
    'source <(caisson completion bash)',
    'caisson completion zsh > "${fpath[1]}/_caisson"',
    'caisson completion fish > ~/.config/fish/completions/caisson.fish',
  ],
  flags: [],
  arguments: [1, 1],
  completes: SHELLS,
  run: async ({ positionals }, context) => {
    const [name] = positionals as [Bytes];
    const shell = SHELLS.find((each) => each === name);
    if (shell === undefined)
      throw usageError('completion', `unknown shell: ${name}; known are ${SHELLS.join(', ')}`);
    context.out(completionScript(shell, await loadTree(context.catalogue)).trimEnd());
    return 0;
  },
};
