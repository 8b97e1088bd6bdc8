// Stands in for `node:fs` where there is no Node: what the test of golden plans reads its texts with.
import { list, readFile, stat } from '../../src/host/quickjs-files.ts';
import { bytesToUtf8, utf8ToBytes } from '../../src/linux/bytes.ts';

export function existsSync(path: string): boolean {
  return stat(utf8ToBytes(path)) !== undefined;
}

/** The text of a file in UTF-8. */
export function readFileSync(path: string): string {
  const bytes = readFile(utf8ToBytes(path));
  if (bytes === undefined) throw new Error(`${path} cannot be read`);
  return bytesToUtf8(bytes);
}

export function readdirSync(path: string): string[] {
  return list(utf8ToBytes(path)).map(bytesToUtf8);
}

function readOnly(): never {
  throw new Error('tests under QuickJS write no files');
}

export const mkdirSync = readOnly;
export const rmSync = readOnly;
export const writeFileSync = readOnly;
