// Plays the instructions of one stage on a configuration: variables, working directory, history; files come later.
import { bytesToUtf8 } from '../../linux/bytes.ts';
import { parseSignal } from '../../linux/signals.ts';
import { expand } from '../dockerfile/expand.ts';
import { chomped, heredocOrNone } from '../dockerfile/heredoc.ts';
import type {
  ArgInstruction,
  CommandForm,
  CopyInstruction,
  HealthCheck,
  Instruction,
  RunInstruction,
} from '../dockerfile/instructions.ts';
import { readMount } from '../dockerfile/run-mount.ts';
import { errorIn, type LogicalLine, type Word } from '../dockerfile/source.ts';
import { absolutePath } from '../ignore/clean-path.ts';
import { expandWord, located, proxyVariables } from './arguments.ts';
import { copyOperation } from './copy-operation.ts';
import { goDuration, goList, goQuotedList } from './go-text.ts';
import { DEFAULT_PATH, type ImageDraft, record, setOf, setVariable } from './image-draft.ts';
import type { Operation, Origin, RunOperation } from './operations.ts';
import { type BuildPlan, originOf } from './plan.ts';
import { exposedPorts } from './ports.ts';

/** What a stage hands on to stages that are based on it. */
export interface StageState {
  readonly draft: ImageDraft;
  /** ENV and ARG, as RUN sees them. */
  readonly variables: Map<string, string>;
  /** ARG in the order of declaration, for the history of RUN. */
  readonly declared: Map<string, string | undefined>;
}

/** Bytes that all variables together may have: what execve(2) takes at most on Linux (a quarter of the stack). */
const VARIABLES_LIMIT = 2 << 20;

/** Lines of an image's history: each instruction is one, and bases have theirs. */
const HISTORY_LIMIT = 20_000;

/** The state of a stage that begins with `draft`, and inherits the arguments of a stage. */
export function beginStage(draft: ImageDraft, inherited?: StageState): StageState {
  const state: StageState = {
    draft,
    variables: new Map(inherited?.variables),
    declared: new Map(inherited?.declared),
  };
  const { Env } = draft.config;
  if (!Env.some((line) => line.startsWith('PATH='))) Env.push(`PATH=${DEFAULT_PATH}`);
  for (const line of Env) {
    const equals = line.indexOf('=');
    state.variables.set(line.slice(0, equals), line.slice(equals + 1));
  }
  return state;
}

export class Evaluator {
  readonly state: StageState;
  /** Names of `--build-arg` that an ARG has taken. */
  readonly used = new Set<string>();
  private readonly plan: BuildPlan;
  private readonly index: number;

  constructor(plan: BuildPlan, index: number, state: StageState) {
    this.plan = plan;
    this.index = index;
    this.state = state;
  }

  /** The working directory, absolute. */
  get directory(): string {
    return absolutePath(this.state.draft.config.WorkingDir ?? '');
  }

  /** Applies an instruction; the result is what it does to files. Throws CaissonError EDOCKERFILE. */
  apply(instruction: Instruction, title: string): Operation | undefined {
    const { draft } = this.state;
    if (draft.history.length > HISTORY_LIMIT)
      throw errorIn(instruction.line, 0, `the image has more than ${HISTORY_LIMIT} lines of history`);
    switch (instruction.kind) {
      case 'run':
        return this.run(instruction, title);
      case 'add':
      case 'copy':
        return this.copy(instruction, title);
      case 'workdir':
        return this.workdir(instruction.line, instruction.value, title);
      case 'arg':
        this.arg(instruction);
        break;
      default:
        this.configure(instruction);
    }
    return undefined;
  }

  /** Instructions that change the configuration alone. */
  private configure(instruction: Instruction): void {
    const { draft } = this.state;
    const { config } = draft;
    switch (instruction.kind) {
      case 'env':
      case 'label':
        this.pairs(instruction);
        break;
      case 'maintainer':
        draft.author = instruction.value.text;
        record(draft, `MAINTAINER ${instruction.value.text}`, false);
        break;
      case 'cmd':
        config.Cmd = this.command(instruction.command);
        config.ArgsEscaped = true;
        this.cmdSet = true;
        record(draft, `CMD ${goQuotedList(config.Cmd)}`, false);
        break;
      case 'entrypoint':
        this.entrypoint(instruction.command);
        break;
      case 'healthcheck':
        config.Healthcheck = instruction.health;
        record(draft, `HEALTHCHECK ${healthText(instruction.health)}`, false);
        break;
      case 'expose':
        this.expose(instruction.line, instruction.ports);
        break;
      case 'user':
        config.User = this.word(instruction.line, instruction.value);
        record(draft, `USER ${config.User}`, false);
        break;
      case 'volume':
        this.volume(instruction.line, instruction.paths);
        break;
      case 'stopsignal':
        this.stopSignal(instruction.line, instruction.value);
        break;
      case 'shell':
        config.Shell = [...instruction.shell];
        record(draft, `SHELL ${goList(config.Shell)}`, false);
        break;
      case 'onbuild':
        config.OnBuild = [...(config.OnBuild ?? []), instruction.trigger];
        break;
    }
  }

  private cmdSet = false;

  private word(line: LogicalLine, word: Word): string {
    return expandWord(line, word, (name) => this.state.variables.get(name), this.plan.dockerfile.escape);
  }

  private pairs({ kind, line, pairs }: Extract<Instruction, { kind: 'env' | 'label' }>): void {
    const { draft, variables } = this.state;
    const expanded = pairs.map(({ key, value }) => [this.word(line, key), this.word(line, value)] as const);
    for (const [index, [name, value]] of expanded.entries()) {
      const offset = pairs[index]?.key.offset ?? 0;
      if (kind === 'label') {
        draft.config.Labels ??= Object.create(null) as Record<string, string>;
        draft.config.Labels[name] = value;
        continue;
      }
      this.checkVariable(line, offset, name, value);
      variables.set(name, value);
      setVariable(draft.config.Env, name, value);
    }
    this.checkVariables(line);
    const text = expanded.map(([name, value]) => `${name}=${value}`).join(' ');
    record(draft, `${kind.toUpperCase()} ${text}`, false);
  }

  private checkVariable(line: LogicalLine, offset: number, name: string, value: string): void {
    if (name === '' || name.includes('='))
      throw errorIn(line, offset, `${JSON.stringify(name)} is no name of a variable`);
    if (name.includes('\0') || value.includes('\0'))
      throw errorIn(line, offset, 'a variable contains a NUL byte');
  }

  private checkVariables(line: LogicalLine): void {
    let length = 0;
    for (const [name, value] of this.state.variables) length += name.length + value.length + 2;
    if (length > VARIABLES_LIMIT)
      throw errorIn(line, 0, `all variables together have more than ${VARIABLES_LIMIT} characters`);
  }

  private arg({ line, arguments: list }: ArgInstruction): void {
    const { variables, declared, draft } = this.state;
    const texts: string[] = [];
    for (const { key, value: fallback } of list) {
      const name = key.text;
      let value = this.plan.given.get(name);
      if (value !== undefined) this.used.add(name);
      else if (fallback !== undefined) value = this.word(line, fallback);
      else value = this.plan.globals.get(name);
      this.checkVariable(line, key.offset, name, value ?? '');
      if (value !== undefined) variables.set(name, value);
      declared.set(name, value);
      texts.push(value === undefined ? name : `${name}=${value}`);
    }
    this.checkVariables(line);
    record(draft, `ARG ${texts.join(' ')}`, false);
  }

  /** The shell form goes to the image's shell. */
  private command({ words, shell }: CommandForm): string[] {
    if (!shell) return [...words];
    return [...(this.state.draft.config.Shell ?? ['/bin/sh', '-c']), words.join(' ')];
  }

  /** A new entry point makes a command that the base image has meaningless. */
  private entrypoint(form: CommandForm): void {
    const { draft } = this.state;
    const { config } = draft;
    const words = this.command(form);
    if (form.words.length === 0) delete config.Entrypoint;
    else config.Entrypoint = words;
    if (!this.cmdSet) delete config.Cmd;
    record(draft, `ENTRYPOINT ${goQuotedList(form.words.length === 0 ? [] : words)}`, false);
  }

  private expose(line: LogicalLine, ports: readonly Word[]): void {
    const { draft, variables } = this.state;
    const found = ports.flatMap((word) => {
      const { words } = located(line, word.offset, () =>
        expand(word.text, (name) => variables.get(name), { escape: this.plan.dockerfile.escape }),
      );
      return words.flatMap((each) => atWord(line, word, () => exposedPorts(each)));
    });
    draft.config.ExposedPorts = { ...draft.config.ExposedPorts, ...setOf(found) };
    record(draft, `EXPOSE ${goList(found)}`, false);
  }

  private volume(line: LogicalLine, paths: readonly Word[]): void {
    const { draft } = this.state;
    const found = paths.map((word) => {
      const path = this.word(line, word);
      if (path === '') throw errorIn(line, word.offset, 'VOLUME specified can not be an empty string');
      return path;
    });
    draft.config.Volumes = { ...draft.config.Volumes, ...setOf(found) };
    record(draft, `VOLUME ${goList(found)}`, false);
  }

  private stopSignal(line: LogicalLine, word: Word): void {
    const signal = this.word(line, word);
    if (parseSignal(signal) === undefined) throw errorIn(line, word.offset, `invalid signal: ${signal}`);
    this.state.draft.config.StopSignal = signal;
    record(this.state.draft, `STOPSIGNAL ${signal}`, false);
  }

  private workdir(line: LogicalLine, word: Word, title: string): Operation | undefined {
    const { draft } = this.state;
    const written = this.word(line, word);
    const path = written.startsWith('/') ? absolutePath(written) : absolutePath(this.directory, written);
    draft.config.WorkingDir = path;
    record(draft, `WORKDIR ${path}`, path !== '/');
    if (path === '/') return undefined;
    return { kind: 'directory', line, title, path, owner: draft.config.User ?? '' };
  }

  private copy(instruction: CopyInstruction, title: string): Operation {
    const { draft } = this.state;
    const { line, from } = instruction;
    const origin: Origin =
      from === undefined ? { kind: 'context' } : originOf(this.plan, this.index, line, from);
    const { operation, text } = copyOperation(instruction, {
      title,
      origin,
      directory: this.directory,
      word: (word) => this.word(line, word),
      lookup: (name) => this.state.variables.get(name),
    });
    record(draft, `${text} # buildkit`, true);
    return operation;
  }

  private run(instruction: RunInstruction, title: string): Operation {
    const { draft, variables, declared } = this.state;
    const { line } = instruction;
    const { args, script } = this.runArguments(instruction);
    const lookup = (name: string) => variables.get(name);
    const mounts = instruction.mounts.map((word) => {
      const mount = readMount(line, word, (text) =>
        expandWord(line, { text, offset: word.offset }, lookup, this.plan.dockerfile.escape),
      );
      return { mount, origin: this.mountOrigin(line, mount.type, mount.from, word) };
    });
    const operation: RunOperation = {
      kind: 'run',
      line,
      title,
      args,
      env: [...variables].map(([name, value]) => `${name}=${value}`),
      proxies: proxyVariables(this.plan.given),
      cwd: this.directory,
      user: draft.config.User ?? '',
      mounts,
      network: instruction.network,
      insecure: instruction.security === 'insecure',
      script,
    };
    const shown = [...declared].map(([name, value]) => `${name}=${variables.get(name) ?? value ?? ''}`);
    const prefix = shown.length === 0 ? '' : `|${shown.length} ${shown.join(' ')} `;
    record(draft, `RUN ${prefix}${args.join(' ')} # buildkit`, true);
    return operation;
  }

  private mountOrigin(line: LogicalLine, type: string, from: string, word: Word): Origin {
    if (type === 'tmpfs' || type === 'secret' || type === 'ssh') return { kind: 'nothing' };
    if (from === '') return { kind: type === 'cache' ? 'nothing' : 'context' };
    return originOf(this.plan, this.index, line, { text: from, offset: word.offset });
  }

  /**
   * The words of a RUN with documents: one alone is the script; with `#!` it is run as a file; where the line has more
   * than the document's word, line and documents go to the shell as they are.
   */
  private runArguments({ command, line }: RunInstruction): Pick<RunOperation, 'args' | 'script'> {
    const [first] = command.documents;
    if (first === undefined) return { args: this.command(command), script: undefined };
    const [text = ''] = command.words;
    if (!command.shell || command.words.length !== 1)
      throw errorIn(line, 0, 'a RUN with a document needs the shell form');
    if (heredocOrNone(text) === undefined) {
      const documents = command.documents.map(({ content, name }) => `\n${content}${name}`);
      return { args: this.command({ ...command, words: [text + documents.join('')] }), script: undefined };
    }
    const content = first.chomp ? chomped(first.content) : first.content;
    if (!content.startsWith('#!'))
      return { args: this.command({ ...command, words: [content] }), script: undefined };
    const path = absolutePath('/dev/pipes', first.name);
    // As in BuildKit, the file is run by the shell's own means.
    return { args: this.command({ ...command, words: [path] }), script: { name: first.name, content } };
  }
}

/** An error of a word gets its place. */
function atWord<T>(line: LogicalLine, word: Word, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw errorIn(line, word.offset, error instanceof Error ? bytesToUtf8(error.message) : String(error));
  }
}

/** Go's `%+v` of the structure. */
function healthText(health: HealthCheck): string {
  const { Test, Interval = 0, Timeout = 0, StartPeriod = 0, StartInterval = 0, Retries = 0 } = health;
  const times = [
    `Interval:${goDuration(Interval)}`,
    `Timeout:${goDuration(Timeout)}`,
    `StartPeriod:${goDuration(StartPeriod)}`,
    `StartInterval:${goDuration(StartInterval)}`,
  ];
  return `{Test:${goList(Test)} ${times.join(' ')} Retries:${Retries}}`;
}
