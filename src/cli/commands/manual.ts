// `caisson manual DIRECTORY`: writes the manual pages, for `make install` and for packages.

import type { Command } from '../command.ts';
import { manualPages } from '../manual.ts';
import { loadTree } from '../tree.ts';

export const command: Command = {
  name: 'manual',
  summary: 'Write the manual pages into a directory',
  usage: 'DIRECTORY',
  examples: ['caisson manual /usr/local/share/man/man1'],
  flags: [],
  arguments: [1, 1],
  completes: 'directory',
  hidden: true,
  run: async ({ positionals: [directory = ''] }, { port, catalogue }) => {
    const place = directory.startsWith('/') ? directory : `${port.cwd}/${directory}`;
    const pages = manualPages(await loadTree(catalogue));
    port.makeDirectory(place);
    for (const { file, content } of pages) port.replaceFile(`${place}/${file}`, content, 0o644);
    return 0;
  },
};
