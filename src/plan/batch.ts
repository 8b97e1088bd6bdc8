// A batch ready to be sent, with what is needed to understand the answers to it.
import type { KnownSlots } from './answer.ts';
import type { Call, OutBuffer, Slot } from './call.ts';
import type { Actor, Step } from './step.ts';
import { writeNumber } from './words.ts';

/** A batch ready to be sent, and what is needed to understand the answers to it. */
export interface Batch {
  /** What was encoded. */
  readonly steps: readonly Step[];
  readonly bytes: Uint8Array;
  /** The call and its step behind every record; END records have none. */
  readonly records: readonly ({ readonly step: Step; readonly call: Call } | undefined)[];
  /** Bytes of data that come with every answer. */
  readonly replyLength: number;
  /** Offset of the time stamps in the answer, one u64 of nanoseconds per record; -1 without a trace. */
  readonly traceOffset: number;
  readonly slots: ReadonlyMap<Slot, number>;
  readonly buffers: ReadonlyMap<OutBuffer, number>;
  /** Places in the bytes for numbers of an earlier batch's slots. */
  readonly open: readonly { readonly slot: Slot; readonly at: number; readonly width: number }[];
}

/** Fills in what an earlier batch has brought: the batch can then be sent. Throws Error for a slot without a number. */
export function supply(batch: Batch, known: KnownSlots): void {
  const view = new DataView(batch.bytes.buffer);
  for (const { slot, at, width } of batch.open) {
    const value = known(slot);
    if (value === undefined) throw new Error(`slot ${slot.name} has no number yet`);
    writeNumber(view, at, width, value);
  }
}

/** A batch whose list of records is made where something has failed or is traced, and not before. */
export class Encoded implements Batch {
  readonly steps: readonly Step[];
  readonly bytes: Uint8Array;
  readonly replyLength: number;
  readonly traceOffset: number;
  readonly slots: ReadonlyMap<Slot, number>;
  readonly buffers: ReadonlyMap<OutBuffer, number>;
  readonly open: Batch['open'];
  private listed: Batch['records'] | undefined;

  constructor(made: Omit<Batch, 'records'>) {
    this.steps = made.steps;
    this.bytes = made.bytes;
    this.replyLength = made.replyLength;
    this.traceOffset = made.traceOffset;
    this.slots = made.slots;
    this.buffers = made.buffers;
    this.open = made.open;
  }

  get records(): Batch['records'] {
    this.listed ??= this.list();
    return this.listed;
  }

  private list(): Batch['records'] {
    const of = (actor: Step['actor']) =>
      this.steps
        .filter((step) => step.actor === actor)
        .flatMap((step) => step.calls.map((call) => ({ step, call })));
    const parent = of('parent');
    const notifier = of('notifier');
    const child = notifier.length === 0 ? of('child') : [...of('child'), undefined, ...notifier];
    // Between the two lies END; a batch for the child alone has none.
    return parent.length === 0 && child.length > 0 ? child : [...parent, undefined, ...child];
  }
}

const END: Call = { name: 'END', args: [] };

function callsOf(steps: readonly Step[], actor: Actor): (readonly Call[])[] {
  return steps.filter((step) => step.actor === actor).map(({ calls }) => calls);
}

/** The calls behind the records of a batch, and where the child's and the notifier's begin. */
export function callsInOrder(steps: readonly Step[]): { calls: Call[]; child: number; notifier: number } {
  let all = ([] as Call[]).concat(...callsOf(steps, 'parent'), END);
  const child = all.length;
  all = all.concat(...callsOf(steps, 'child'));
  const notified = callsOf(steps, 'notifier');
  let notifier = child;
  if (notified.length > 0) {
    notifier = all.push(END);
    all = all.concat(...notified);
  }
  // A child that has been made by an earlier batch plays a batch of its own from the first record on.
  if (child === 1 && all.length > 1) all.shift();
  return { calls: all, child, notifier };
}
