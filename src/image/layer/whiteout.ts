// Names by which a layer says that something of the layers below is gone (image-spec, layer.md, Whiteouts).
import type { Bytes } from '../../linux/bytes.ts';
import { refused, splitPath } from '../member-path.ts';

const PREFIX = '.wh.';
/** AUFS's own files begin so; but for the mark of opaque directories no engine heeds them. */
const METADATA = '.wh..wh.';
const OPAQUE = '.wh..wh..opq';

/** The whiteout of a character device with the number 0:0 (overlayfs.rst, Whiteouts and opaque directories). */
export const OVERLAY_WHITEOUT = 0;

export type Whiteout =
  /** `path` is gone. */
  | { readonly kind: 'gone'; readonly path: Bytes }
  /** Nothing of the layers below is in `path`. */
  | { readonly kind: 'opaque'; readonly path: Bytes }
  | { readonly kind: 'metadata' };

/** Whether a name in a layer says something of another one. */
export function isMark(name: Bytes): boolean {
  return name.startsWith(PREFIX);
}

/** What a member of a layer says in place of itself; undefined for ordinary ones. `path` is of memberPath. */
export function whiteoutOf(path: Bytes): Whiteout | undefined {
  if (!path.includes(PREFIX)) return undefined;
  const { parent, name } = splitPath(path);
  if (`/${parent}`.includes(`/${PREFIX}`)) return { kind: 'metadata' };
  if (!isMark(name)) return undefined;
  if (name === OPAQUE) return { kind: 'opaque', path: parent };
  if (name.startsWith(METADATA)) return { kind: 'metadata' };
  const gone = name.slice(PREFIX.length);
  if (gone === '' || gone === '.' || gone === '..') throw refused(path, 'is the whiteout of no name');
  return { kind: 'gone', path: parent === '' ? gone : `${parent}/${gone}` };
}

/** The name of the whiteout of `name`. */
export function whiteoutName(name: Bytes): Bytes {
  return `${PREFIX}${name}`;
}

export const OPAQUE_NAME = OPAQUE;
