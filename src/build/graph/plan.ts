// Which stages a build needs, what each is based on, and on which others it depends.

import { utf8ToBytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { type NamedPlatform, parsePlatformName, platformName } from '../../spec/platform-match.ts';
import type { Instruction, Stage } from '../dockerfile/instructions.ts';
import type { ParsedDockerfile } from '../dockerfile/parse.ts';
import { mountOrigin } from '../dockerfile/run-mount.ts';
import { errorAt, errorIn, type LogicalLine, suggestion, type Word } from '../dockerfile/source.ts';
import { type BuildArguments, expandWord, globalArguments, type Platforms } from './arguments.ts';
import { contextName, type NamedContexts, namedContext } from './named-contexts.ts';
import type { Origin } from './operations.ts';

/** What a stage begins with. */
export type Base =
  | { readonly kind: 'scratch' }
  /** The files of this machine. */
  | { readonly kind: 'host' }
  | { readonly kind: 'stage'; readonly stage: number }
  | { readonly kind: 'image'; readonly reference: string };

export interface PlannedStage {
  readonly stage: Stage;
  readonly base: Base;
  /** The platform of an image that it is based on. */
  readonly platform: NamedPlatform;
  /** For people: its name, or `stage-2`; empty in a file of one stage. */
  readonly title: string;
  /** Of several platforms the one that it is built for, and a blank; else empty. */
  readonly prefix: string;
}

export interface BuildPlan {
  readonly dockerfile: ParsedDockerfile;
  readonly stages: readonly PlannedStage[];
  readonly target: number;
  readonly globals: ReadonlyMap<string, string>;
  readonly given: BuildArguments;
  readonly platforms: Platforms;
  readonly contexts: NamedContexts;
}

/** What a build was asked for. */
export interface PlanOptions {
  readonly target: string;
  readonly given: BuildArguments;
  readonly platforms: Platforms;
  readonly contexts?: NamedContexts;
  /** Whether steps are told by their platform. */
  readonly titled?: boolean;
}

/** Throws CaissonError EDOCKERFILE; ENOTFOUND for a target that is not there. */
export function planBuild(dockerfile: ParsedDockerfile, options: PlanOptions): BuildPlan {
  const { given, platforms, contexts = new Map(), titled = false } = options;
  const { stages } = dockerfile;
  const named = options.target === '' ? (stages.at(-1)?.from.name ?? '') : options.target.toLowerCase();
  const globals = globalArguments(dockerfile, given, platforms, named);
  const planned = stages.map((stage) =>
    planStage(dockerfile, stage, globals, { platforms, contexts, titled }),
  );
  return {
    dockerfile,
    stages: planned,
    target: targetOf(stages, options.target),
    globals,
    given,
    platforms,
    contexts,
  };
}

function planStage(
  dockerfile: ParsedDockerfile,
  stage: Stage,
  globals: ReadonlyMap<string, string>,
  { platforms, contexts, titled }: Required<Pick<PlanOptions, 'platforms' | 'contexts' | 'titled'>>,
): PlannedStage {
  const { from } = stage;
  const lookup = (name: string) => globals.get(name);
  const name = expandWord(from.line, from.base, lookup, dockerfile.escape);
  if (name === '') {
    const shown = from.base.text;
    throw errorIn(from.line, from.base.offset, `base name (${shown}) should not be blank`);
  }
  const single = dockerfile.stages.length === 1;
  return {
    stage,
    base: baseOf(dockerfile, stage, name, contexts),
    platform: platformOf(dockerfile, stage, lookup, platforms),
    title: single ? '' : from.name === '' ? `stage-${stage.index}` : from.name,
    prefix: titled ? `${platformName(platforms.target)} ` : '',
  };
}

function baseOf(
  dockerfile: ParsedDockerfile,
  { index, from }: Stage,
  name: string,
  contexts: NamedContexts,
): Base {
  const context = namedContext(contexts, name);
  if (context?.kind === 'image') return context;
  if (context !== undefined)
    throw errorIn(
      from.line,
      from.base.offset,
      `${name} is a directory (--build-context), and a stage is based on an image: COPY --from=${name}`,
    );
  const lower = name.toLowerCase();
  const earlier = dockerfile.stages
    .slice(0, index)
    .findLast(({ from }) => from.name !== '' && from.name === lower);
  if (earlier !== undefined) return { kind: 'stage', stage: earlier.index };
  if (name === 'scratch') return { kind: 'scratch' };
  return name === 'host' ? { kind: 'host' } : { kind: 'image', reference: name };
}

function platformOf(
  dockerfile: ParsedDockerfile,
  { from }: Stage,
  lookup: (name: string) => string | undefined,
  platforms: Platforms,
): NamedPlatform {
  if (from.platform === '') return platforms.target;
  const word = { text: from.platform, offset: Math.max(0, from.line.text.indexOf('--platform')) };
  const text = expandWord(from.line, word, lookup, dockerfile.escape);
  if (text === '')
    throw errorIn(from.line, word.offset, `empty platform value from expression ${from.platform}`);
  try {
    return parsePlatformName(text, platforms.build);
  } catch (error) {
    if (!(error instanceof CaissonError)) throw error;
    throw errorAt(from.line.file, from.line.at(word.offset), error.message, { cause: error });
  }
}

function targetOf(stages: readonly Stage[], target: string): number {
  if (target === '') return stages.length - 1;
  const wanted = target.toLowerCase();
  const found = stages.findLast(({ from }) => from.name === wanted);
  if (found !== undefined) return found.index;
  if (/^\d+$/.test(wanted) && Number(wanted) < stages.length) return Number(wanted);
  const names = stages.flatMap(({ from }) => (from.name === '' ? [] : [from.name]));
  const message = `target stage ${JSON.stringify(target)} could not be found${suggestion(target, names)}`;
  throw new CaissonError(utf8ToBytes(message), {
    code: 'ENOTFOUND',
    sources: [utf8ToBytes(`--target ${target}`)],
    ...(names.length === 0 ? {} : { details: [utf8ToBytes(`stages: ${names.join(', ')}`)] }),
  });
}

/** What a name after `--from` may mean. */
interface OriginScope {
  readonly dockerfile: { readonly stages: readonly { readonly from: { readonly name: string } }[] };
  readonly contexts: NamedContexts;
}

/** Where `--from` of an instruction of stage `index` points. Throws CaissonError EDOCKERFILE. */
export function originOf(
  { dockerfile: { stages }, contexts }: OriginScope,
  index: number,
  line: LogicalLine,
  word: Word,
): Origin {
  const name = word.text;
  const context = namedContext(contexts, name);
  if (context !== undefined)
    return context.kind === 'image' ? context : { kind: 'context', name: contextName(name) };
  const later = (stage: number): Origin => {
    if (stage < index) return { kind: 'stage', stage };
    const what = stage === index ? 'this stage itself' : 'a stage that is defined later';
    throw errorIn(line, word.offset, `cannot copy or mount from ${JSON.stringify(name)}, ${what}`);
  };
  if (/^\d+$/.test(name)) {
    if (Number(name) >= stages.length) throw errorIn(line, word.offset, `invalid stage index ${name}`);
    return later(Number(name));
  }
  const found = stages.findLastIndex(({ from }) => from.name !== '' && from.name === name.toLowerCase());
  if (found >= 0) return later(found);
  if (name === 'scratch') return { kind: 'nothing' };
  if (name === 'host') return { kind: 'host' };
  if (name.includes('$'))
    throw errorIn(
      line,
      word.offset,
      'variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround',
    );
  return { kind: 'image', reference: name };
}

/** The stages and images that an instruction reads files of. */
export function originsOf(plan: BuildPlan, index: number, instruction: Instruction): Origin[] {
  if (instruction.kind === 'copy' && instruction.from !== undefined)
    return [originOf(plan, index, instruction.line, instruction.from)];
  if (instruction.kind !== 'run') return [];
  return instruction.mounts.flatMap((mount) => {
    const from = mountOrigin(instruction.line, mount);
    if (from === '') return [];
    return [originOf(plan, index, instruction.line, { text: from, offset: mount.offset })];
  });
}

/** The stages that the target needs, itself among them; triggers of base images are not known yet. */
export function neededStages(plan: BuildPlan): Set<number> {
  const needed = new Set<number>();
  const visit = (index: number): void => {
    if (needed.has(index)) return;
    needed.add(index);
    const planned = plan.stages[index] as PlannedStage;
    if (planned.base.kind === 'stage') visit(planned.base.stage);
    for (const instruction of planned.stage.instructions) {
      for (const origin of originsOf(plan, index, instruction))
        if (origin.kind === 'stage') visit(origin.stage);
    }
  };
  visit(plan.target);
  return needed;
}
