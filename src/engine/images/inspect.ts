// `image inspect`: all that is known about an image, in docker's shape and order of fields.
import type { Bytes } from '../../linux/bytes.ts';
import { isObject } from '../../spec/check.ts';
import { type JsonValue, parseJson } from '../../spec/json.ts';
import { familiar } from '../../spec/reference.ts';
import { imageSize, type LayerShelf } from './size.ts';
import { configText, type ImageShelf, repoDigests, type StoredImage } from './stored-image.ts';

/** Names of the configuration that are docker's own settings of a container, and mean nothing in an image. */
const CONTAINER_ONLY = ['Hostname', 'Domainname', 'AttachStdin', 'AttachStdout', 'AttachStderr', 'Tty'];
const MORE_CONTAINER_ONLY = ['OpenStdin', 'StdinOnce', 'Image', 'MacAddress', 'NetworkDisabled'];

/** One image; a JSON object. */
export async function inspectImage(shelf: ImageShelf & LayerShelf, image: StoredImage): Promise<JsonValue> {
  const document = parseJson(await configText(shelf, image));
  const fields: Readonly<Record<Bytes, unknown>> = isObject(document) ? document : {};
  const text = (name: Bytes): Bytes => (typeof fields[name] === 'string' ? (fields[name] as Bytes) : '');
  const { config, names, top } = image;
  const tags = names.filter(({ digest }) => digest === undefined).map(familiar);
  const layers = config.diffIds;
  const stored = image.chains.map((chain) => shelf.layers.get(chain));
  const directories = stored.flatMap((layer) => layer?.path ?? []).reverse();
  return {
    Id: image.id,
    RepoTags: tags,
    RepoDigests: repoDigests(image).map(familiar),
    Parent: text('parent'),
    Comment: config.history.at(-1)?.comment ?? '',
    Created: config.created ?? '',
    DockerVersion: text('docker_version'),
    Author: config.author ?? '',
    Config: shownConfig(fields.config),
    Architecture: config.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: config.os,
    ...(config['os.version'] === undefined ? {} : { OsVersion: config['os.version'] }),
    Size: imageSize(shelf, image),
    GraphDriver: { Data: { LowerDir: directories.join(':') }, Name: 'overlay2' },
    RootFS: { Type: 'layers', ...(layers.length === 0 ? {} : { Layers: layers }) },
    Metadata: { LastTagTime: image.namedAt ?? '0001-01-01T00:00:00Z' },
    Descriptor: { mediaType: top.mediaType, digest: top.digest, size: top.size },
  };
}

/** The image's own words, in the order of docker's fields; what is absent is null as there. */
function shownConfig(value: unknown): JsonValue {
  const config = isObject(value) ? (value as Readonly<Record<Bytes, JsonValue>>) : {};
  const hidden = [...CONTAINER_ONLY, ...MORE_CONTAINER_ONLY];
  const first = ['User', 'ExposedPorts', 'Env', 'Entrypoint', 'Cmd', 'Volumes', 'WorkingDir', 'Labels'];
  const shown: Record<Bytes, JsonValue> = {
    User: '',
    Env: null,
    Entrypoint: null,
    Cmd: null,
    Volumes: null,
    WorkingDir: '',
    Labels: null,
    OnBuild: null,
  };
  const rest = Object.keys(config).filter((name) => !first.includes(name) && !hidden.includes(name));
  const ordered: Record<Bytes, JsonValue> = Object.create(null);
  for (const name of [...first, ...rest, 'OnBuild']) {
    const found = Object.hasOwn(config, name) ? config[name] : undefined;
    if (found !== undefined || Object.hasOwn(shown, name)) ordered[name] = found ?? shown[name] ?? null;
  }
  return ordered;
}
