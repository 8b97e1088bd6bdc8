// Manual pages (man(7)) from the declarations of the commands.

import type { Flag } from '../frontends/flag.ts';
import { fullName } from './grammar.ts';
import type { CommandNode } from './tree.ts';
import { VERSION } from './version.ts';

/** A page and the name of its file. */
export interface ManualPage {
  readonly file: string;
  readonly content: string;
}

/** One page for each command and group, `caisson-run.1`. */
export function manualPages(nodes: readonly CommandNode[]): ManualPage[] {
  return nodes.map((node) => ({ file: `${pageName(node.name)}.1`, content: page(node) }));
}

function pageName(name: string): string {
  return fullName(name).replaceAll(' ', '-');
}

function page(node: CommandNode): string {
  const title = pageName(node.name);
  const lines = [
    `.TH ${title.toUpperCase()} 1 "" "caisson ${VERSION}" "caisson"`,
    '.SH NAME',
    `${manText(title)} \\- ${manText(node.summary)}`,
    '.SH SYNOPSIS',
    `.B ${manText(fullName(node.name))}`,
    manText((node.command?.usage ?? '[OPTIONS] COMMAND').replace(/\s+/g, ' ')),
  ];
  const description = node.command?.description;
  if (description !== undefined) lines.push('.SH DESCRIPTION', manText(description));
  lines.push('.SH OPTIONS', ...node.flags.flatMap(option));
  if (node.below.length > 0) {
    lines.push('.SH COMMANDS');
    for (const { word, summary } of node.below) lines.push('.TP', `.B ${manText(word)}`, manText(summary));
  }
  const examples = node.command?.examples ?? [];
  if (examples.length > 0) lines.push('.SH EXAMPLES', '.nf', ...examples.map(manText), '.fi');
  return `${lines.join('\n')}\n`;
}

function option(flag: Flag): string[] {
  const short = flag.short === undefined ? '' : `\\fB\\-${flag.short}\\fR, `;
  const takes = flag.takes === undefined ? '' : ` \\fI${manText(flag.takes)}\\fR`;
  const fallback = flag.fallback === undefined ? '' : ` (default ${manText(flag.fallback)})`;
  return ['.TP', `${short}\\fB${manText(`--${flag.name}`)}\\fR${takes}`, `${manText(flag.help)}${fallback}`];
}

/** Backslashes, hyphens, and dots or quotes at the start of a line mean something to man(7). */
function manText(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1');
}
