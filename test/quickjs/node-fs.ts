// Stands in for `node:fs` where there is no Node: what the test of golden plans reads its texts with.

declare const std: { loadFile(path: string): string | null };
declare const os: { readdir(path: string): [string[], number]; stat(path: string): [object | null, number] };

export function existsSync(path: string): boolean {
  return os.stat(path)[1] === 0;
}

/** The text of a file in UTF-8. */
export function readFileSync(path: string): string {
  const text = std.loadFile(path);
  if (text === null) throw new Error(`${path} cannot be read`);
  return text;
}

export function readdirSync(path: string): string[] {
  const [names, error] = os.readdir(path);
  if (error !== 0) throw new Error(`${path} cannot be read`);
  return names.filter((name) => name !== '.' && name !== '..');
}

function readOnly(): never {
  throw new Error('tests under QuickJS write no files');
}

export const mkdirSync = readOnly;
export const rmSync = readOnly;
export const writeFileSync = readOnly;
