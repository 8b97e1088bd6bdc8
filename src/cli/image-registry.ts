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
  { name: 'build', summary: 'Build an image from a Dockerfile', load: () => import('./commands/build.ts') },
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

/** Registries, and what there is. */
const REGISTRIES: readonly ImageCommand[] = [
  { name: 'login', summary: 'Authenticate to a registry', load: () => import('./commands/login.ts') },
  { name: 'logout', summary: 'Log out from a registry', load: () => import('./commands/logout.ts') },
  {
    name: 'search',
    summary: 'Search Docker Hub, or another registry, for images',
    load: () => import('./commands/search.ts'),
  },
  {
    name: 'inspect',
    summary: 'Return low-level information on containers and images',
    load: () => import('./commands/inspect.ts'),
  },
  { name: 'info', summary: 'Display system-wide information', load: () => import('./commands/info.ts') },
];

export const IMAGE_COMMANDS: readonly CommandEntry[] = [...BOTH, ...ALONE, ...REGISTRIES].map(
  ({ name, summary, load }) => ({
    name,
    summary,
    load,
  }),
);

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
    {
      name: 'image prune',
      summary: 'Remove unused images',
      load: () => import('./commands/image-prune.ts'),
    },
    {
      name: 'image verify',
      summary:
        'Check everything in the store against its digests, and unpacked layers against their archives',
      load: () => import('./commands/image-verify.ts'),
    },
    ...BOTH.map(({ name, inGroup = name, summary, load }) => ({
      name: `image ${inGroup}`,
      summary,
      load: renamed(load, `image ${inGroup}`),
    })),
  ],
};

export const BUILDER: CommandGroup = {
  name: 'builder',
  summary: 'Manage builds',
  flags: [],
  commands: [
    {
      name: 'builder build',
      summary: 'Build an image from a Dockerfile',
      load: renamed(() => import('./commands/build.ts'), 'builder build'),
    },
    {
      name: 'builder prune',
      summary: 'Remove build cache',
      load: () => import('./commands/builder-prune.ts'),
    },
  ],
};

export const MANIFEST: CommandGroup = {
  name: 'manifest',
  summary: 'Manage image manifests and manifest lists',
  flags: [],
  commands: [
    {
      name: 'manifest annotate',
      summary: 'Add additional information to a local image manifest',
      load: () => import('./commands/manifest-annotate.ts'),
    },
    {
      name: 'manifest create',
      summary: 'Create a local manifest list for annotating and pushing to a registry',
      load: () => import('./commands/manifest-create.ts'),
    },
    {
      name: 'manifest inspect',
      summary: 'Display an image manifest, or manifest list',
      load: () => import('./commands/manifest-inspect.ts'),
    },
    {
      name: 'manifest push',
      summary: 'Push a manifest list to a repository',
      load: () => import('./commands/manifest-push.ts'),
    },
    {
      name: 'manifest rm',
      summary: 'Delete one or more manifest lists from local storage',
      load: () => import('./commands/manifest-rm.ts'),
    },
  ],
};

/** The commands of `system` that are about images. */
export const SYSTEM_COMMANDS: readonly CommandEntry[] = [
  { name: 'system df', summary: 'Show disk usage', load: () => import('./commands/system-df.ts') },
  {
    name: 'system info',
    summary: 'Display system-wide information',
    load: renamed(() => import('./commands/info.ts'), 'system info'),
  },
  { name: 'system prune', summary: 'Remove unused data', load: () => import('./commands/system-prune.ts') },
];
