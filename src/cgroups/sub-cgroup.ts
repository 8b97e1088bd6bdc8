// Cgroups below a container's own, for a process of `exec` (runc exec --cgroup).
import type { Bytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';
import type { Cgroup } from './path.ts';

/** One for all hierarchies has the key `''`. */
type Paths = ReadonlyMap<Bytes, Bytes>;

/**
 * The cgroups that `--cgroup` arguments mean: `path` in every hierarchy, or `controller[,controller]:path` in the
 * hierarchies of these; in the others the container's own. Throws CaissonError EUSAGE in runc's words.
 */
export function subCgroups(cgroups: readonly Cgroup[], given: readonly Bytes[]): Cgroup[] {
  const paths = parsePaths(given);
  for (const controller of paths.keys()) {
    if (controller === '' || cgroups.some((cgroup) => names(cgroup).includes(controller))) continue;
    throw usage(`unknown controller ${controller} in SubCgroupPaths`);
  }
  return cgroups.map((cgroup) => {
    const asked = names(cgroup).find((name) => paths.has(name));
    const path = paths.get(asked ?? '');
    return path === undefined ? cgroup : { ...cgroup, directory: below(cgroup.directory, path) };
  });
}

/** As /proc/PID/cgroup and runc name them. */
function names({ version, controllers }: Cgroup): readonly Bytes[] {
  return version === 2 ? [] : controllers;
}

function parsePaths(given: readonly Bytes[]): Paths {
  const paths = new Map<Bytes, Bytes>();
  for (const argument of given) {
    const colon = argument.indexOf(':');
    if (colon < 0) {
      if (given.length > 1)
        throw usage(`invalid --cgroup argument: ${argument} (missing <controller>: prefix)`);
      paths.set('', argument);
      continue;
    }
    for (const controller of argument.slice(0, colon).split(',')) {
      if (controller === '')
        throw usage(`invalid --cgroup argument: ${argument} (empty <controller> prefix)`);
      if (paths.has(controller))
        throw usage(`invalid --cgroup argument(s): controller ${controller} specified multiple times`);
      paths.set(controller, argument.slice(colon + 1));
    }
  }
  return paths;
}

/** `path` below `directory`, `..` taken away by name alone, as these directories have no links. */
function below(directory: Bytes, path: Bytes): Bytes {
  const parts: Bytes[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) throw usage(`bad sub cgroup path: ${path}`);
  }
  return [directory, ...parts].join('/');
}

function usage(message: string): CaissonError {
  return new CaissonError(message, { code: 'EUSAGE', sources: ['--cgroup'] });
}
