// Parses /proc/PID/cgroup: the cgroup of a process in every hierarchy (cgroups(7)).
import type { Bytes } from '../linux/bytes.ts';

/** One line of /proc/PID/cgroup. */
export interface Membership {
  /** 0 is cgroup v2. */
  readonly id: number;
  /** `cpu`, `cpuacct`, or `name=systemd`; empty for cgroup v2. */
  readonly controllers: readonly Bytes[];
  /** Relative to the reader's cgroup namespace; starts with `/..` where the process is outside of it. */
  readonly path: Bytes;
}

const DELETED = ' (deleted)';

/** The lines of /proc/PID/cgroup in their order. Throws SyntaxError on another format. */
export function parseMemberships(text: Bytes): Membership[] {
  const found: Membership[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const list = line.indexOf(':') + 1;
    const at = line.indexOf(':', list) + 1;
    const id = Number(line.slice(0, Math.max(list - 1, 0)));
    if (list < 2 || at === 0 || !Number.isInteger(id) || line[at] !== '/') {
      throw new SyntaxError(`not a line of /proc/PID/cgroup: ${line}`);
    }
    const controllers = at - 1 === list ? [] : line.slice(list, at - 1).split(',');
    const path = line.slice(at);
    const whole = path.endsWith(DELETED) ? path.slice(0, -DELETED.length) : path;
    found.push({ id, controllers, path: whole });
  }
  return found;
}
