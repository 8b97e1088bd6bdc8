// What a container reads and writes: the tables of v1's block I/O controller, and io.stat of v2 in their shape.
import type { Bytes } from '../linux/bytes.ts';
import {
  type BlkioEntry,
  type Pressure,
  parseBlkio,
  parseNestedKeyed,
  parseNumber,
  parsePressure,
} from './statistics-files.ts';

/** The tables of `runc events --stats` (runc types/events.go), under the same names. */
export const BLKIO_TABLES = [
  'ioServiceBytesRecursive',
  'ioServicedRecursive',
  'ioQueueRecursive',
  'ioServiceTimeRecursive',
  'ioWaitTimeRecursive',
  'ioMergedRecursive',
  'ioTimeRecursive',
  'sectorsRecursive',
] as const;

export type BlkioTable = (typeof BLKIO_TABLES)[number];

export type BlkioStatistics = Readonly<Partial<Record<BlkioTable, readonly BlkioEntry[]>>> & {
  readonly psi?: Pressure;
};

/** Whoever schedules the device counts: BFQ, or else the layer above. BFQ's own tables but two are a debug option. */
const V1: Readonly<Record<BlkioTable, readonly Bytes[]>> = {
  ioServiceBytesRecursive: [
    'blkio.bfq.io_service_bytes_recursive',
    'blkio.throttle.io_service_bytes_recursive',
  ],
  ioServicedRecursive: ['blkio.bfq.io_serviced_recursive', 'blkio.throttle.io_serviced_recursive'],
  ioQueueRecursive: ['blkio.bfq.io_queued_recursive'],
  ioServiceTimeRecursive: ['blkio.bfq.io_service_time_recursive'],
  ioWaitTimeRecursive: ['blkio.bfq.io_wait_time_recursive'],
  ioMergedRecursive: ['blkio.bfq.io_merged_recursive'],
  ioTimeRecursive: ['blkio.bfq.time_recursive'],
  sectorsRecursive: ['blkio.bfq.sectors_recursive'],
};

/** Every file that `blkioV1` reads. */
export const BLKIO_FILES: readonly Bytes[] = Object.values(V1).flat();

type Reader = (name: Bytes) => Bytes | undefined;

/** The first file that has entries; empty tables are left out. */
export function blkioV1(read: Reader): BlkioStatistics {
  const tables: Partial<Record<BlkioTable, readonly BlkioEntry[]>> = {};
  for (const table of BLKIO_TABLES) {
    const found = V1[table].map((file) => parseBlkio(read(file))).find((entries) => entries.length > 0);
    if (found !== undefined) tables[table] = found;
  }
  return tables;
}

/** io.stat under v1's names: rbytes and wbytes are bytes, rios and wios operations. */
export function blkioV2(read: Reader): BlkioStatistics {
  const bytes: BlkioEntry[] = [];
  const operations: BlkioEntry[] = [];
  for (const [device, values] of parseNestedKeyed(read('io.stat'))) {
    const [major, minor] = device.split(':').map(Number);
    if (major === undefined || minor === undefined) continue;
    for (const [key, op, table] of [
      ['rbytes', 'Read', bytes],
      ['wbytes', 'Write', bytes],
      ['rios', 'Read', operations],
      ['wios', 'Write', operations],
    ] as const) {
      const value = parseNumber(values.get(key));
      if (value !== undefined) table.push({ major, minor, op, value });
    }
  }
  const psi = parsePressure(read('io.pressure'));
  return {
    ...(bytes.length === 0 ? {} : { ioServiceBytesRecursive: bytes }),
    ...(operations.length === 0 ? {} : { ioServicedRecursive: operations }),
    ...(psi === undefined ? {} : { psi }),
  };
}
