// Parses /proc/PID/mountinfo (proc_pid_mountinfo(5)).
import { type Bytes, isMadeOf } from './bytes.ts';

/** One mount of a mount namespace. */
export interface MountEntry {
  readonly id: number;
  readonly parent: number;
  readonly major: number;
  readonly minor: number;
  /** The directory of the file system that is the root of this mount; ends in `//deleted` when that is gone. */
  readonly root: Bytes;
  /** Relative to the root directory of the process whose file this is. */
  readonly mountPoint: Bytes;
  /** Options of the mount: `rw`, `nosuid`, `relatime`. */
  readonly options: readonly Bytes[];
  /** The peer group it shares mounts with. */
  readonly shared?: number;
  /** The peer group it receives mounts from. */
  readonly master?: number;
  /** The nearest dominant peer group visible from here. */
  readonly propagateFrom?: number;
  readonly unbindable: boolean;
  readonly fsType: Bytes;
  /** What was mounted; may be empty. */
  readonly source: Bytes;
  /** Options of the file system: `rw`, `size=65536k`, `lowerdir=/a:/b`. */
  readonly superOptions: readonly Bytes[];
}

/**
 * The mounts in the order of the file: a parent comes before what is mounted on it; with `type`, only those of file
 * systems whose type begins so. Throws SyntaxError on another format.
 */
export function parseMountinfo(text: Bytes, type = ''): MountEntry[] {
  const entries: MountEntry[] = [];
  // Spaces of paths and options are escaped: the separator is what it looks like.
  const wanted = ` - ${type}`;
  for (const line of text.split('\n')) {
    if (line !== '' && (type === '' || line.includes(wanted))) entries.push(parseLine(line));
  }
  return entries;
}

function parseLine(line: Bytes): MountEntry {
  const separator = line.indexOf(' - ');
  const fields = line.slice(0, Math.max(separator, 0)).split(' ');
  // No regular expression on the way of a start: each takes Bun 0.05 ms to compile.
  const [major = '', minor = '', more] = (fields[2] ?? '').split(':');
  if (fields.length < 6 || !isNumber(major) || !isNumber(minor) || more !== undefined)
    throw new SyntaxError(`not a line of mountinfo: ${line}`);
  const [fsType = '', source = '', ...superOptions] = line.slice(separator + 3).split(' ');
  return {
    id: Number(fields[0]),
    parent: Number(fields[1]),
    major: Number(major),
    minor: Number(minor),
    root: unescapeOctal(fields[3] as string),
    mountPoint: unescapeOctal(fields[4] as string),
    options: splitOptions(fields[5] as string),
    ...(fields.length === 6 ? ALONE : propagation(fields.slice(6))),
    fsType: unescapeOctal(fsType),
    source: unescapeOctal(source),
    superOptions: splitOptions(superOptions.join(' ')),
  };
}

/** Of a mount without optional fields. */
const ALONE = { unbindable: false };

function isNumber(text: Bytes): boolean {
  return text !== '' && isMadeOf(text, '0123456789');
}

function propagation(
  fields: readonly string[],
): Pick<MountEntry, 'shared' | 'master' | 'propagateFrom' | 'unbindable'> {
  const found: { shared?: number; master?: number; propagateFrom?: number } = {};
  for (const field of fields) {
    const number = Number(field.slice(field.indexOf(':') + 1));
    if (field.startsWith('shared:')) found.shared = number;
    else if (field.startsWith('master:')) found.master = number;
    else if (field.startsWith('propagate_from:')) found.propagateFrom = number;
  }
  return { ...found, unbindable: fields.includes('unbindable') };
}

/** Split before unescaping: a comma inside a value is written \054 (seq_show_option in fs/seq_file.c). */
function splitOptions(text: Bytes): Bytes[] {
  return text === '' ? [] : text.split(',').map(unescapeOctal);
}

/** Decodes the kernel's `\040` for space, `\011` tab, `\012` newline, `\134` backslash and any other byte written so. */
export function unescapeOctal(text: Bytes): Bytes {
  if (!text.includes('\\')) return text;
  return text.replace(/\\([0-3][0-7]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
