// `caisson system df`.
import { containerSummaries, isUp } from '../../engine/containers/list.ts';
import { containerSizes } from '../../engine/containers/size.ts';
import type { ContainerSummary } from '../../engine/containers/summary.ts';
import { placesInUse } from '../../engine/images/container-place.ts';
import { createdAt } from '../../engine/images/filter.ts';
import { usedPins } from '../../engine/images/garbage.ts';
import { imagesOf } from '../../engine/images/shop.ts';
import { type VolumeUsage, volumesBeside, volumeUsage } from '../../engine/volumes/usage.ts';
import { boolean, value } from '../../frontends/flag.ts';
import { familiarName } from '../../spec/reference.ts';
import { type Command, flagOn, flagText } from '../command.ts';
import { containerEngine } from '../container-engine.ts';
import { containerRow } from '../container-row.ts';
import type { Context } from '../context.ts';
import { formatList, type Row } from '../format.ts';
import { humanSince, humanSize } from '../human.ts';
import { ending, inShop } from '../image-shop.ts';

const SHAPE = {
  columns: '{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}',
  heads: { Type: 'TYPE', TotalCount: 'TOTAL', Active: 'ACTIVE', Size: 'SIZE', Reclaimable: 'RECLAIMABLE' },
};

const IMAGES_SHAPE = {
  columns:
    '{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}',
  heads: {
    Repository: 'REPOSITORY',
    Tag: 'TAG',
    ID: 'IMAGE ID',
    CreatedSince: 'CREATED',
    Size: 'SIZE',
    SharedSize: 'SHARED SIZE',
    UniqueSize: 'UNIQUE SIZE',
    Containers: 'CONTAINERS',
  },
};

const CONTAINERS_SHAPE = {
  columns:
    '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}',
  heads: {
    ID: 'CONTAINER ID',
    Image: 'IMAGE',
    Command: 'COMMAND',
    LocalVolumes: 'LOCAL VOLUMES',
    Size: 'SIZE',
    RunningFor: 'CREATED',
    Status: 'STATUS',
    Names: 'NAMES',
  },
};

const VOLUMES_SHAPE = {
  columns: '{{.Name}}\t{{.Links}}\t{{.Size}}',
  heads: { Name: 'VOLUME NAME', Links: 'LINKS', Size: 'SIZE' },
};

export const command: Command = {
  name: 'system df',
  summary: 'Show disk usage',
  usage: '[OPTIONS]',
  flags: [
    value('format', 'Format output using a custom template: table, table TEMPLATE, json or TEMPLATE'),
    boolean('verbose', 'Show detailed information on space usage', { short: 'v' }),
  ],
  arguments: [0, 0],
  run: ending(async (parsed, context) => {
    const found = await gather(context);
    if (flagOn(parsed, 'verbose')) {
      context.out('Images space usage:\n');
      context.port.write(1, formatList(found.images, IMAGES_SHAPE, flagText(parsed, 'format')));
      context.out('\nContainers space usage:\n');
      context.port.write(1, formatList(found.containers, CONTAINERS_SHAPE, flagText(parsed, 'format')));
      context.out('\nLocal Volumes space usage:\n');
      context.port.write(1, formatList(found.volumes, VOLUMES_SHAPE, flagText(parsed, 'format')));
      return;
    }
    context.port.write(1, formatList(found.rows, SHAPE, flagText(parsed, 'format')));
  }),
};

interface Gathered {
  readonly rows: readonly Row[];
  readonly images: readonly Row[];
  readonly containers: readonly Row[];
  readonly volumes: readonly Row[];
}

/** All containers, and the bytes that each has written. */
async function writtenBy(context: Context) {
  const engine = await containerEngine(context);
  const all = await containerSummaries(engine, { all: true });
  return { all, sizes: await containerSizes(engine, all) };
}

async function gather(context: Context): Promise<Gathered> {
  const { all, sizes } = await writtenBy(context);
  return await inShop(context, async (shop) => {
    const { port, store } = shop;
    const containers = placesInUse(port, store.root);
    const written = (some: readonly ContainerSummary[]) =>
      some.reduce((sum, { id }) => sum + (sizes.get(id)?.changes ?? 0), 0);
    const stopped = all.filter((each) => !isUp(each));
    const used = new Set(containers.map(({ image }) => image.digest));
    const usage = await store.usage(usedPins(shop));
    const images = (await imagesOf(shop)).sort((a, b) => createdAt(b) - createdAt(a));
    const size = usage.blobs.bytes + usage.layers.bytes;
    const unused = usage.images.filter(({ digest, pinned }) => !used.has(digest) && !pinned);
    const free = unused.reduce((sum, { unique }) => sum + unique, 0) + usage.garbage;
    const now = Date.now();
    const volumes = await volumeUsage(volumesBeside(shop));
    return {
      containers: all.map((each) => ({
        ...containerRow(each, { whole: false, now }),
        Size: humanSize(sizes.get(each.id)?.changes ?? 0, 3),
      })),
      volumes: volumes.map(
        ({ name, links, size: bytes }): Row => ({ Name: name, Links: String(links), Size: humanSize(bytes) }),
      ),
      rows: [
        rowOf('Images', usage.images.length, used.size, size, free),
        rowOf('Containers', all.length, all.length - stopped.length, written(all), written(stopped)),
        volumesRow(volumes),
        rowOf('Unfinished', usage.unfinished.count, 0, usage.unfinished.bytes, usage.unfinished.bytes),
        rowOf('Quarantine', usage.quarantine.count, 0, usage.quarantine.bytes, usage.quarantine.bytes),
      ],
      images: images.map((image): Row => {
        const own = usage.images.find(({ digest }) => digest === image.top.digest);
        const name = image.names.find(({ tag }) => tag !== undefined) ?? image.names[0];
        return {
          Repository: name === undefined ? '<none>' : familiarName(name),
          Tag: name?.tag ?? '<none>',
          ID: image.id.slice(7, 19),
          CreatedSince: humanSince(image.config.created, now),
          Size: humanSize((own?.blobs ?? 0) + (own?.layers ?? 0)),
          SharedSize: humanSize(own?.shared ?? 0),
          UniqueSize: humanSize(own?.unique ?? 0),
          Containers: String(
            containers.filter(({ image: { digest } }) => digest === image.top.digest).length,
          ),
        };
      }),
    };
  });
}

function volumesRow(volumes: readonly VolumeUsage[]): Row {
  const sum = (some: readonly VolumeUsage[]) => some.reduce((total, { size }) => total + size, 0);
  const unused = volumes.filter(({ links }) => links === 0);
  const active = volumes.length - unused.length;
  return rowOf('Local Volumes', volumes.length, active, sum(volumes), sum(unused));
}

function rowOf(type: string, total: number, active: number, size: number, free: number): Row {
  const share = size === 0 ? '' : ` (${Math.floor((100 * free) / size)}%)`;
  return {
    Type: type,
    TotalCount: String(total),
    Active: String(active),
    Size: humanSize(size),
    Reclaimable: `${humanSize(free)}${share}`,
  };
}
