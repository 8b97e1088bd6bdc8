// Stands in for `node:path` and `node:url` where there is no Node: what tests find the repository with.

/** Joins absolute and relative paths that have no `.` or `..` in them. */
export function join(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('/');
}

/** The directory of an absolute path. */
export function dirname(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

export function fileURLToPath(url: string): string {
  return decodeURIComponent(url.replace(/^file:\/\//, ''));
}
