// A container that lives with its command, seen as one that stays: what its record and its image's directory tell.
import type { Bytes } from '../../linux/bytes.ts';
import type { ContainerRecord } from '../../runtime/state.ts';
import { placesInUse } from '../images/container-place.ts';
import { CONTAINER_VERSION, type ContainerFile } from './container-file.ts';
import type { Engine } from './engine.ts';
import type { ContainerView } from './find.ts';
import { boundRecords, firstProcessOf } from './list.ts';
import { boundSummary } from './summary.ts';

/** The record of the container of that name or id, or the beginning of one; undefined when there is none. */
export function findBound(engine: Engine, text: Bytes): ContainerRecord | undefined {
  const name = text.startsWith('/') ? text.slice(1) : text;
  const records = boundRecords(engine);
  const exact = records.find((record) => record.id === name || record.name === name);
  if (exact !== undefined || name === '') return exact;
  const begun = records.filter(({ id }) => id.startsWith(name));
  return begun.length === 1 ? begun[0] : undefined;
}

/** undefined where no such container runs. */
export function boundView(engine: Engine, text: Bytes): ContainerView | undefined {
  const record = findBound(engine, text);
  if (record === undefined) return undefined;
  const { status, pid, startedAt } = boundSummary(record, firstProcessOf(engine, record));
  const run =
    startedAt === undefined
      ? undefined
      : { number: 1, bootId: record.bootId, startedAt, restarts: 0, backoff: 0 };
  const file = fileOf(engine, record);
  return { file, status, pid, run, exit: undefined, record: undefined, unsettled: false };
}

function fileOf(engine: Engine, record: ContainerRecord): ContainerFile {
  const owner = placesInUse(engine.port, engine.dataRoot).find(({ id }) => id === record.id);
  const { name, image, args, created, labels, network } = boundSummary(record, undefined);
  return {
    version: CONTAINER_VERSION,
    id: record.id,
    name,
    created: owner?.created ?? created,
    image,
    imageId: owner?.imageId ?? '',
    root: owner === undefined ? 'host' : 'image',
    flags: { network },
    command: [],
    cwd: '/',
    environment: [],
    files: [],
    config: {},
    args,
    labels,
    mounts: [],
    volumes: [],
    anonymousVolumes: [],
    stopSignal: record.stopSignal ?? SIGTERM,
    stopTimeout: 10_000,
    autoRemove: true,
    restart: { name: 'no', maximum: 0 },
    log: { driver: 'none', options: {}, size: 0, files: 1 },
    tty: false,
    openStdin: false,
  };
}

/** signal(7). */
const SIGTERM = 15;
