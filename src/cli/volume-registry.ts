// The commands about volumes.
import type { CommandGroup } from './command.ts';

export const VOLUME: CommandGroup = {
  name: 'volume',
  summary: 'Manage volumes',
  flags: [],
  commands: [
    { name: 'volume create', summary: 'Create a volume', load: () => import('./commands/volume-create.ts') },
    {
      name: 'volume export',
      summary: 'Write a volume to a tar archive (STDOUT by default)',
      load: () => import('./commands/volume-export.ts'),
    },
    {
      name: 'volume import',
      summary: 'Unpack a tar archive into a volume',
      load: () => import('./commands/volume-import.ts'),
    },
    {
      name: 'volume inspect',
      summary: 'Display detailed information on one or more volumes',
      load: () => import('./commands/volume-inspect.ts'),
    },
    { name: 'volume ls', summary: 'List volumes', load: () => import('./commands/volume-ls.ts') },
    {
      name: 'volume prune',
      summary: 'Remove unused local volumes',
      load: () => import('./commands/volume-prune.ts'),
    },
    {
      name: 'volume rm',
      summary: 'Remove one or more volumes',
      load: () => import('./commands/volume-rm.ts'),
    },
  ],
};
