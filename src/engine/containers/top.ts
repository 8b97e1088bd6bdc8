// `top`: the processes of a container.
import type { Bytes } from '../../linux/bytes.ts';
import { recordProcesses } from '../../runtime/processes.ts';
import { CaissonError } from '../../spec/error.ts';
import { findBound } from './bound-view.ts';
import type { Engine } from './engine.ts';
import { findContainer } from './find.ts';
import { firstProcessOf } from './list.ts';
import { BSD, BY_DESCRIPTOR, BY_SPECIFIER, FULL, type ProcessColumn } from './process-columns.ts';
import { readProcess, surroundings } from './process-row.ts';
import { notRunning } from './stop.ts';

/** docker's shape of the answer. */
export interface ProcessList {
  readonly titles: readonly Bytes[];
  readonly processes: readonly (readonly Bytes[])[];
}

/**
 * The processes of a container. `options` are those of ps(1) that say what is shown (`-ef`, `aux`, `-o pid,args`), or
 * podman's descriptors. Throws CaissonError `ENOTRUNNING`, `EUSAGE` for options that are not known.
 */
export function containerProcessList(
  engine: Engine,
  text: Bytes,
  options: readonly Bytes[] = [],
): ProcessList {
  const columns = columnsOf(options);
  const { port } = engine;
  const around = surroundings(port, Date.now());
  const found = pidsOf(engine, text).flatMap((pid) => readProcess(port, pid) ?? []);
  return {
    titles: columns.map(({ head }) => head),
    processes: found.map((process) => columns.map(({ show }) => show(process, around))),
  };
}

function pidsOf(engine: Engine, text: Bytes): number[] {
  const bound = boundPids(engine, text);
  if (bound !== undefined) return bound;
  const view = findContainer(engine, text);
  if (view.pid === 0 || view.exit !== undefined || view.record === undefined) throw notRunning(view.file.id);
  return recordProcesses(engine.port, view.record.cgroups, view.pid);
}

function boundPids(engine: Engine, text: Bytes): number[] | undefined {
  const record = findBound(engine, text);
  if (record === undefined) return undefined;
  const init = firstProcessOf(engine, record);
  if (init === undefined) throw notRunning(record.id);
  return recordProcesses(engine.port, record.cgroups, init.pid);
}

/** Letters that choose processes, or say how wide: a container's processes are all shown, whole. */
const CHOOSING = /^-?[aAedxwHgN]*$/;

function columnsOf(options: readonly Bytes[]): readonly ProcessColumn[] {
  if (options.length === 0) return FULL;
  const words = options.flatMap((option) => option.split(/[\s,]+/)).filter((word) => word !== '');
  const descriptors = words.map((word) => BY_DESCRIPTOR.get(word));
  if (descriptors.every((each) => each !== undefined)) return descriptors;
  let columns: readonly ProcessColumn[] | undefined;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as Bytes;
    const o = /^(?:-?[aex]*o|--format=?)(.*)$/.exec(word);
    if (o !== null) {
      const names = [...(o[1] === '' ? [] : [o[1] as Bytes]), ...words.slice(at + 1)];
      return [...(columns ?? []), ...names.map(specifier)];
    }
    if (/^-?[aAedxw]*f[aAedxw]*$/.test(word) && word.startsWith('-')) columns = FULL;
    else if (/^[axw]*u[axw]*$/.test(word) || word === '-aux') columns = BSD;
    else if (!CHOOSING.test(word)) throw unknown(word);
  }
  return columns ?? SHORT;
}

/** Of ps(1) without a format. */
const SHORT: readonly ProcessColumn[] = FULL.filter(({ head }) =>
  ['PID', 'TTY', 'TIME', 'CMD'].includes(head),
);

/** `pid`, or `pid=HEAD`. */
function specifier(text: Bytes): ProcessColumn {
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  const found = BY_SPECIFIER.get(name);
  if (found === undefined) throw unknown(name);
  return equals < 0 ? found : { ...found, head: text.slice(equals + 1) };
}

function unknown(word: Bytes): CaissonError {
  return new CaissonError(`unknown option of ps: ${word}`, {
    code: 'EUSAGE',
    exitCode: 1,
    details: [`known are -ef, aux, -o with ${[...BY_SPECIFIER.keys()].join(',')}`],
  });
}
