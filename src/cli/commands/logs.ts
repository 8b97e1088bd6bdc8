// `caisson logs`.
import type { LogEntry } from '../../engine/containers/log-line.ts';
import { containerLogs, logDetails } from '../../engine/containers/logs.ts';
import { boolean, value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { type Command, flagOn, flagText } from '../command.ts';
import { containerEngine } from '../container-engine.ts';
import type { Context } from '../context.ts';
import { ending } from '../image-shop.ts';
import { timeFlag } from '../time-flag.ts';

export const command: Command = {
  name: 'logs',
  summary: 'Fetch the logs of a container',
  usage: '[OPTIONS] CONTAINER',
  description: 'What went to standard output comes there, and to standard error likewise.',
  examples: ['caisson logs --tail 100 -f web', 'caisson logs --since 10m -t web'],
  flags: [
    boolean('details', 'Show extra details provided to logs'),
    boolean('follow', 'Follow log output', { short: 'f' }),
    value('since', 'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m")'),
    value('tail', 'Number of lines to show from the end of the logs', { short: 'n', fallback: 'all' }),
    boolean('timestamps', 'Show timestamps', { short: 't' }),
    value('until', 'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m")'),
  ],
  arguments: [1, 1],
  run: ending(async (parsed, context) => {
    const engine = await containerEngine(context);
    const [name] = parsed.positionals as [Bytes];
    const now = Date.now();
    const { port } = context;
    let damaged = 0;
    const details = flagOn(parsed, 'details') ? logDetails(engine, name) : undefined;
    const printer = new Printer(context, flagOn(parsed, 'timestamps'), details);
    const entries = containerLogs(engine, name, {
      follow: flagOn(parsed, 'follow'),
      since: timeFlag('since', flagText(parsed, 'since'), now),
      until: timeFlag('until', flagText(parsed, 'until'), now),
      tail: tailOf(flagText(parsed, 'tail')),
      damaged: (count) => {
        damaged += count;
      },
      stop: () => port.readerGone?.(1) === true,
    });
    for await (const some of entries) {
      printer.print(some);
      if (port.readerGone?.(1) === true) break;
    }
    if (damaged > 0)
      context.warn(`${damaged} damaged ${damaged === 1 ? 'line' : 'lines'} of the log left out`);
  }),
};

/** docker: whatever is no number is all. */
function tailOf(text: Bytes | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Writes entries where they belong, in their order, with few calls. */
class Printer {
  private readonly context: Context;
  private readonly timestamps: boolean;
  private readonly details: Bytes | undefined;
  /** Whether a line of the stream has begun: the pieces after the first have no time before them. */
  private readonly begun = new Map<1 | 2, boolean>();

  constructor(context: Context, timestamps: boolean, details: Bytes | undefined) {
    this.context = context;
    this.timestamps = timestamps;
    this.details = details;
  }

  print(entries: readonly LogEntry[]): void {
    let stream: 1 | 2 = 1;
    let texts: Bytes[] = [];
    const flush = (): void => {
      if (texts.length > 0) this.context.port.write(stream, texts.join(''));
      texts = [];
    };
    for (const entry of entries) {
      if (entry.stream !== stream) flush();
      stream = entry.stream;
      texts.push(this.prefix(entry), entry.text);
    }
    flush();
  }

  private prefix({ stream, time, text }: LogEntry): Bytes {
    const begun = this.begun.get(stream) === true;
    this.begun.set(stream, !text.endsWith('\n'));
    if (begun) return '';
    return `${this.timestamps ? `${time} ` : ''}${this.details === undefined ? '' : `${this.details} `}`;
  }
}
