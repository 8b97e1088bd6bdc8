// A plan as a person reads it: numbered steps in the order of play, why each is there, and on demand its calls.
import { bytesToUtf8 } from '../linux/bytes.ts';
import type { Pointer } from '../spec/error.ts';
import { type CallTextOptions, printCall } from './print-call.ts';
import { type Plan, readingOrder, type Section, type Step } from './step.ts';

export { printCall } from './print-call.ts';

export interface PrintOptions extends CallTextOptions {
  /** Print the system calls below each step. */
  readonly calls?: boolean;
  /** The front end's own words for a field: `--volume /x:/y`, `jail.conf:12`. The nearest field above has a say, too. */
  readonly sources?: ReadonlyMap<Pointer, string>;
}

const HEADINGS: Readonly<Record<Section, string>> = {
  before: 'parent: the launcher, up to the clone',
  notifier: 'notifier: clones the container, hands the listener of its filter over',
  child: 'child: becomes the container',
  after: 'parent: the launcher, beside the child',
};

/** Where titles end and causes begin. */
const CAUSE_COLUMN = 60;

/** The text of a plan, ending with a newline. Byte strings are shown as UTF-8, control characters escaped. */
export function printPlan(plan: Plan, options: PrintOptions = {}): string {
  const lines: string[] = [];
  let section: Section | undefined;
  readingOrder(plan).forEach(({ step, section: here }, index) => {
    if (here !== section) lines.push(...(section === undefined ? [] : ['']), HEADINGS[here]);
    section = here;
    lines.push(stepLine(step, index + 1, options));
    if (options.calls) lines.push(...step.calls.map((call) => `         ${printCall(call, options)}`));
  });
  return `${lines.join('\n')}\n`;
}

/** One step without its calls: number, title, causes. */
export function stepLine(step: Step, position: number, options: PrintOptions = {}): string {
  const title = `${String(position).padStart(5)}  ${shown(step.title)}`;
  const causes = step.provenance.map((pointer) => shown(sourceOf(pointer, options.sources)));
  return causes.length === 0 ? title : `${title.padEnd(CAUSE_COLUMN)}  <- ${[...new Set(causes)].join(', ')}`;
}

/** The front end's words for `pointer` or the nearest field above it, else the pointer itself. */
export function sourceOf(pointer: Pointer, sources: ReadonlyMap<Pointer, string> | undefined): string {
  if (sources === undefined || !pointer.startsWith('/')) return pointer;
  for (let at = pointer; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) {
    const source = sources.get(at);
    if (source !== undefined) return source;
  }
  return pointer;
}

/** Control characters come from paths and names of a configuration, and would act on the terminal. */
function shown(bytes: string): string {
  return bytesToUtf8(bytes).replace(
    /[\u0000-\u001f\u007f-\u009f]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
