// `caisson volume ls`.
import { filterVolumes } from '../../engine/volumes/filter.ts';
import { volumesInUse } from '../../engine/volumes/in-use.ts';
import { boolean, list, value } from '../../frontends/flag.ts';
import { type Command, flagList, flagOn, flagText } from '../command.ts';
import { formatList, type ListShape, type Row } from '../format.ts';
import { ending } from '../image-shop.ts';
import { openStore } from '../volume-store.ts';

const SHAPE: ListShape = {
  columns: '{{.Driver}}\t{{.Name}}',
  heads: {
    Availability: 'AVAILABILITY',
    Driver: 'DRIVER',
    Group: 'GROUP',
    Labels: 'LABELS',
    Links: 'LINKS',
    Mountpoint: 'MOUNTPOINT',
    Name: 'VOLUME NAME',
    Scope: 'SCOPE',
    Size: 'SIZE',
    Status: 'STATUS',
  },
};

export const command: Command = {
  name: 'volume ls',
  summary: 'List volumes',
  usage: '[OPTIONS]',
  examples: [
    'caisson volume ls --filter dangling=true',
    "caisson volume ls --format '{{.Name}} {{.Mountpoint}}'",
  ],
  flags: [
    list('filter', 'Provide filter values (e.g. "dangling=true")', { short: 'f', takes: 'filter' }),
    value('format', 'Format output using a custom template: table, table TEMPLATE, json or TEMPLATE'),
    boolean('quiet', 'Only display volume names', { short: 'q' }),
  ],
  arguments: [0, 0],
  run: ending(async (parsed, context) => {
    const store = await openStore(context);
    const users = volumesInUse(context.port, store.root);
    const all = store.list((error) => {
      context.warn(error.message);
    });
    const filters = flagList(parsed, 'filter');
    const volumes = filterVolumes(all, filters, users, ['dangling', 'driver', 'label', 'name']);
    const format = flagText(parsed, 'format');
    if (flagOn(parsed, 'quiet') && format === undefined) {
      for (const { name } of volumes) context.out(name);
      return;
    }
    const rows = volumes.map(
      ({ name, labels, mountpoint }): Row => ({
        Availability: 'N/A',
        Driver: 'local',
        Group: 'N/A',
        Labels: Object.entries(labels)
          .map(([key, text]) => `${key}=${text}`)
          .join(','),
        Links: 'N/A',
        Mountpoint: mountpoint,
        Name: name,
        Scope: 'local',
        Size: 'N/A',
        Status: 'N/A',
      }),
    );
    context.port.write(1, formatList(rows, SHAPE, format));
  }),
};
