// How golden plans are written: in full, as differences to another plan, or as the records of one processor.
import { type Arch, syscallName } from '../../src/linux/abi/index.ts';
import { hexNumber } from '../../src/linux/flag-table.ts';
import { encode } from '../../src/plan/encode.ts';
import { printPlan } from '../../src/plan/print.ts';
import type { Plan } from '../../src/plan/step.ts';
import { HEADER_SIZE, RECORD, RECORD_SIZE, WIRE } from '../../src/plan/wire.ts';

/** The lines of a plan without the numbers of its steps, which would change with every step before them. */
export function planLines(plan: Plan, showSecrets: boolean): string[] {
  return printPlan(plan, { calls: true, showSecrets })
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^ {1,4}\d{1,4} {2}(?=\S)/, '  ').replace(/^ {9}/, '      '));
}

interface Edit {
  readonly sign: ' ' | '-' | '+';
  readonly line: string;
}

/** The shortest list of lines to take away and to add (longest common subsequence). */
function edits(from: readonly string[], to: readonly string[]): Edit[] {
  const rows = Array.from({ length: from.length + 1 }, () => new Uint32Array(to.length + 1));
  for (let i = from.length - 1; i >= 0; i--) {
    for (let j = to.length - 1; j >= 0; j--) {
      const down = rows[i + 1]?.[j] ?? 0;
      const right = rows[i]?.[j + 1] ?? 0;
      const row = rows[i];
      if (row) row[j] = from[i] === to[j] ? (rows[i + 1]?.[j + 1] ?? 0) + 1 : Math.max(down, right);
    }
  }
  const found: Edit[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    if (i < from.length && j < to.length && from[i] === to[j]) {
      found.push({ sign: ' ', line: to[j++] ?? '' });
      i++;
    } else if (j >= to.length || (i < from.length && (rows[i + 1]?.[j] ?? 0) >= (rows[i]?.[j + 1] ?? 0))) {
      found.push({ sign: '-', line: from[i++] ?? '' });
    } else {
      found.push({ sign: '+', line: to[j++] ?? '' });
    }
  }
  return found;
}

const isCall = (line: string) => line.startsWith('      ');

/** Lines that go and come, each below the step that it is in, or after the step before it. */
export function planDifference(from: readonly string[], to: readonly string[]): string[] {
  const out: string[] = [];
  let step = '';
  let printed = '';
  for (const { sign, line } of edits(from, to)) {
    if (sign === ' ') {
      if (!isCall(line)) step = line;
      continue;
    }
    if (step !== printed) out.push(`  ${step}`);
    printed = step;
    out.push(`${sign} ${line}`);
  }
  return out.length === 0 ? ['(no difference)'] : out;
}

/** The records as the launcher of `arch` gets them: system call numbers, immediate arguments, kinds of the others. */
export function recordLines(plan: Plan, arch: Arch): string[] {
  const { bytes, records } = encode(plan.steps, arch);
  const view = new DataView(bytes.buffer);
  return records.map((record, index) => {
    const at = HEADER_SIZE + RECORD_SIZE * index;
    const nr = view.getUint32(at + RECORD.nr, true);
    const kinds = view.getUint16(at + RECORD.kinds, true);
    const args = Array.from({ length: record?.call.args.length ?? 0 }, (_, number) => {
      const kind = (kinds >> (2 * number)) & 3;
      if (kind === WIRE.KIND_IMM) return hexNumber(view.getBigUint64(at + RECORD.arg + 8 * number, true));
      return kind === WIRE.KIND_PTR ? 'pointer' : kind === WIRE.KIND_LOAD32 ? 'slot32' : 'slot';
    });
    const name = nr < 0xffff0000 ? syscallName(arch, nr) : record?.call.name;
    return `${nr < 0xffff0000 ? nr : '-'} ${name ?? 'END'}(${args.join(', ')})`;
  });
}
