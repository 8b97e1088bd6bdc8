// Reads a Dockerfile: text in, stages with their instructions out.

import type { ArgInstruction, Dockerfile, FromInstruction, Instruction, Stage } from './instructions.ts';
import { textAt } from './lines.ts';
import { instructionOf, parseLines } from './parse-lines.ts';
import { readInstruction } from './read-instruction.ts';
import { errorAt, errorIn, type Position, type SourceFile } from './source.ts';

/** A Dockerfile, and what a person should know about it. */
export interface ParsedDockerfile extends Dockerfile {
  readonly file: SourceFile;
  /** Of the directives `syntax` and `check`. */
  readonly syntax: string | undefined;
  readonly check: string | undefined;
  readonly warnings: readonly { readonly position: Position; readonly message: string }[];
}

/**
 * Parses the text of a Dockerfile; `name` is for errors. Throws CaissonError EDOCKERFILE with the place and its line.
 * https://docs.docker.com/reference/dockerfile/
 */
export function parseDockerfile(name: string, content: string): ParsedDockerfile {
  const { file, directives, instructions, warnings } = parseLines(name, content);
  const globalArguments: ArgInstruction[] = [];
  const stages: { from: FromInstruction; index: number; instructions: Instruction[] }[] = [];
  for (const raw of instructions) {
    const instruction = readInstruction(raw);
    const stage = stages.at(-1);
    if (instruction.kind === 'from')
      stages.push({ from: instruction, index: stages.length, instructions: [] });
    else if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.kind === 'arg') globalArguments.push(instruction);
    else
      throw errorIn(raw.line, 0, 'no build stage in current context: the first instruction is FROM (or ARG)');
  }
  if (stages.length === 0)
    throw errorAt(
      file,
      { line: file.lines.length, column: 1 },
      'dockerfile contains no stages to build: there is no FROM',
    );
  const { syntax, check } = directives;
  return { file, globalArguments, stages, escape: directives.escape, syntax, check, warnings };
}

/**
 * Parses what ONBUILD has kept, with the default escape character (as BuildKit does). Errors point at `from`, whose base
 * image the trigger comes from.
 */
export function parseTrigger(from: FromInstruction, trigger: string): Instruction {
  const place = from.line.at(from.base.offset);
  const name = `${from.line.file.name} (ONBUILD of ${from.base.text})`;
  const { instructions } = parseLines(name, trigger);
  const [raw, more] = instructions;
  if (raw === undefined || more !== undefined)
    throw errorAt(from.line.file, place, 'onbuild trigger should be a single expression');
  const line = textAt(from.line.file, place, raw.line.text);
  const instruction = readInstruction({ ...instructionOf(line, [], '\\'), heredocs: raw.heredocs });
  if (instruction.kind === 'from' || instruction.kind === 'onbuild' || instruction.kind === 'maintainer')
    throw errorAt(from.line.file, place, `${instruction.kind} isn't allowed as an ONBUILD trigger`);
  return instruction;
}

export type { Stage };
