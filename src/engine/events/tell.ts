// What has happened, for who watches: one line in `events/` below the data root for each event, bounded in all.
//
//   events/00000007      the youngest segment; lines are added by one write(2) each, whoever writes
//
// There is no daemon that could tell anybody: a line is added by whoever did something. A segment that is full is left,
// and the next one begun; two that begin it at once write to the same one. Nothing is renamed, so that no line is lost.
// What cannot be written (a full disk, a store that is only read) keeps nobody from his work.
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { stringifyJson } from '../../spec/json.ts';

/** Bytes after which a segment is full, and how many are kept. */
export const SEGMENT_SIZE = 1 << 20;
const KEPT = 8;

export type EventType = 'container' | 'image' | 'volume' | 'network' | 'builder';

/** An event as it is told; docker's words (docker-system-events(1)). */
export interface NewEvent {
  readonly type: EventType;
  /** `start`, `die`, `exec_create: true`, `health_status: healthy`, ... */
  readonly action: Bytes;
  readonly id: Bytes;
  readonly attributes: Readonly<Record<Bytes, Bytes>>;
}

/** Where events are. */
export interface EventPlace {
  readonly port: Port;
  readonly dataRoot: Bytes;
}

/** The directory of the segments. */
export function eventsOf({ dataRoot }: Pick<EventPlace, 'dataRoot'>): Bytes {
  return `${dataRoot}/events`;
}

/** The numbers of the segments there are, the oldest first. */
export function segments({ port, dataRoot }: EventPlace): number[] {
  return port
    .list(eventsOf({ dataRoot }))
    .filter((name) => /^[0-9]{8}$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

export function segmentPath(place: Pick<EventPlace, 'dataRoot'>, number: number): Bytes {
  return `${eventsOf(place)}/${String(number).padStart(8, '0')}`;
}

/** Tells an event. Never throws. */
export function tell(place: EventPlace, event: NewEvent): void {
  const { port } = place;
  try {
    const numbers = segments(place);
    let last = numbers.at(-1);
    if (last === undefined) port.makeDirectory(eventsOf(place));
    last ??= 0;
    if ((port.stat(segmentPath(place, last))?.size ?? 0) >= SEGMENT_SIZE) {
      last++;
      for (const old of numbers) if (old <= last - KEPT) port.remove(segmentPath(place, old));
    }
    // A line feed before it: half a line of somebody who was killed ends there.
    port.appendFile?.(segmentPath(place, last), `\n${eventLine(event, Date.now())}\n`, 0o600);
  } catch {
    // Whoever watches misses it.
  }
}

/** docker's JSON form; `now` in milliseconds. */
function eventLine({ type, action, id, attributes }: NewEvent, now: number): Bytes {
  const from = type === 'container' ? { from: attributes.image ?? '' } : {};
  return stringifyJson({
    status: action,
    id,
    ...from,
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    scope: 'local',
    time: Math.floor(now / 1000),
    timeNano: BigInt(now) * 1_000_000n,
  });
}

/** What an event says of its container: its labels, and above them image and name. */
export interface ToldContainer {
  readonly id: Bytes;
  readonly name: Bytes;
  readonly image: Bytes;
  readonly labels: Readonly<Record<Bytes, Bytes>>;
}

/** Tells an event of a container. Never throws. */
export function tellContainer(
  place: EventPlace,
  action: Bytes,
  { id, name, image, labels }: ToldContainer,
  more: Readonly<Record<Bytes, Bytes>> = {},
): void {
  tell(place, { type: 'container', action, id, attributes: { ...labels, image, name, ...more } });
}
