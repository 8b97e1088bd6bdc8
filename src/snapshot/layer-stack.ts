// The lower layers of an overlay: how their names reach the kernel, of any number and on any kernel from 5.15 on.
//
// Facts (Documentation/filesystems/overlayfs.rst; measured on 6.18 unless a version is given):
// * From 6.5 each layer is a string `lowerdir+` of its own, the uppermost first, looked up when it is given. A string of
//   fsconfig(2) ends at 255 bytes, so the names are relative to the directory of the layers.
// * Before, `lowerdir` is one string for all: fsconfig(2) would hold three layers. mount(2) takes a page (4,096 bytes), so
//   each layer has a link with a name of at most three digits, in a directory of the engine's that is the current one.
// * The kernel stacks at most 500 layers (OVL_MAX_STACK).
import type { Bytes } from '../linux/bytes.ts';
import { ERRNO } from '../linux/errno.ts';
import type { Call, Slot } from '../plan/call.ts';
import * as sys from '../plan/syscalls.ts';
import { CaissonError } from '../spec/error.ts';

/** Unpacked layers of an image. */
export interface LayerStack {
  /** The host directory that holds them, absolute. */
  readonly directory: Bytes;
  /** Paths below `directory`, the lowest layer first. */
  readonly layers: readonly Bytes[];
  /** Which of them says whose the root directory is and what mode it has; the uppermost without. */
  readonly rootOf?: number;
}

const MOST_LAYERS = 500;

/** Whether this kernel takes `lowerdir+`. */
export function takesLayersOneByOne([major, minor]: readonly [number, number]): boolean {
  return major > 6 || (major === 6 && minor >= 5);
}

/** Throws CaissonError EUNSUPPORTED where there are more layers than an overlay has. */
export function checkLayerCount(count: number): void {
  if (count <= MOST_LAYERS) return;
  throw new CaissonError(
    `the image has ${count} layers, and the kernel stacks ${MOST_LAYERS}: rebuild it with fewer`,
    { code: 'EUNSUPPORTED' },
  );
}

/** From 6.5: `lowerdir+` for each. The current directory is that of the layers. */
export function layerOptions(context: Slot, stack: LayerStack): Call[] {
  return [...stack.layers].reverse().map((layer) => sys.fsconfigString(context, 'lowerdir+', layer));
}

/** Before 6.5: links `0` (the uppermost) and so on in the open directory `links`, in place of what an earlier run left. */
export function layerLinks(links: sys.Fd, stack: LayerStack): Call[] {
  const gone = { tolerate: [ERRNO.ENOENT] };
  return [...stack.layers]
    .reverse()
    .flatMap((layer, index) => [
      sys.unlinkat(links, String(index), 0, gone),
      sys.symlinkat(`${stack.directory}/${layer}`, links, String(index)),
    ]);
}

/** The value of `lowerdir`, with `layerLinks` in the current directory. */
export function linkedLayers(count: number): Bytes {
  return Array.from({ length: count }, (_, index) => String(index)).join(':');
}
