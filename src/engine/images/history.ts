// `history`: how an image was made, newest step first.
import type { Bytes } from '../../linux/bytes.ts';
import { type LayerShelf, layerSizes } from './size.ts';
import type { StoredImage } from './stored-image.ts';

/** One step. */
export interface HistoryLine {
  /** Of the image; undefined for steps below, whose images nobody has. */
  readonly id: string | undefined;
  readonly created: Bytes | undefined;
  readonly createdBy: Bytes;
  readonly comment: Bytes;
  /** Bytes that the step has added; 0 where it made no layer. */
  readonly size: number;
}

/** The steps; layers that no step accounts for stand at the bottom. */
export function historyOf(shelf: LayerShelf, image: StoredImage): HistoryLine[] {
  const sizes = layerSizes(shelf, image);
  const lines: HistoryLine[] = [];
  let layer = 0;
  for (const { created, created_by: by, comment, empty_layer: empty } of image.config.history) {
    const size = empty === true ? 0 : (sizes[layer++] ?? 0);
    lines.push({ id: undefined, created, createdBy: by ?? '', comment: comment ?? '', size });
  }
  const untold = sizes.slice(layer).map((size): HistoryLine => {
    return { id: undefined, created: image.config.created, createdBy: '', comment: '', size };
  });
  const newest = [...lines, ...untold].reverse();
  const [first, ...rest] = newest;
  return first === undefined ? [] : [{ ...first, id: image.id }, ...rest];
}
