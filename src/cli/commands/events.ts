// `caisson events`, which is `system events` as well.
import { type EngineEvent, engineEvents } from '../../engine/events/read.ts';
import { list, value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { SIGNALS } from '../../linux/signals.ts';
import { type JsonValue, stringifyJson } from '../../spec/json.ts';
import { type Command, flagList, flagText } from '../command.ts';
import { containerEngine } from '../container-engine.ts';
import { compileTemplate } from '../format-template.ts';
import { ending } from '../image-shop.ts';
import { timeFlag } from '../time-flag.ts';

export const command: Command = {
  name: 'events',
  summary: 'Show what happens to containers and images, as it happens',
  usage: '[OPTIONS]',
  description: 'Containers of `run --rm` in the foreground leave no trace here either.',
  examples: ['caisson events --since 1h --until 0s', 'caisson events -f event=die -f label=job'],
  flags: [
    list('filter', 'Filter output based on conditions provided', { short: 'f', takes: 'filter' }),
    value('format', 'Format output using a custom template: json or TEMPLATE'),
    value('since', 'Show all events created since timestamp'),
    value('until', 'Stream events until this timestamp'),
  ],
  arguments: [0, 0],
  run: ending(async (parsed, context) => {
    const { port } = context;
    const engine = await containerEngine(context);
    const now = Date.now();
    const show = shower(flagText(parsed, 'format'));
    let interrupted = false;
    const end = port.onSignals([SIGNALS.SIGINT, SIGNALS.SIGTERM], () => {
      interrupted = true;
    });
    try {
      const events = engineEvents(engine, {
        since: timeFlag('since', flagText(parsed, 'since'), now),
        until: timeFlag('until', flagText(parsed, 'until'), now),
        filters: flagList(parsed, 'filter'),
        stop: () => interrupted || port.readerGone?.(1) === true,
      });
      for await (const some of events) port.write(1, some.map((event) => `${show(event)}\n`).join(''));
    } finally {
      end();
    }
  }),
};

function shower(format: Bytes | undefined): (event: EngineEvent) => Bytes {
  if (format === undefined || format === '') return eventText;
  if (format === 'json') return (event) => stringifyJson(documentOf(event));
  const execute = compileTemplate(format.replaceAll('\\t', '\t').replaceAll('\\n', '\n'));
  return (event) => execute(fieldsOf(event));
}

/** docker's line: `2026-01-02T03:04:05.000000000Z container start ID (image=host, name=a)`, in the local zone. */
function eventText({ type, action, id, attributes, timeNano }: EngineEvent): Bytes {
  const words = Object.entries(attributes)
    .map(([name, text]) => `${name}=${text}`)
    .sort();
  const more = words.length === 0 ? '' : ` (${words.join(', ')})`;
  return `${localTime(timeNano)} ${type} ${action} ${id}${more}`;
}

/** RFC 3339 with nanoseconds, in the zone of the caller. */
function localTime(nanoseconds: bigint): Bytes {
  const milliseconds = Number(nanoseconds / 1_000_000n);
  const offset = -new Date(milliseconds).getTimezoneOffset();
  const shifted = new Date(milliseconds + offset * 60_000).toISOString().slice(0, 19);
  const fraction = String(nanoseconds % 1_000_000_000n).padStart(9, '0');
  const two = (number: number): string => String(Math.floor(number)).padStart(2, '0');
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`;
  return `${shifted}.${fraction}${offset === 0 ? 'Z' : zone}`;
}

function documentOf({ type, action, id, attributes, scope, time, timeNano }: EngineEvent): JsonValue {
  const from: Record<Bytes, JsonValue> = type === 'container' ? { from: attributes.image ?? '' } : {};
  const actor = { ID: id, Attributes: attributes };
  return { status: action, id, ...from, Type: type, Action: action, Actor: actor, scope, time, timeNano };
}

/** The names that Go's templates see. */
function fieldsOf({ type, action, id, attributes, scope, time, timeNano }: EngineEvent): JsonValue {
  return {
    Status: action,
    ID: id,
    From: attributes.image ?? '',
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    Scope: scope,
    Time: time,
    TimeNano: timeNano,
  };
}
