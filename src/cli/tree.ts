// Every command at once, loaded: for completion, manual pages and the tests of help.

import type { Flag } from '../frontends/flag.ts';
import type { Catalogue, CommandGroup, CommandShape, ForwardedGroup } from './command.ts';
import { HELP_FLAG } from './grammar.ts';

/** A node of the tree: caisson itself, a group, or a command. */
export interface CommandNode {
  /** `` for caisson itself, `cgroup`, `cgroup ls`. */
  readonly name: string;
  readonly summary: string;
  /** Those that hold today, `--help` too. */
  readonly flags: readonly Flag[];
  /** Last words of the commands below, with their summaries. */
  readonly below: readonly { readonly word: string; readonly summary: string }[];
  readonly command: CommandShape | undefined;
}

/** All nodes, parents before children. */
export async function loadTree({
  summary: about,
  flags,
  entries,
}: Catalogue): Promise<readonly CommandNode[]> {
  const nodes: CommandNode[] = [
    {
      name: '',
      summary: about,
      flags: held(flags),
      below: entries.map(({ name, summary }) => ({ word: name, summary })),
      command: undefined,
    },
  ];
  for (const entry of entries) {
    if ('group' in entry) nodes.push(...(await groupNodes(entry.group)));
    else nodes.push(leaf((await entry.load()).command));
  }
  return nodes;
}

async function groupNodes(group: CommandGroup | ForwardedGroup): Promise<CommandNode[]> {
  const commands = await Promise.all(group.commands.map((entry) => entry.load()));
  return [
    {
      name: group.name,
      summary: group.summary,
      flags: held(group.flags),
      below: group.commands.map(({ name, summary }) => ({
        word: name.slice(group.name.length + 1),
        summary,
      })),
      command: undefined,
    },
    ...commands.map(({ command }) => leaf(command)),
  ];
}

function leaf(command: CommandShape): CommandNode {
  return { name: command.name, summary: command.summary, flags: held(command.flags), below: [], command };
}

function held(flags: readonly Flag[]): Flag[] {
  return [...flags.filter(({ later }) => later === undefined), HELP_FLAG].sort((a, b) =>
    a.name < b.name ? -1 : 1,
  );
}
