// Where mounts go in a root that is a directory of the host, as runc finds it before it mounts: links are followed as
// far as they lead, and a tmpfs takes the mode of the directory that it covers.
//
// Only names come from here. Every path is resolved again when it is mounted on, by descriptors that cannot leave the
// root (src/plan/compile/destination.ts), so that a link which changes meanwhile leads nowhere else.
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { parseMountOptions } from '../spec/mount-options.ts';
import type { Mount, Spec } from '../spec/runtime-spec.ts';

/** path_resolution(7): more links than that are a loop. */
const LINK_LIMIT = 40;

/** Must be real directories of the root: a link there is refused, not followed. */
const REAL_DIRECTORIES: readonly (Bytes | undefined)[] = ['proc', 'sys', 'dev'];

/** The mode of a tmpfs that covers nothing: the kernel's own, which mountinfo then leaves out. */
const TMPFS_MODE = 0o1777;

/**
 * The specification with destinations that contain no link, and modes of tmpfs. A link that dangles is followed to where
 * it would lead: images have such as /etc/resolv.conf, and engines mount on them. What an earlier mount covers is left as it is.
 */
export function withMountPoints(port: Port, spec: Spec): Spec {
  const root = spec.root?.path;
  const { mounts } = spec;
  const { readLink } = port;
  if (root === undefined || mounts === undefined || readLink === undefined) return spec;
  const covered = new Set<Bytes>();
  const placed = mounts.map((mount) => {
    const names = mount.destination.split('/').filter((name) => name !== '' && name !== '.');
    const path = REAL_DIRECTORIES.includes(names[0])
      ? undefined
      : followed(names, (at) => readLink(`${root}${at}`), covered);
    covered.add(path ?? `/${names.join('/')}`);
    return path === undefined ? mount : withMode(port, root, { ...mount, destination: path });
  });
  return { ...spec, mounts: placed };
}

/** The path without links; undefined where an earlier mount is on the way, or links lead round and round. */
function followed(
  names: readonly Bytes[],
  target: (at: Bytes) => Bytes | undefined,
  covered: ReadonlySet<Bytes>,
): Bytes | undefined {
  const waiting = [...names].reverse();
  let path = '';
  for (let links = 0; waiting.length > 0; ) {
    const name = waiting.pop() as Bytes;
    if (name === '..') {
      path = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
      continue;
    }
    if (name === '' || name === '.') continue;
    const next = `${path}/${name}`;
    if (covered.has(next)) return undefined;
    const link = target(next);
    if (link === undefined) {
      path = next;
      continue;
    }
    if (++links > LINK_LIMIT) return undefined;
    if (link.startsWith('/')) path = '';
    waiting.push(...link.split('/').reverse());
  }
  return path === '' ? undefined : path;
}

function withMode(port: Port, root: Bytes, mount: Mount): Mount {
  const { bind, data, tmpcopyup } = parseMountOptions(mount.options, mount.type);
  if (mount.type !== 'tmpfs' || bind || tmpcopyup || data.some((option) => option.startsWith('mode=')))
    return mount;
  const below = port.stat(`${root}${mount.destination}`);
  const mode = below?.type === 'directory' ? below.mode & 0o7777 : TMPFS_MODE;
  return { ...mount, options: [`mode=${mode.toString(8).padStart(4, '0')}`, ...(mount.options ?? [])] };
}
