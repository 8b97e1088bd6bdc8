// The first difference between two trees, file by file: names, types, modes, owners, times, links, attributes, content.
//
// Each tree has a launcher of its own, and both are walked in the order of names at the same time: what is held in memory is one
// directory for each level, and pieces of one file.
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { Pointer } from '../../spec/error.ts';
import { openTarget } from '../extract-target.ts';
import { type FileLauncher, openFileLauncher } from '../user-namespace.ts';
import { Conversation } from './conversation.ts';
import { TreeCalls } from './tree-calls.ts';
import { isWhiteoutDevice, type TreeNode } from './tree-node.ts';
import { type Read, TreeReader } from './tree-reader.ts';

export interface DifferenceOptions {
  readonly cause: Pointer;
  /**
   * When the expected tree was begun, in seconds: what is younger in it has its time from then and not from the archive,
   * directories that no member names and removed files, and its time does not count.
   */
  readonly begun: number;
}

/**
 * What the first file that differs is, and in what: `/bin/sh: mode 0644 instead of 0755`; undefined where the trees are the same.
 * `found` is what was looked at, `expected` what it should be. Throws CaissonError ESYSCALL where a call fails.
 */
export async function treeDifference(
  port: Port,
  found: Bytes,
  expected: Bytes,
  { cause, begun }: DifferenceOptions,
): Promise<string | undefined> {
  const launchers: FileLauncher[] = [];
  const open = async (path: Bytes): Promise<TreeReader> => {
    const launcher = await openFileLauncher(port, cause);
    launchers.push(launcher);
    const conversation = new Conversation(launcher.channel, cause);
    const calls = new TreeCalls(port.arch);
    const opened = await openTarget(conversation, calls, path, { confine: true, fresh: false });
    return new TreeReader(conversation, opened, port.arch);
  };
  try {
    return await new Comparison(await open(found), await open(expected), begun).run();
  } finally {
    for (const { channel } of launchers) await channel.close();
  }
}

class Comparison {
  private readonly found: TreeReader;
  private readonly expected: TreeReader;
  private readonly begun: number;
  /** Files with several names that have been met: what stands for them in the other tree, and how many names are left. */
  private readonly linked = new Map<string, { readonly other: string; left: number }>();

  constructor(found: TreeReader, expected: TreeReader, begun: number) {
    this.found = found;
    this.expected = expected;
    this.begun = begun;
  }

  async run(): Promise<string | undefined> {
    const [found, expected] = await Promise.all([this.root(this.found), this.root(this.expected)]);
    if (found === undefined || expected === undefined) return 'the root directory is missing';
    return (await this.pair(found, expected)) ?? (await this.directory(''));
  }

  private async root(reader: TreeReader): Promise<Read | undefined> {
    const node = await reader.directory('');
    if (node === undefined) return undefined;
    for await (const read of reader.complete('', [{ ...node, path: '.' }])) return read;
    return undefined;
  }

  private async directory(path: Bytes): Promise<string | undefined> {
    const [found, expected] = await Promise.all([this.found.entries(path), this.expected.entries(path)]);
    const first = firstName(found, expected);
    const same = first === undefined ? found.length : first.at;
    // Of what comes before a missing or additional name the attributes are compared first.
    const [a, b] = [found.slice(0, same), expected.slice(0, same)];
    const others = this.expected.complete(path, b)[Symbol.asyncIterator]();
    for await (const read of this.found.complete(path, a)) {
      const { value, done } = await others.next();
      if (done === true || value.node.path !== read.node.path)
        return `${shown(read.node.path)}: it changes meanwhile`;
      const difference = await this.pair(read, value);
      if (difference !== undefined) return difference;
      if (read.node.type !== 'directory') continue;
      const below = await this.directory(read.node.path);
      if (below !== undefined) return below;
    }
    return first?.problem;
  }

  private async pair(found: Read, expected: Read): Promise<string | undefined> {
    const path = shown(found.node.path);
    const why =
      nodeDifference(found.node, expected.node, this.begun) ?? this.linkDifference(found.node, expected.node);
    if (why !== undefined) return `${path}: ${why}`;
    if (found.node.type !== 'file' || found.node.size === 0) return undefined;
    return (await this.sameContent(found, expected)) ? undefined : `${path}: its content differs`;
  }

  private linkDifference(found: TreeNode, expected: TreeNode): string | undefined {
    // Overlay links the whiteouts that it makes in one mount to each other; nobody sees that.
    if (found.type === 'directory' || isWhiteoutDevice(found)) return undefined;
    if (found.links !== expected.links) return `${found.links} names instead of ${expected.links}`;
    if (found.links < 2) return undefined;
    const known = this.linked.get(found.identity) ?? { other: expected.identity, left: found.links };
    if (known.other !== expected.identity) return 'is linked to another file';
    if (--known.left > 0) this.linked.set(found.identity, known);
    else this.linked.delete(found.identity);
    return undefined;
  }

  private async sameContent(found: Read, expected: Read): Promise<boolean> {
    if (found.content !== undefined && expected.content !== undefined)
      return Buffer.compare(found.content, expected.content) === 0;
    const [a, b] = await Promise.all([
      digestOfContent(this.found, found),
      digestOfContent(this.expected, expected),
    ]);
    return a === b;
  }
}

async function digestOfContent(reader: TreeReader, { node, content }: Read): Promise<string> {
  const { createHash } = await import('node:crypto');
  const hash = createHash('sha256');
  if (content !== undefined) hash.update(content);
  else for await (const piece of reader.content(node)) hash.update(piece);
  return hash.digest('hex');
}

/** The first name that only one of two sorted lists has. */
function firstName(
  found: readonly TreeNode[],
  expected: readonly TreeNode[],
): { readonly at: number; readonly problem: string } | undefined {
  for (let at = 0; at < Math.max(found.length, expected.length); at++) {
    const [a, b] = [found[at]?.path, expected[at]?.path];
    if (a === b) continue;
    if (b !== undefined && (a === undefined || b < a)) return { at, problem: `${shown(b)} is missing` };
    return { at, problem: `${shown(a ?? '')} is not in the archive` };
  }
  return undefined;
}

function nodeDifference(a: TreeNode, b: TreeNode, begun: number): string | undefined {
  if (a.type !== b.type) return `is a ${a.type} instead of a ${b.type}`;
  if (a.mode !== b.mode) return `mode ${octal(a.mode)} instead of ${octal(b.mode)}`;
  if (a.uid !== b.uid || a.gid !== b.gid) return `belongs to ${a.uid}:${a.gid} instead of ${b.uid}:${b.gid}`;
  if (a.type === 'file' && a.size !== b.size) return `${a.size} bytes instead of ${b.size}`;
  if (a.linkName !== b.linkName) return 'leads elsewhere';
  if (a.device.major !== b.device.major || a.device.minor !== b.device.minor) return 'is another device';
  const sameTime = a.mtime.seconds === b.mtime.seconds && a.mtime.nanoseconds === b.mtime.nanoseconds;
  if (!sameTime && b.mtime.seconds < begun) return 'was changed at another time';
  const names = [...new Set([...a.xattrs.keys(), ...b.xattrs.keys()])].sort();
  const differs = names.find((name) => a.xattrs.get(name) !== b.xattrs.get(name));
  return differs === undefined ? undefined : `its attribute ${differs} differs`;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** Names may hold anything: what would move a terminal's cursor is written as a number. */
function shown(path: Bytes): Bytes {
  const escaped = path.replace(
    /[^ -~\x80-\xff]/g,
    (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  return path === '.' ? '/' : `/${escaped}`;
}
