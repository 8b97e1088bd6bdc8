// A container in one line of a list: of those that stay, and of those that live with their command.
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { ContainerRecord, ProcessIdentity } from '../../runtime/state.ts';
import type { ContainerMount } from './container-file.ts';
import { placeOf } from './engine.ts';
import type { ContainerStatus, ContainerView } from './find.ts';
import { type HealthStatus, healthOf } from './health-record.ts';
import type { ExitRecord } from './run-record.ts';

/** A container as a list shows it. */
export interface ContainerSummary {
  readonly id: Bytes;
  /** The beginning of its id where nobody has given it one. */
  readonly name: Bytes;
  /** As it was asked for; empty for a root of the host. */
  readonly image: Bytes;
  /** Of the image's configuration, empty where there is none. */
  readonly imageId: Bytes;
  /** Program and arguments. */
  readonly args: readonly Bytes[];
  /** RFC 3339, UTC. */
  readonly created: Bytes;
  readonly status: ContainerStatus;
  /** Of its first process on the host, 0 without one. */
  readonly pid: number;
  /** RFC 3339; undefined where it was never started. */
  readonly startedAt: Bytes | undefined;
  readonly exit: ExitRecord | undefined;
  /** undefined without a health check. */
  readonly health: HealthStatus | undefined;
  readonly labels: Readonly<Record<Bytes, Bytes>>;
  readonly mounts: readonly ContainerMount[];
  readonly volumes: readonly Bytes[];
  /** `none`, `host`, or the name of a network. */
  readonly network: Bytes;
  /** Names of the unpacked layers of its image, the lowest first. */
  readonly layers: readonly Bytes[];
  /** It lives and dies with its command, and nothing of it stays. */
  readonly bound: boolean;
}

/** A container that stays. */
export function keptSummary(
  engine: { readonly port: Pick<Port, 'readFile'>; readonly dataRoot: Bytes },
  { file, status, pid, run, exit }: ContainerView,
): ContainerSummary {
  const health = healthOf(engine.port, placeOf(engine, file.id), file, run)?.status;
  return {
    id: file.id,
    name: file.name,
    image: file.image,
    imageId: file.imageId,
    args: file.args,
    created: file.created,
    status,
    pid,
    startedAt: run?.startedAt,
    exit,
    health,
    labels: file.labels,
    mounts: file.mounts,
    volumes: file.volumes,
    network: networkOf(file.flags.network),
    layers: file.stack?.layers ?? [],
    bound: false,
  };
}

/** What `--network` asked for. */
export function networkOf(flag: Bytes | undefined): Bytes {
  return flag ?? 'none';
}

/** A container whose command keeps it, `init` being its first process. */
export function boundSummary(record: ContainerRecord, init: ProcessIdentity | undefined): ContainerSummary {
  const { image = '', args = [], created = ZERO_TIME, network } = record.shown ?? {};
  return {
    id: record.id,
    name: record.name ?? record.id.slice(0, 12),
    image,
    imageId: '',
    args,
    created,
    status: init === undefined ? 'created' : 'running',
    pid: init?.pid ?? 0,
    startedAt: init === undefined ? undefined : created,
    exit: undefined,
    health: undefined,
    labels: record.labels ?? {},
    mounts: [],
    volumes: [],
    network: networkOf(network),
    layers: [],
    bound: true,
  };
}

/** Go's zero time, as docker shows what has not happened. */
export const ZERO_TIME = '0001-01-01T00:00:00Z';
