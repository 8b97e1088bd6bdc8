// `caisson system capacity`.
import { type Capacity, cores, type Share } from '../../engine/capacity/capacity.ts';
import { readCapacity } from '../../engine/capacity/holders.ts';
import { value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { stringifyJson } from '../../spec/json.ts';
import { type Command, flagText } from '../command.ts';
import { formatInspection, formatList, type ListShape, type Row } from '../format.ts';
import { binarySize } from '../human.ts';
import { ending } from '../image-shop.ts';
import { stateRoot } from '../state-root.ts';

const SHAPE: ListShape = {
  columns: '{{.Resource}}\t{{.Total}}\t{{.Reserved}}\t{{.Free}}',
  heads: { Resource: 'RESOURCE', Total: 'TOTAL', Reserved: 'RESERVED', Free: 'FREE' },
};

const HOLDERS: ListShape = {
  columns: '{{.ID}}\t{{.Name}}\t{{.Units}}\t{{.Memory}}',
  heads: { ID: 'CONTAINER ID', Name: 'NAME', Units: 'CPU UNITS', Memory: 'MEMORY' },
};

export const command: Command = {
  name: 'system capacity',
  summary: 'Show CPU units and memory: how much there is, what is reserved, and who holds it',
  usage: '[OPTIONS]',
  description:
    'A container reserves what --cpu-units and --memory-reservation say while it runs; one that does not fit is not\n' +
    'started. 1024 units are one core.',
  examples: ['caisson system capacity', "caisson system capacity --format '{{.Units.Free}}'"],
  flags: [value('format', 'Format output using a custom template: table, json or TEMPLATE')],
  arguments: [0, 0],
  run: ending((parsed, context) => {
    const found = readCapacity(context.port, stateRoot(context));
    context.port.write(1, formatted(found, flagText(parsed, 'format') ?? ''));
    return Promise.resolve();
  }),
};

function formatted(found: Capacity, format: Bytes): Bytes {
  if (format === '' || format === 'table') return tables(found);
  if (format === 'json') return `${stringifyJson(shownValue(found))}\n`;
  return formatInspection([shownValue(found)], format);
}

function tables({ cpus, units, memory, holders }: Capacity): Bytes {
  const rows: Row[] = [
    rowOf(`CPU units (${cores(cpus)})`, units, String),
    rowOf('Memory', memory, (bytes) => (bytes < 0 ? `-${binarySize(-bytes)}` : binarySize(bytes))),
  ];
  const held = holders.map(
    (holder): Row => ({
      ID: holder.id.slice(0, 12),
      Name: holder.name ?? '',
      Units: String(holder.cpuUnits),
      Memory: binarySize(holder.memory),
    }),
  );
  const list = formatList(rows, SHAPE, undefined);
  return held.length === 0 ? list : `${list}\n${formatList(held, HOLDERS, undefined)}`;
}

function rowOf(resource: Bytes, { total, reserved, free }: Share, text: (amount: number) => Bytes): Row {
  return { Resource: resource, Total: text(total), Reserved: text(reserved), Free: text(free) };
}

/** For templates and JSON: units and bytes as numbers. */
function shownValue({ cpus, units, memory, holders }: Capacity) {
  const share = ({ total, reserved, free }: Share) => ({ Total: total, Reserved: reserved, Free: free });
  return {
    CPUs: cpus,
    Units: share(units),
    Memory: share(memory),
    Holders: holders.map(({ id, name, cpuUnits, memory: bytes }) => ({
      ID: id,
      Name: name ?? '',
      Units: cpuUnits,
      Memory: bytes,
    })),
  };
}
