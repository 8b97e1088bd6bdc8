// `caisson stats`.
import { type ContainerUsage, sampleUsage, type UsageSample, usages } from '../../engine/containers/stats.ts';
import { boolean, value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { SIGNALS } from '../../linux/signals.ts';
import { CaissonError } from '../../spec/error.ts';
import { type Command, flagOn, flagText } from '../command.ts';
import { containerEngine } from '../container-engine.ts';
import type { Context } from '../context.ts';
import { formatList, type ListShape, type Row } from '../format.ts';
import { binarySize, humanSize } from '../human.ts';
import { ending } from '../image-shop.ts';
import { isOutputTerminal } from '../terminal.ts';

const SHAPE: ListShape = {
  columns:
    '{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}',
  heads: {
    Container: 'CONTAINER',
    ID: 'CONTAINER ID',
    Name: 'NAME',
    CPUPerc: 'CPU %',
    MemUsage: 'MEM USAGE / LIMIT',
    MemPerc: 'MEM %',
    NetIO: 'NET I/O',
    BlockIO: 'BLOCK I/O',
    PIDs: 'PIDS',
  },
};

/** Milliseconds between two looks. */
const INTERVAL = 1000;
/** To the upper left, and clear what is below (console_codes(4)). */
const REDRAW = '\x1b[H\x1b[J';

export const command: Command = {
  name: 'stats',
  summary: 'Display a live stream of container(s) resource usage statistics',
  usage: '[OPTIONS] [CONTAINER...]',
  examples: ['caisson stats', "caisson stats --no-stream --format '{{.Name}} {{.PIDs}}' web"],
  flags: [
    boolean('all', 'Show all containers (default shows just running)', { short: 'a' }),
    value('format', 'Format output using a custom template: table, table TEMPLATE, json or TEMPLATE'),
    boolean('no-stream', 'Disable streaming stats and only pull the first result'),
    boolean('no-trunc', 'Do not truncate output'),
  ],
  arguments: [0, Number.POSITIVE_INFINITY],
  run: ending(async (parsed, context) => {
    const engine = await containerEngine(context);
    const { positionals } = parsed;
    const all = flagOn(parsed, 'all');
    const whole = flagOn(parsed, 'no-trunc');
    const redraws = !flagOn(parsed, 'no-stream') && isOutputTerminal();
    const waiting = new Waiting(context);
    try {
      let before = await sampleUsage(engine, positionals, all);
      for (;;) {
        await waiting.pause(INTERVAL);
        if (waiting.ended) return;
        const now = await later(() => sampleUsage(engine, positionals, all));
        if (now === undefined) return;
        const rows = usages(context.port, before, now).map((usage) => rowOf(usage, whole));
        const text = formatList(rows, SHAPE, flagText(parsed, 'format'));
        context.port.write(1, redraws ? `${REDRAW}${text}` : text);
        if (flagOn(parsed, 'no-stream') || context.port.readerGone?.(1) === true) return;
        before = now;
      }
    } finally {
      waiting.close();
    }
  }),
};

/** undefined when a container that was named has been removed meanwhile. */
async function later(look: () => Promise<UsageSample[]>): Promise<UsageSample[] | undefined> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof CaissonError && error.code === 'ENOTFOUND') return undefined;
    throw error;
  }
}

/** A pause that Ctrl-C ends. */
class Waiting {
  ended = false;
  private wake: (() => void) | undefined;
  private readonly context: Context;
  private readonly release: () => void;

  constructor(context: Context) {
    this.context = context;
    this.release = context.port.onSignals([SIGNALS.SIGINT, SIGNALS.SIGTERM], () => {
      this.ended = true;
      this.wake?.();
    });
  }

  pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.context.port.after(milliseconds, resolve);
      this.wake = () => {
        cancel();
        resolve();
      };
    });
  }

  close(): void {
    this.release();
  }
}

function rowOf(usage: ContainerUsage, whole: boolean): Row {
  const { id, name, memory, memoryLimit, received, sent, read, written } = usage;
  const shown: Bytes = whole ? id : id.slice(0, 12);
  return {
    BlockIO: `${humanSize(read, 3)} / ${humanSize(written, 3)}`,
    CPUPerc: `${usage.cpuPercent.toFixed(2)}%`,
    Container: shown,
    ID: shown,
    MemPerc: `${usage.memoryPercent.toFixed(2)}%`,
    MemUsage: `${binarySize(memory)} / ${binarySize(memoryLimit)}`,
    Name: name,
    NetIO: `${humanSize(received, 3)} / ${humanSize(sent, 3)}`,
    PIDs: String(usage.processes),
  };
}
