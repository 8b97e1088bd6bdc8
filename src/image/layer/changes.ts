// What an upper directory of an overlay has changed: added, changed and deleted paths, as `docker diff` lists them.
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { Pointer } from '../../spec/error.ts';
import { openTarget } from '../extract-target.ts';
import { type FileLauncher, openFileLauncher } from '../user-namespace.ts';
import { isOpaque, isWhiteoutFile } from './archive.ts';
import { Conversation } from './conversation.ts';
import { TreeCalls } from './tree-calls.ts';
import { isWhiteoutDevice, type TreeNode } from './tree-node.ts';
import { TreeReader } from './tree-reader.ts';

export interface Change {
  /** Added, changed, deleted. */
  readonly kind: 'A' | 'C' | 'D';
  /** Absolute. */
  readonly path: Bytes;
}

export interface ChangesOptions {
  readonly cause: Pointer;
  readonly exclude?: (path: Bytes) => boolean;
  /** Opens the launcher that reads the files; default: one with the caller's ids. */
  readonly launcher?: () => Promise<FileLauncher>;
}

/**
 * The changes of `upper` against `lowers`, the topmost first, sorted by path. Directories that only hold changes are
 * changed themselves (docker-diff(1)). Throws CaissonError ESYSCALL where a call fails.
 */
export async function treeChanges(
  port: Port,
  upper: Bytes,
  lowers: readonly Bytes[],
  { cause, exclude, launcher: open }: ChangesOptions,
): Promise<Change[]> {
  const launcher = await (open?.() ?? openFileLauncher(port, cause));
  try {
    const conversation = new Conversation(launcher.channel, cause);
    const readerOf = async (path: Bytes): Promise<TreeReader> => {
      const calls = new TreeCalls(port.arch);
      const opened = await openTarget(conversation, calls, path, { confine: false, fresh: false });
      return new TreeReader(conversation, opened, port.arch);
    };
    const top = await readerOf(upper);
    const below: TreeReader[] = [];
    for (const lower of lowers) below.push(await readerOf(lower));
    const walk = new Walk(top, exclude);
    await walk.directory('', below);
    return walk.changes.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  } finally {
    await launcher.channel.close();
  }
}

class Walk {
  readonly changes: Change[] = [];
  private readonly top: TreeReader;
  private readonly exclude: ((path: Bytes) => boolean) | undefined;

  constructor(top: TreeReader, exclude: ((path: Bytes) => boolean) | undefined) {
    this.top = top;
    this.exclude = exclude;
  }

  /** `below` are the layers in which the directory is to be seen. Answers whether anything in it has changed. */
  async directory(path: Bytes, below: readonly TreeReader[]): Promise<boolean> {
    const nodes = (await this.top.entries(path)).filter((node) => this.exclude?.(node.path) !== true);
    const names = nodes.map((node) => node.path.slice(path === '' ? 0 : path.length + 1));
    const lower = await lowerViews(path, names, below);
    let changed = false;
    for await (const { node } of this.top.complete(path, nodes, false)) {
      const its = lower.get(node.path) ?? { found: undefined, directories: [] };
      if (await this.node(node, its)) changed = true;
    }
    return changed;
  }

  private async node(node: TreeNode, { found, directories }: LowerView): Promise<boolean> {
    const path = `/${node.path}`;
    if (isWhiteoutDevice(node) || isWhiteoutFile(node)) {
      if (found !== undefined) this.changes.push({ kind: 'D', path });
      return found !== undefined;
    }
    if (node.type !== 'directory') {
      this.changes.push({ kind: found === undefined ? 'A' : 'C', path });
      return true;
    }
    const opaque = isOpaque(node);
    const inside = await this.directory(node.path, opaque ? [] : directories);
    const added = found === undefined;
    const same = found !== undefined && found.type === 'directory' && sameDirectory(node, found);
    const replaced = opaque && !added;
    if (!added && same && !inside && !replaced) return false;
    this.changes.push({ kind: added ? 'A' : 'C', path });
    return true;
  }
}

function sameDirectory(a: TreeNode, b: TreeNode): boolean {
  return (
    a.mode === b.mode &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    a.mtime.seconds === b.mtime.seconds &&
    a.mtime.nanoseconds === b.mtime.nanoseconds
  );
}

interface LowerView {
  /** What the layers below show under this name. */
  readonly found: TreeNode | undefined;
  /** Where that is a directory: the layers whose content of it is to be seen. */
  readonly directories: readonly TreeReader[];
}

/** What `below`, the topmost first, show of the names in a directory. */
async function lowerViews(
  path: Bytes,
  names: readonly Bytes[],
  below: readonly TreeReader[],
): Promise<Map<Bytes, LowerView>> {
  const views = new Map<Bytes, { found: TreeNode | undefined; directories: TreeReader[]; closed: boolean }>();
  for (const layer of below) {
    for await (const { node } of layer.complete(path, await layer.stats(path, names), false)) {
      const view = views.get(node.path) ?? { found: undefined, directories: [], closed: false };
      views.set(node.path, view);
      if (view.closed) continue;
      if (node.type !== 'directory') {
        if (view.found === undefined && !isWhiteoutDevice(node) && !isWhiteoutFile(node)) view.found = node;
        view.closed = true;
        continue;
      }
      view.found ??= node;
      view.directories.push(layer);
      view.closed = isOpaque(node);
    }
  }
  return views;
}

/** One line for each, as docker prints them. */
export function changeLines(changes: readonly Change[]): Bytes {
  return changes.map(({ kind, path }) => `${kind} ${path}\n`).join('');
}
