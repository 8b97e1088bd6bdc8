// `caisson doctor`: what this host can and cannot do, and what to do about it.
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { stringifyJson } from '../spec/json.ts';
import { doctorFacts } from './doctor/facts.ts';
import type { Condition, Finding } from './doctor/finding.ts';
import { findings } from './doctor/findings.ts';

/** The report, and whether everything works that a container needs. */
export interface DoctorReport {
  readonly text: Bytes;
  readonly healthy: boolean;
}

export interface DoctorOptions {
  readonly stateRoot: Bytes;
  readonly json: boolean;
  /** Columns of the terminal. */
  readonly width: number;
}

/** Looks at the host; nothing is changed but that the directory for records is made. */
export async function doctor(port: Port, { stateRoot, json, width }: DoctorOptions): Promise<DoctorReport> {
  const found = findings(await doctorFacts(port, stateRoot));
  const healthy = found.every(({ condition }) => condition !== 'missing');
  return {
    text: json ? stringifyJson({ healthy, findings: found.map(jsonOf) }) : report(found, width),
    healthy,
  };
}

function jsonOf({ id, condition, subject, found, advice }: Finding) {
  return { id, condition, subject, found, advice: [...advice] };
}

/** The findings as a person reads them. */
export function report(found: readonly Finding[], width: number): Bytes {
  const column = Math.max(...found.map(({ subject }) => subject.length));
  const indent = ' '.repeat(column + 11);
  const lines = found.flatMap(({ condition, subject, found: what, advice }) => [
    ...wrap(what, `${condition.padEnd(7)}  ${subject.padEnd(column)}  `, indent, width),
    ...advice.flatMap((item) => wrap(item, `${indent}- `, `${indent}  `, width)),
  ]);
  return [...lines, '', summary(found)].join('\n');
}

function summary(found: readonly Finding[]): string {
  const subjects = (condition: Condition) =>
    found.filter((one) => one.condition === condition).map(({ subject }) => subject);
  const [missing, limited] = [subjects('missing'), subjects('limited')];
  if (missing.length > 0) return `Containers cannot run here: ${missing.join(', ')}.`;
  if (limited.length > 0) return `Containers run here, with limits: ${limited.join(', ')}.`;
  return 'Containers run here.';
}

/** Words in lines of at most `width` columns; the first line begins with `head`, the others with `indent`. */
function wrap(text: string, head: string, indent: string, width: number): string[] {
  const room = Math.max(width - indent.length, 30);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((part, index) => (index === 0 ? head : indent) + part);
}
