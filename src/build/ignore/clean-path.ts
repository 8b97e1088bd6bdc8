// Paths as Go's path.Clean makes them: the shortest name of the same file, without looking at any file.

/** `a//b/../c/.` as `a/c`; `` as `.`; `/..` as `/`. */
export function cleanPath(path: string): string {
  const absolute = path.startsWith('/');
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (!absolute) parts.push('..');
  }
  const joined = parts.join('/');
  if (absolute) return `/${joined}`;
  return joined === '' ? '.' : joined;
}

/** The parts joined and cleaned, below `/`: nothing in them leads above it. */
export function absolutePath(...parts: readonly string[]): string {
  return cleanPath(`/${parts.join('/')}`);
}
