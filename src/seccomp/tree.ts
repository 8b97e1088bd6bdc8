// Intervals of system call numbers as code: a balanced binary tree of comparisons.

import * as bpf from '../linux/bpf.ts';
import { type Assembler, OFFSET_NR, type Target } from './assembler.ts';
import { emitRules } from './conditions.ts';
import { isSameVerdict, type Segment } from './segments.ts';
import type { Verdict } from './verdicts.ts';

/** A run of segments that one leaf of the tree decides: a verdict, but for single numbers. */
interface Leaf {
  readonly start: number;
  readonly verdict: Verdict;
  readonly exceptions: readonly Segment[];
}

/** More single numbers in a leaf save instructions, but each is one more test for the rest of the leaf. */
const EXCEPTIONS_PER_LEAF = 2;

/** Code that finds the segment of the call's number and decides. `otherwise`: where no rule on arguments matches. */
export function emitNumbers(assembler: Assembler, cut: readonly Segment[], otherwise: number): Target {
  const placed: { verdict: Verdict; target: Target }[] = [];
  const place = (verdict: Verdict): Target => {
    if (typeof verdict === 'number') return verdict;
    const known = placed.find((one) => isSameVerdict(one.verdict, verdict));
    if (known !== undefined) return known.target;
    const target = emitRules(assembler, verdict, otherwise);
    placed.push({ verdict, target });
    return target;
  };
  const tree = emitTree(assembler, leaves(cut), place);
  // The number stays in the accumulator all the way down; a lone verdict does not look at it.
  return typeof tree === 'number' || cut.length === 1 ? tree : assembler.load(OFFSET_NR, tree);
}

/** A number between two segments of one verdict is an exception to that verdict rather than two comparisons. */
function leaves(cut: readonly Segment[]): readonly Leaf[] {
  const list: Leaf[] = [];
  for (let at = 0; at < cut.length; at++) {
    const { start, verdict } = cut[at] as Segment;
    const exceptions: Segment[] = [];
    while (exceptions.length < EXCEPTIONS_PER_LEAF) {
      const [single, after] = [cut[at + 1], cut[at + 2]];
      if (single === undefined || after === undefined || after.start !== single.start + 1) break;
      if (!isSameVerdict(after.verdict, verdict)) break;
      exceptions.push(single);
      at += 2;
    }
    list.push({ start, verdict, exceptions });
  }
  return list;
}

function emitTree(assembler: Assembler, part: readonly Leaf[], place: (verdict: Verdict) => Target): Target {
  const middle = part.length >> 1;
  const leaf = part[middle] as Leaf;
  if (middle === 0) return emitLeaf(assembler, leaf, place);
  const above = emitTree(assembler, part.slice(middle), place);
  const below = emitTree(assembler, part.slice(0, middle), place);
  return assembler.branch(bpf.BPF_JGE, leaf.start, above, below, OFFSET_NR);
}

function emitLeaf(assembler: Assembler, leaf: Leaf, place: (verdict: Verdict) => Target): Target {
  let target = place(leaf.verdict);
  for (const { start, verdict } of leaf.exceptions) {
    target = assembler.branch(bpf.BPF_JEQ, start, place(verdict), target, OFFSET_NR);
  }
  return target;
}
