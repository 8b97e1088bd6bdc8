// `events`: what was told, from a time on, and what is told meanwhile.
import { hostDisk } from '../../host/node-disk.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { sleep } from '../../runtime/removal.ts';
import { isObject } from '../../spec/check.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseJson } from '../../spec/json.ts';
import { LogFile } from '../containers/log-file.ts';
import { compileEventFilters } from './filter.ts';
import { type EventPlace, type EventType, segmentPath, segments } from './tell.ts';

/** Something that has happened to a container, an image or a volume. */
export interface EngineEvent {
  readonly type: EventType;
  readonly action: Bytes;
  readonly id: Bytes;
  readonly attributes: Readonly<Record<Bytes, Bytes>>;
  readonly scope: Bytes;
  /** Seconds, and nanoseconds, since 1970. */
  readonly time: number;
  readonly timeNano: bigint;
}

export interface EventOptions {
  /** Milliseconds since 1970; undefined: only what is told from now on. */
  readonly since?: number | undefined;
  /** Ends there; undefined: never. */
  readonly until?: number | undefined;
  /** `name=value`, docker's. */
  readonly filters?: readonly Bytes[];
  /** Asked between two looks. */
  readonly stop?: () => boolean;
}

/** Milliseconds between two looks. */
const LOOK = 50;

/** Events, some at a time, in the order in which they were told. Throws CaissonError `EUSAGE` for a filter that is none. */
export async function* engineEvents(
  place: EventPlace,
  { since, until, filters = [], stop }: EventOptions = {},
): AsyncGenerator<readonly EngineEvent[]> {
  const fits = compileEventFilters(filters);
  const reader = new EventReader(place);
  try {
    if (since === undefined) await reader.skip();
    for (;;) {
      // What was told before the end is read after it.
      const over = until !== undefined && Date.now() >= until;
      const found = (await reader.next()).filter((event) => {
        const time = Number(event.timeNano) / 1e6;
        return (since === undefined || time >= since) && (until === undefined || time < until) && fits(event);
      });
      if (found.length > 0) yield found;
      if (over || stop?.() === true) return;
      await sleep(place.port, until === undefined ? LOOK : Math.max(1, Math.min(LOOK, until - Date.now())));
    }
  } finally {
    reader.close();
  }
}

class EventReader {
  private readonly place: EventPlace;
  private readonly open = new Map<number, LogFile>();
  /** Segments below it have been read to their end. */
  private first = 0;

  constructor(place: EventPlace) {
    this.place = place;
  }

  close(): void {
    for (const file of this.open.values()) file.close();
    this.open.clear();
  }

  /** What is there now is not wanted. */
  async skip(): Promise<void> {
    await this.next();
  }

  async next(): Promise<EngineEvent[]> {
    const found: EngineEvent[] = [];
    const numbers = segments(this.place).filter((number) => number >= this.first);
    for (const number of numbers) {
      const file = this.open.get(number) ?? LogFile.open(hostDisk(), segmentPath(this.place, number));
      if (file === undefined) continue;
      this.open.set(number, file);
      for (let some = await file.next(); some !== undefined; some = await file.next())
        found.push(...some.lines.flatMap((line) => parseEvent(line) ?? []));
    }
    // Somebody who looked for the youngest a moment ago may still add to the one before it.
    const floor = (numbers.at(-1) ?? 0) - 1;
    for (const [number, file] of this.open) {
      if (number >= floor) continue;
      file.close();
      this.open.delete(number);
    }
    this.first = Math.max(this.first, floor);
    return found;
  }
}

const TYPES: readonly unknown[] = ['container', 'image', 'volume', 'network', 'builder'];

function isType(value: unknown): value is EventType {
  return TYPES.includes(value);
}

/** undefined for a line that is damaged. */
export function parseEvent(line: Bytes): EngineEvent | undefined {
  let value: unknown;
  try {
    value = parseJson(line);
  } catch (error) {
    if (error instanceof CaissonError) return undefined;
    throw error;
  }
  if (!isObject(value) || !isObject(value.Actor)) return undefined;
  const { Type, Action, scope, time, timeNano } = value;
  const { ID, Attributes } = value.Actor;
  if (!isType(Type) || typeof Action !== 'string' || typeof ID !== 'string' || !isObject(Attributes))
    return undefined;
  if (typeof time !== 'number' || (typeof timeNano !== 'bigint' && typeof timeNano !== 'number'))
    return undefined;
  if (!Number.isInteger(Number(timeNano))) return undefined;
  const attributes = Object.entries(Attributes).filter(
    (each): each is [Bytes, Bytes] => typeof each[1] === 'string',
  );
  return {
    type: Type,
    action: Action,
    id: ID,
    attributes: Object.fromEntries(attributes),
    scope: typeof scope === 'string' ? scope : 'local',
    time,
    timeNano: BigInt(timeNano),
  };
}
