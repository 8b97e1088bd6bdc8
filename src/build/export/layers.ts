// Makes layers of results: an archive of the changed files, compressed, in the store; made once and remembered.
import type { Disk } from '../../host/disk.ts';
import type { Port } from '../../host/port.ts';
import { layerMediaType } from '../../image/layer/compress.ts';
import type { WrittenLayer } from '../../image/layer/write.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Compression } from '../../spec/media-types.ts';
import { layerCompression } from '../../spec/media-types.ts';
import { readBlob, treeOf, writeBlob } from '../cache/steps.ts';
import type { ResultLayer, StepLayer } from '../execute/result.ts';

/** How layers are written. */
export interface LayerForm {
  readonly compression: Compression;
  readonly level: number | undefined;
  /** SOURCE_DATE_EPOCH in seconds: no time in the layers of this build is later. */
  readonly epoch: number | undefined;
}

export interface ExportedLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  /** The directory of a result; undefined for a layer of a base image. */
  readonly directory: Bytes | undefined;
}

/** Stores content whose digest is known at its end. */
export type StoreContent = (
  mediaType: string,
  produce: (sink: (chunk: Uint8Array) => void) => Promise<WrittenLayer>,
) => Promise<{ readonly descriptor: Descriptor; readonly result: WrittenLayer }>;

export interface LayerExport {
  readonly port: Port;
  readonly disk: Disk;
  has(digest: Digest): boolean;
  readonly store: StoreContent;
}

/** The layers of a result, lowest first, all of them in the store. Throws CaissonError. */
export async function exportLayers(
  to: LayerExport,
  layers: readonly ResultLayer[],
  form: LayerForm,
): Promise<ExportedLayer[]> {
  const exported: ExportedLayer[] = [];
  for (const layer of layers) {
    if (layer.kind === 'step') exported.push(await exportStep(to, layer, form));
    else if (layer.kind === 'host') throw noImageOfHost();
    else
      exported.push({ descriptor: ociLayer(layer.descriptor), diffId: layer.diffId, directory: undefined });
  }
  return exported;
}

/** The error for an image on this machine's own files. */
export function noImageOfHost(): CaissonError {
  return new CaissonError(
    'the result stands on host, the files of this machine, which are in no layer: there is no image of it',
    {
      code: 'EBUILD',
      exitCode: 1,
      details: [
        'copy what is needed into a stage of its own: FROM scratch, COPY --from=STAGE /path /',
        'for a copy of the whole machine: FROM scratch, COPY --from=host / /',
      ],
    },
  );
}

/** In an OCI manifest the same layer has OCI's media type. */
function ociLayer(descriptor: Descriptor): Descriptor {
  const compression = layerCompression(descriptor.mediaType);
  if (compression === undefined) return descriptor;
  const { digest, size } = descriptor;
  return { mediaType: layerMediaType(compression), digest, size };
}

/** The layer of one result. */
export async function exportStep(
  to: LayerExport,
  { step }: StepLayer,
  form: LayerForm,
): Promise<ExportedLayer> {
  const { port, disk } = to;
  const { compression, level, epoch } = form;
  const variant = [
    compression,
    ...(level === undefined ? [] : [level]),
    ...(epoch === undefined ? [] : [epoch]),
  ].join('-');
  const known = readBlob(disk, step.directory, variant);
  if (known !== undefined && to.has(known.digest)) {
    const { mediaType, digest, size, diffId } = known;
    return { descriptor: { mediaType, digest, size }, diffId, directory: step.directory };
  }
  const { writeLayer } = await import('../../image/layer/write.ts');
  const options = {
    form: 'overlay',
    compression,
    cause: step.title,
    exclude: (path: Bytes) => refuseMark(path, step.title),
    ...(level === undefined ? {} : { level }),
    ...(epoch === undefined ? {} : { epoch }),
  } as const;
  const { descriptor, result } = await to.store(layerMediaType(compression), (sink) =>
    writeLayer(port, treeOf(step), options, sink),
  );
  writeBlob(port, step.directory, variant, { ...descriptor, diffId: result.diffId });
  return { descriptor, diffId: result.diffId, directory: step.directory };
}

/** In a layer a name that begins with `.wh.` removes a file (image-spec, layer.md): it would not be what was built. */
function refuseMark(path: Bytes, title: string): boolean {
  if (!path.slice(path.lastIndexOf('/') + 1).startsWith('.wh.')) return false;
  throw new CaissonError(`/${path} cannot be in a layer, where its name means that another file is removed`, {
    code: 'EBUILD',
    exitCode: 1,
    details: [`it was made by ${title}`],
  });
}
