// A disk in memory that knows what a power cut would leave: contents and names as they were synced last.
import type { Disk, DiskFile, DiskName, DiskStat } from '../../host/disk.ts';
import { type Bytes, fromArray, toArray } from '../../linux/bytes.ts';
import { ERRNO, errnoName } from '../../linux/errno.ts';
import { CaissonError } from '../../spec/error.ts';

interface FileNode {
  readonly kind: 'file';
  readonly ino: number;
  content: Bytes;
  /** On the disk; undefined when the file was never synced. */
  synced: Bytes | undefined;
  modified: number;
}

interface DirectoryNode {
  readonly kind: 'directory';
  readonly ino: number;
  names: Map<Bytes, Node>;
  /** On the disk. */
  synced: Map<Bytes, Node>;
}

type Node = FileNode | DirectoryNode;

/** How a crash decides what has reached the disk beyond what was synced. */
export interface CrashChoice {
  /** Whether a change of a name that was not synced is there. */
  name(): boolean;
  /** What a file has whose content was not synced: all of it, only what was synced, or zeros. */
  content(): 'all' | 'synced' | 'zeros';
}

export const ONLY_SYNCED: CrashChoice = { name: () => false, content: () => 'synced' };
/** Names are written early, contents late: what a missing fsync before a rename shows. */
export const NAMES_WITHOUT_CONTENT: CrashChoice = { name: () => true, content: () => 'zeros' };

function failed(errno: number, path: Bytes): CaissonError {
  return new CaissonError(`${path}: ${errnoName(errno)}`, { code: 'EDISK', errno, syscall: 'memory' });
}

let count = 1;

function newDirectory(): DirectoryNode {
  return { kind: 'directory', ino: count++, names: new Map(), synced: new Map() };
}

function newFile(): FileNode {
  return { kind: 'file', ino: count++, content: '', synced: undefined, modified: Date.now() };
}

export class MemoryDisk implements Disk {
  private root: DirectoryNode = newDirectory();
  /** Called after each change with what it was: `rename /a`. A change that throws here has happened. */
  changed: (what: string) => void = () => undefined;
  /** Called before each write, sync and name: what it throws is what the disk says. */
  attempted: (what: string, path: Bytes) => void = () => undefined;

  private find(path: Bytes): Node | undefined {
    let at: Node = this.root;
    for (const part of path.split('/')) {
      if (part === '' || part === '.') continue;
      if (at.kind !== 'directory') return undefined;
      const next = at.names.get(part);
      if (next === undefined) return undefined;
      at = next;
    }
    return at;
  }

  private parent(path: Bytes): { readonly directory: DirectoryNode; readonly name: Bytes } {
    const cut = path.lastIndexOf('/');
    const directory = this.find(path.slice(0, cut));
    if (directory?.kind !== 'directory') throw failed(ERRNO.ENOENT, path);
    return { directory, name: path.slice(cut + 1) };
  }

  private handle(node: FileNode, path: Bytes): DiskFile {
    return {
      size: () => node.content.length,
      read: async (into, position) => {
        const piece = node.content.slice(position, position + into.length);
        into.set(toArray(piece));
        return piece.length;
      },
      write: (bytes, position) => {
        this.attempted('write', path);
        const before = node.content.padEnd(position, '\0').slice(0, position);
        node.content = before + fromArray(bytes) + node.content.slice(position + bytes.length);
        node.modified = Date.now();
        this.changed(`write ${path}`);
      },
      truncate: (size) => {
        node.content = node.content.slice(0, size).padEnd(size, '\0');
        this.changed(`truncate ${path}`);
      },
      sync: async () => {
        this.attempted('sync', path);
        node.synced = node.content;
        this.changed(`sync ${path}`);
      },
      close: () => undefined,
    };
  }

  open(path: Bytes): DiskFile | undefined {
    const node = this.find(path);
    return node?.kind === 'file' ? this.handle(node, path) : undefined;
  }

  update(path: Bytes): DiskFile {
    return this.open(path) ?? this.create(path);
  }

  create(path: Bytes): DiskFile {
    this.attempted('create', path);
    const { directory, name } = this.parent(path);
    if (directory.names.has(name)) throw failed(ERRNO.EEXIST, path);
    const node = newFile();
    directory.names.set(name, node);
    this.changed(`create ${path}`);
    return this.handle(node, path);
  }

  readFile(path: Bytes, limit: number): Uint8Array | undefined {
    const node = this.find(path);
    if (node?.kind !== 'file') return undefined;
    if (node.content.length > limit) throw failed(ERRNO.EFBIG, path);
    return toArray(node.content);
  }

  stat(path: Bytes): DiskStat | undefined {
    const node = this.find(path);
    if (node === undefined) return undefined;
    const size = node.kind === 'file' ? node.content.length : 0;
    const modified = node.kind === 'file' ? node.modified : 0;
    return { type: node.kind, mode: 0o700, uid: 0, size, ino: node.ino, allocated: size, modified };
  }

  list(path: Bytes): readonly DiskName[] | undefined {
    const node = this.find(path);
    if (node?.kind !== 'directory') return undefined;
    return [...node.names].map(([name, { kind }]) => ({ name, type: kind }));
  }

  makeDirectory(path: Bytes): boolean {
    this.attempted('mkdir', path);
    const { directory, name } = this.parent(path);
    if (directory.names.has(name)) return false;
    directory.names.set(name, newDirectory());
    this.changed(`mkdir ${path}`);
    return true;
  }

  rename(from: Bytes, to: Bytes): void {
    this.attempted('rename', from);
    const source = this.parent(from);
    const target = this.parent(to);
    const node = source.directory.names.get(source.name);
    if (node === undefined) throw failed(ERRNO.ENOENT, from);
    const there = target.directory.names.get(target.name);
    if (there?.kind === 'directory') throw failed(ERRNO.EEXIST, to);
    source.directory.names.delete(source.name);
    target.directory.names.set(target.name, node);
    this.changed(`rename ${from} to ${to}`);
  }

  remove(path: Bytes): boolean {
    const node = this.find(path);
    if (node === undefined) return false;
    if (node.kind === 'directory') throw failed(ERRNO.EISDIR, path);
    const { directory, name } = this.parent(path);
    directory.names.delete(name);
    this.changed(`unlink ${path}`);
    return true;
  }

  removeDirectory(path: Bytes): boolean {
    const node = this.find(path);
    if (node?.kind !== 'directory') return false;
    if (node.names.size > 0) throw failed(ERRNO.ENOTEMPTY, path);
    const { directory, name } = this.parent(path);
    directory.names.delete(name);
    this.changed(`rmdir ${path}`);
    return true;
  }

  async syncDirectory(path: Bytes): Promise<void> {
    this.attempted('sync', path);
    const node = this.find(path);
    if (node?.kind !== 'directory') throw failed(ERRNO.ENOENT, path);
    node.synced = new Map(node.names);
    this.changed(`sync ${path}`);
  }

  /** syncfs(2). */
  syncAll(): void {
    const visit = (node: Node): void => {
      if (node.kind === 'file') {
        node.synced = node.content;
        return;
      }
      node.synced = new Map(node.names);
      for (const below of node.names.values()) visit(below);
    };
    visit(this.root);
    this.changed('syncfs');
  }

  space(): { size: number; available: number } {
    return { size: 2 ** 40, available: 2 ** 39 };
  }

  /** The disk as it comes up after the power went at this moment. */
  afterCrash(choice: CrashChoice): MemoryDisk {
    const disk = new MemoryDisk();
    const seen = new Map<Node, Node>();
    disk.root = survivor(this.root, choice, seen) as DirectoryNode;
    return disk;
  }

  /** Changes one byte of a file, as a failing disk does. */
  damage(path: Bytes): void {
    const node = this.find(path);
    if (node?.kind !== 'file') throw failed(ERRNO.ENOENT, path);
    const { content } = node;
    node.content =
      content === '' ? 'x' : `${String.fromCharCode(content.charCodeAt(0) ^ 1)}${content.slice(1)}`;
    node.synced = node.content;
  }
}

/** One file of two names is one file afterwards as well. */
function survivor(node: Node, choice: CrashChoice, seen: Map<Node, Node>): Node {
  const known = seen.get(node);
  if (known !== undefined) return known;
  if (node.kind === 'file') {
    const fresh = newFile();
    seen.set(node, fresh);
    const kept = { all: node.content, synced: node.synced ?? '', zeros: '\0'.repeat(node.content.length) };
    fresh.content = node.synced === node.content ? node.content : kept[choice.content()];
    fresh.synced = fresh.content;
    return fresh;
  }
  const fresh = newDirectory();
  seen.set(node, fresh);
  for (const name of new Set([...node.names.keys(), ...node.synced.keys()])) {
    const [now, before] = [node.names.get(name), node.synced.get(name)];
    const kept = now !== before && !choice.name() ? before : now;
    // A directory has one name: a rename of it is there or not.
    if (kept === undefined || (kept.kind === 'directory' && seen.has(kept))) continue;
    fresh.names.set(name, survivor(kept, choice, seen));
  }
  fresh.synced = new Map(fresh.names);
  return fresh;
}
