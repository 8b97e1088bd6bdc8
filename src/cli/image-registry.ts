// The commands about images: each at the top, as docker had them first, and most of them below `image` as well.
import type { Command, CommandEntry, CommandGroup } from './command.ts';

type Load = () => Promise<{ readonly command: Command }>;

interface ImageCommand {
  readonly name: string;
  /** Below `image`, where it is called otherwise there. */
  readonly inGroup?: string;
  readonly summary: string;
  readonly load: Load;
}

/** Commands that stand at the top too. */
const BOTH: readonly ImageCommand[] = [
  { name: 'pull', summary: 'Download an image from a registry', load: () => import('./commands/pull.ts') },
  { name: 'push', summary: 'Upload an image to a registry', load: () => import('./commands/push.ts') },
  { name: 'images', inGroup: 'ls', summary: 'List images', load: () => import('./commands/images.ts') },
  {
    name: 'rmi',
    inGroup: 'rm',
    summary: 'Remove one or more images',
    load: () => import('./commands/rmi.ts'),
  },
  {
    name: 'tag',
    summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
    load: () => import('./commands/tag.ts'),
  },
  {
    name: 'save',
    summary: 'Save one or more images to a tar archive (streamed to STDOUT by default)',
    load: () => import('./commands/save.ts'),
  },
  {
    name: 'load',
    summary: 'Load an image from a tar archive or STDIN',
    load: () => import('./commands/load.ts'),
  },
  {
    name: 'import',
    summary: 'Import the contents from a tarball to create a filesystem image',
    load: () => import('./commands/import.ts'),
  },
  { name: 'history', summary: 'Show the history of an image', load: () => import('./commands/history.ts') },
];

/** Commands that stand at the top alone: they are about containers. */
const ALONE: readonly ImageCommand[] = [
  {
    name: 'commit',
    summary: "Create a new image from a container's changes",
    load: () => import('./commands/commit.ts'),
  },
  {
    name: 'diff',
    summary: "Inspect changes to files or directories on a container's filesystem",
    load: () => import('./commands/diff.ts'),
  },
  {
    name: 'export',
    summary: "Export a container's filesystem as a tar archive",
    load: () => import('./commands/export.ts'),
  },
];

export const IMAGE_COMMANDS: readonly CommandEntry[] = [...BOTH, ...ALONE].map(({ name, summary, load }) => ({
  name,
  summary,
  load,
}));

/** The same command under another name. */
function renamed(load: Load, name: string): Load {
  return async () => ({ command: { ...(await load()).command, name } });
}

export const IMAGE: CommandGroup = {
  name: 'image',
  summary: 'Manage images',
  flags: [],
  commands: [
    {
      name: 'image inspect',
      summary: 'Display detailed information on one or more images',
      load: () => import('./commands/image-inspect.ts'),
    },
    ...BOTH.map(({ name, inGroup = name, summary, load }) => ({
      name: `image ${inGroup}`,
      summary,
      load: renamed(load, `image ${inGroup}`),
    })),
  ],
};
