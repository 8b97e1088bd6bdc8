// A container as a row of `ps`: docker's fields, its words for a status, and a command cut short.
import type { ContainerSummary } from '../engine/containers/summary.ts';
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../linux/bytes.ts';
import type { Row } from './format.ts';
import { goTime, humanDuration, humanSize } from './human.ts';

/** Bytes of a container's changes, and with its image. */
export interface ContainerSize {
  readonly changes: number;
  readonly whole: number;
}

/** How long a command and a mount may be, in characters (docker/cli, formatter/container.go). */
const COMMAND_LENGTH = 20;
const MOUNT_LENGTH = 15;

/** docker's words (moby, container/state.go): `Up 5 minutes (healthy)`. `now` is in milliseconds. */
export function statusText({ status, startedAt, exit, health }: ContainerSummary, now: number): string {
  const up = `Up ${humanDuration(secondsSince(startedAt, now))}`;
  const ended = (): string => {
    // Nobody has seen the end of such a one.
    const known = exit !== undefined && Date.parse(exit.time) > 0;
    return known ? ` ${humanDuration(secondsSince(exit.time, now))} ago` : '';
  };
  switch (status) {
    case 'running':
      if (health === undefined) return up;
      return `${up} (${health === 'starting' ? 'health: starting' : health})`;
    case 'paused':
      return `${up} (Paused)`;
    case 'restarting':
      return `Restarting (${exit?.code ?? 0})${ended()}`;
    case 'exited':
      return `Exited (${exit?.code ?? 0})${ended()}`;
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
    case 'created':
      return 'Created';
  }
}

function secondsSince(time: Bytes | undefined, now: number): number {
  const then = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(then) ? 0 : (now - then) / 1000;
}

/** Program and arguments as one text: an argument with a blank stands in quotes (moby, daemon/list.go). */
export function commandText([program = '', ...args]: readonly Bytes[]): Bytes {
  return [program, ...args.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg))].join(' ');
}

/** At most `length` characters, the last of which then stands for the rest. */
export function cut(bytes: Bytes, length: number): Bytes {
  const characters = [...bytesToUtf8(bytes)];
  if (characters.length <= length) return bytes;
  return utf8ToBytes(`${characters.slice(0, length - 1).join('')}\u2026`);
}

/** Go's strconv.Quote, as far as JSON has the same escapes; nothing of it reaches a terminal as it is. */
export function quoted(bytes: Bytes): Bytes {
  return utf8ToBytes(
    JSON.stringify(bytesToUtf8(bytes)).replace(
      /[\u007f-\u009f]/g,
      (each) => `\\u00${each.charCodeAt(0).toString(16)}`,
    ),
  );
}

export interface RowOptions {
  readonly whole: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly sizes?: ReadonlyMap<Bytes, ContainerSize>;
}

/** Every field that a template of `ps` may name. */
export function containerRow(container: ContainerSummary, { whole, now, sizes }: RowOptions): Row {
  const { id, name, image, args, created, labels, mounts, network, status } = container;
  const command = commandText(args);
  const names = mounts.map((mount) => mount.name ?? mount.source).filter((each) => each !== '');
  const size = sizes?.get(id);
  const row: Record<Bytes, Row[Bytes]> = {
    Command: quoted(whole ? command : cut(command, COMMAND_LENGTH)),
    CreatedAt: goTime(created),
    ID: whole ? id : id.slice(0, 12),
    Image: image === '' ? '<none>' : image,
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .sort()
      .join(','),
    LocalVolumes: String(container.volumes.length),
    Mounts: names.map((each) => (whole ? each : cut(each, MOUNT_LENGTH))).join(','),
    Names: name,
    Networks: network,
    Ports: '',
    RunningFor: `${humanDuration(secondsSince(created, now))} ago`,
    Size: size === undefined ? '0B' : `${humanSize(size.changes, 3)} (virtual ${humanSize(size.whole, 3)})`,
    State: status,
    Status: statusText(container, now),
  };
  // `.Label "key"`: a function in docker, a map here, and no field of the JSON form.
  Object.defineProperty(row, 'Label', { value: labels, enumerable: false });
  return row;
}
