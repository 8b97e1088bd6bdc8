// What each keyword makes of its words: a raw instruction becomes a typed one.
import { parseDuration } from './duration.ts';
import { type FlagKind, type GivenFlags, readFlags } from './flags.ts';
import { chomped, heredocOrNone } from './heredoc.ts';
import type {
  CommandForm,
  CopyInstruction,
  FromInstruction,
  HealthCheck,
  Instruction,
  Pair,
  RunInstruction,
} from './instructions.ts';
import type { RawInstruction } from './parse-lines.ts';
import { checkMount } from './run-mount.ts';
import { errorIn, suggestion, type Word } from './source.ts';
import { trim } from './white-space.ts';

const KEYWORDS =
  'ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR'.split(
    ' ',
  );

const STAGE_NAME = /^[a-z][a-z0-9-_.]*$/;

/** Throws CaissonError EDOCKERFILE. */
export function readInstruction(raw: RawInstruction): Instruction | FromInstruction {
  const { line, comments, words } = raw;
  const keyword = raw.keyword.toUpperCase();
  const common = { line, comments };
  switch (keyword) {
    case 'FROM':
      return readFrom(raw);
    case 'ADD':
    case 'COPY':
      return readCopy(raw, keyword === 'ADD' ? 'add' : 'copy');
    case 'RUN':
      return readRun(raw);
    case 'ENV':
    case 'LABEL':
      return { ...common, kind: keyword === 'ENV' ? 'env' : 'label', pairs: readPairs(raw, keyword) };
    case 'ARG':
      return { ...common, kind: 'arg', arguments: readArguments(raw) };
    case 'CMD':
    case 'ENTRYPOINT':
      noFlags(raw);
      return { ...common, kind: keyword === 'CMD' ? 'cmd' : 'entrypoint', command: commandOf(raw, words) };
    case 'HEALTHCHECK':
      return { ...common, kind: 'healthcheck', health: readHealthCheck(raw) };
    case 'ONBUILD':
      return { ...common, kind: 'onbuild', trigger: readOnbuild(raw) };
    case 'SHELL':
      return { ...common, kind: 'shell', shell: readShell(raw) };
    case 'EXPOSE':
      noFlags(raw);
      return { ...common, kind: 'expose', ports: [...atLeastOne(raw, keyword)].sort(byText) };
    case 'VOLUME':
      noFlags(raw);
      return { ...common, kind: 'volume', paths: readVolumes(raw) };
    case 'MAINTAINER':
    case 'STOPSIGNAL':
    case 'USER':
    case 'WORKDIR':
      return { ...common, kind: VALUE_KINDS[keyword], value: onlyOne(raw, keyword) };
  }
  const near = suggestion(raw.keyword, KEYWORDS);
  throw errorIn(line, 0, `unknown instruction: ${raw.keyword}${near}`);
}

const VALUE_KINDS = {
  MAINTAINER: 'maintainer',
  STOPSIGNAL: 'stopsignal',
  USER: 'user',
  WORKDIR: 'workdir',
} as const;

function byText(a: Word, b: Word): number {
  return a.text < b.text ? -1 : a.text > b.text ? 1 : 0;
}

function flagsOf(raw: RawInstruction, known: Readonly<Record<string, FlagKind>>): GivenFlags {
  return readFlags(raw.line, raw.flags, known);
}

function noFlags(raw: RawInstruction): void {
  flagsOf(raw, {});
}

function atLeastOne({ line, words }: RawInstruction, keyword: string): readonly Word[] {
  if (words.length === 0) throw errorIn(line, 0, `${keyword} requires at least one argument`);
  return words;
}

function onlyOne(raw: RawInstruction, keyword: string): Word {
  const [word, more] = raw.words;
  if (word === undefined || more !== undefined)
    throw errorIn(raw.line, 0, `${keyword} requires exactly one argument`);
  noFlags(raw);
  return word;
}

function readFrom(raw: RawInstruction): FromInstruction {
  const { line, words, comments } = raw;
  const [base, as, name] = words;
  const named = words.length === 3 && as?.text.toLowerCase() === 'as' && name !== undefined;
  if (base === undefined || !(named || words.length === 1))
    throw errorIn(line, words[1]?.offset ?? 0, 'FROM requires either one or three arguments');
  const stage = named ? name.text.toLowerCase() : '';
  if (named && !STAGE_NAME.test(stage)) {
    const shown = JSON.stringify(name.text);
    throw errorIn(
      line,
      name.offset,
      `invalid name for build stage: ${shown}, name can't start with a number or contain symbols`,
    );
  }
  const flags = flagsOf(raw, { platform: 'text' });
  return { kind: 'from', line, comments, base, name: stage, platform: flags.text('platform') ?? '' };
}

function readPairs(raw: RawInstruction, keyword: string): Pair[] {
  noFlags(raw);
  const words = atLeastOne(raw, keyword);
  const pairs: Pair[] = [];
  for (let at = 0; at < words.length; at += 3) {
    const [key, value] = [words[at] as Word, words[at + 1] as Word];
    if (key.text === '') throw errorIn(raw.line, key.offset, `${keyword} names can not be blank`);
    pairs.push({ key, value });
  }
  return pairs;
}

function readArguments(raw: RawInstruction) {
  return atLeastOne(raw, 'ARG').map(({ text, offset }) => {
    const equals = text.indexOf('=');
    if (equals === 0) throw errorIn(raw.line, offset, 'ARG names can not be blank');
    if (equals < 0) return { key: { text, offset }, value: undefined };
    return {
      key: { text: text.slice(0, equals), offset },
      value: { text: text.slice(equals + 1), offset: offset + equals + 1 },
    };
  });
}

function readVolumes(raw: RawInstruction): Word[] {
  return atLeastOne(raw, 'VOLUME').map(({ text, offset }) => {
    const path = trim(text);
    if (path === '') throw errorIn(raw.line, offset, 'VOLUME specified can not be an empty string');
    return { text: path, offset };
  });
}

function readShell(raw: RawInstruction): string[] {
  noFlags(raw);
  const words = atLeastOne(raw, 'SHELL');
  if (!raw.json)
    throw errorIn(raw.line, words[0]?.offset ?? 0, 'SHELL requires the arguments to be in JSON form');
  return words.map(({ text }) => text);
}

/** The words of a command: as they are in the exec form, one text in the shell form. */
function commandOf(raw: RawInstruction, words: readonly Word[]): CommandForm {
  const texts = words.map(({ text }) => text);
  const joined = texts.length === 0 ? [] : [texts.join(' ')];
  return { words: raw.json ? texts : joined, shell: !raw.json, documents: raw.heredocs };
}

function readRun(raw: RawInstruction): RunInstruction {
  const { line, comments, words } = raw;
  const flags = flagsOf(raw, { mount: 'list', network: 'text', security: 'text' });
  const mounts = flags.list('mount');
  for (const mount of mounts) checkMount(line, mount);
  return {
    kind: 'run',
    line,
    comments,
    command: commandOf(raw, words),
    mounts,
    network: oneOf(raw, flags, 'network', ['default', 'none', 'host']),
    security: oneOf(raw, flags, 'security', ['sandbox', 'insecure']),
  };
}

function oneOf<T extends string>(
  raw: RawInstruction,
  flags: GivenFlags,
  name: string,
  allowed: readonly [T, ...T[]],
): T {
  const given = flags.word(name);
  if (given === undefined) return allowed[0];
  const found = allowed.find((each) => each === given.text);
  if (found !== undefined) return found;
  const near = suggestion(given.text, allowed);
  throw errorIn(raw.line, given.offset, `invalid ${name} mode ${JSON.stringify(given.text)}${near}`);
}

const COPY_FLAGS = {
  chown: 'text',
  from: 'text',
  chmod: 'text',
  link: 'boolean',
  exclude: 'list',
  parents: 'boolean',
} as const;

const ADD_FLAGS = {
  chown: 'text',
  chmod: 'text',
  link: 'boolean',
  'keep-git-dir': 'boolean',
  checksum: 'text',
  unpack: 'boolean',
  exclude: 'list',
} as const;

function readCopy(raw: RawInstruction, kind: 'add' | 'copy'): CopyInstruction {
  const { line, words, comments } = raw;
  const keyword = kind.toUpperCase();
  const destination = words.at(-1);
  if (destination === undefined || words.length < 2) {
    const what = `${keyword} requires at least two arguments, but only one was provided. Destination could not be determined`;
    throw errorIn(line, 0, what);
  }
  const flags = flagsOf(raw, kind === 'add' ? ADD_FLAGS : COPY_FLAGS);
  if (heredocOrNone(destination.text) !== undefined)
    throw errorIn(line, destination.offset, `${keyword} cannot accept a heredoc as a destination`);
  const sources: Word[] = [];
  const files = [];
  for (const word of words.slice(0, -1)) {
    const document = heredocOrNone(word.text);
    if (document === undefined) {
      sources.push(word);
      continue;
    }
    const content = raw.heredocs.findLast(({ name }) => name === document.name)?.content ?? '';
    const { name, expand, chomp } = document;
    files.push({ name, expand, content: chomp ? chomped(content) : content });
  }
  return {
    kind,
    line,
    comments,
    sources,
    files,
    destination,
    chown: flags.text('chown') ?? '',
    chmod: flags.text('chmod') ?? '',
    link: flags.boolean('link') ?? false,
    exclude: flags.list('exclude').map(({ text }) => text),
    from: flags.word('from'),
    parents: flags.boolean('parents') ?? false,
    checksum: flags.text('checksum') ?? '',
    keepGitDir: flags.boolean('keep-git-dir'),
    unpack: flags.boolean('unpack'),
  };
}

const HEALTH_FLAGS = {
  interval: 'text',
  timeout: 'text',
  'start-period': 'text',
  'start-interval': 'text',
  retries: 'text',
} as const;

function readHealthCheck(raw: RawInstruction): HealthCheck {
  const [type, ...rest] = atLeastOne(raw, 'HEALTHCHECK');
  const written = type?.text.toUpperCase() ?? '';
  if (written === 'NONE') {
    if (rest.length > 0) throw errorIn(raw.line, rest[0]?.offset ?? 0, 'HEALTHCHECK NONE takes no arguments');
    return { Test: ['NONE'] };
  }
  const flags = flagsOf(raw, HEALTH_FLAGS);
  if (written !== 'CMD') {
    const shown = JSON.stringify(type?.text ?? '');
    throw errorIn(raw.line, type?.offset ?? 0, `Unknown type ${shown} in HEALTHCHECK (try CMD)`);
  }
  const { words, shell } = commandOf(raw, rest);
  if (words.length === 0) throw errorIn(raw.line, 0, 'Missing command after HEALTHCHECK CMD');
  const duration = (name: string) => durationFlag(raw, flags, name);
  const times = {
    Interval: duration('interval'),
    Timeout: duration('timeout'),
    StartPeriod: duration('start-period'),
    StartInterval: duration('start-interval'),
    Retries: retries(raw, flags),
  };
  return {
    Test: [shell ? 'CMD-SHELL' : 'CMD', ...words],
    ...Object.fromEntries(Object.entries(times).filter(([, value]) => value !== 0)),
  };
}

function durationFlag(raw: RawInstruction, flags: GivenFlags, name: string): number {
  const given = flags.word(name);
  if (given === undefined || given.text === '') return 0;
  const duration = parseDuration(given.text);
  if (duration === undefined)
    throw errorIn(raw.line, given.offset, `invalid duration ${JSON.stringify(given.text)} for --${name}`);
  if (duration !== 0 && duration < 1e6)
    throw errorIn(raw.line, given.offset, `Interval ${JSON.stringify(name)} cannot be less than 1ms`);
  return duration;
}

function retries(raw: RawInstruction, flags: GivenFlags): number {
  const given = flags.word('retries');
  if (given === undefined || given.text === '') return 0;
  const count = /^[-+]?\d{1,10}$/.test(given.text) ? Number(given.text) : Number.NaN;
  if (Number.isNaN(count) || count >= 2 ** 31)
    throw errorIn(raw.line, given.offset, `--retries is not a number: ${given.text}`);
  if (count < 0) throw errorIn(raw.line, given.offset, `--retries cannot be negative (${count})`);
  return count;
}

/** The text of a trigger: it is parsed again where it is triggered. */
function readOnbuild(raw: RawInstruction): string {
  const [trigger] = atLeastOne(raw, 'ONBUILD');
  noFlags(raw);
  const keyword = trigger?.text.trim().toUpperCase() ?? '';
  const offset = trigger?.offset ?? 0;
  if (keyword === 'ONBUILD')
    throw errorIn(raw.line, offset, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (keyword === 'MAINTAINER' || keyword === 'FROM')
    throw errorIn(raw.line, offset, `${keyword} isn't allowed as an ONBUILD trigger`);
  if (!KEYWORDS.includes(keyword)) {
    const near = suggestion(keyword, KEYWORDS);
    throw errorIn(raw.line, offset, `unknown instruction: ${trigger?.text}${near}`);
  }
  const documents = raw.heredocs.map(({ content, name }) => `\n${content}${name}`);
  return raw.line.text.replace(/^\s*ONBUILD\s*/i, '') + documents.join('');
}
