// COPY and ADD with their variables replaced: what is copied where, and the line of history.

import { expand, type Lookup } from '../dockerfile/expand.ts';
import type { CopyInstruction } from '../dockerfile/instructions.ts';
import { errorIn, type Word } from '../dockerfile/source.ts';
import { cleanPath } from '../ignore/clean-path.ts';
import { checkMode } from '../mode.ts';
import { located } from './arguments.ts';
import type { CopyOperation, CopySource, Origin } from './operations.ts';
import { isGitSource, isHttpSource } from './remote.ts';

/** What a stage knows. */
export interface CopyContext {
  readonly title: string;
  readonly origin: Origin;
  /** The working directory. */
  readonly directory: string;
  readonly word: (word: Word) => string;
  readonly lookup: Lookup;
}

/** Throws CaissonError EDOCKERFILE. */
export function copyOperation(
  instruction: CopyInstruction,
  context: CopyContext,
): { operation: CopyOperation; text: string } {
  const { line } = instruction;
  const add = instruction.kind === 'add';
  const flag = (name: string, text: string) => context.word({ text, offset: flagOffset(instruction, name) });
  const owner = flag('chown', instruction.chown);
  const mode = flag('chmod', instruction.chmod);
  const checksum = flag('checksum', instruction.checksum);
  const problem = checkMode(mode);
  if (problem !== undefined) throw errorIn(line, flagOffset(instruction, 'chmod'), problem);
  const sources = [
    ...instruction.sources.map((word) => sourceOf(instruction, word, context)),
    ...inlineSources(instruction, context),
  ];
  checkChecksum(instruction, checksum, sources);
  const written = context.word(instruction.destination);
  const operation: CopyOperation = {
    kind: 'copy',
    line,
    title: context.title,
    add,
    owner,
    mode,
    origin: context.origin,
    sources,
    destination: destinationOf(written, context.directory),
    exclude: instruction.exclude,
    parents: instruction.parents,
    link: instruction.link,
    checksum,
    keepGitDirectory: instruction.keepGitDir ?? false,
    unpack: instruction.unpack,
  };
  const words = [
    add ? 'ADD' : 'COPY',
    ...(instruction.parents ? ['--parents'] : []),
    ...(owner === '' ? [] : [`--chown=${owner}`]),
    ...(mode === '' ? [] : [`--chmod=${mode}`]),
    ...sources.map(sourceText),
    written,
  ];
  return { operation, text: words.join(' ') };
}

function flagOffset({ line }: CopyInstruction, name: string): number {
  return Math.max(0, line.text.indexOf(`--${name}`));
}

function sourceText(source: CopySource): string {
  if (source.kind === 'files') return source.pattern;
  return source.kind === 'inline' ? `<<${source.name}` : source.url;
}

function sourceOf(instruction: CopyInstruction, word: Word, context: CopyContext): CopySource {
  const { line, kind } = instruction;
  const { offset } = word;
  const text = context.word(word);
  if (isGitSource(text)) {
    if (kind === 'copy') throw errorIn(line, offset, "source can't be a git ref for COPY");
    return { kind: 'git', url: text, offset };
  }
  if (isHttpSource(text)) {
    if (kind === 'copy') throw errorIn(line, offset, "source can't be a URL for COPY");
    return { kind: 'url', url: text, offset };
  }
  if (text.includes('\0')) throw errorIn(line, offset, 'a path contains a NUL byte');
  return { kind: 'files', pattern: text, offset };
}

function inlineSources({ line, files }: CopyInstruction, { lookup }: CopyContext): CopySource[] {
  return files.map(({ name, content, expand: wanted }) => {
    const offset = Math.max(0, line.text.indexOf('<<'));
    if (name.includes('/') || name === '.' || name === '..' || name.includes('\0'))
      throw errorIn(line, offset, `${JSON.stringify(name)} cannot be the name of a file`);
    const text = wanted
      ? located(line, offset, () => expand(content, lookup, { plainQuotes: true }).text)
      : content;
    return { kind: 'inline', name, content: text };
  });
}

function checkChecksum(instruction: CopyInstruction, checksum: string, sources: readonly CopySource[]): void {
  if (checksum === '') return;
  const offset = flagOffset(instruction, 'checksum');
  const wrong = (message: string) => errorIn(instruction.line, offset, message);
  if (sources.length !== 1) throw wrong("checksum can't be specified for multiple sources");
  const [source] = sources;
  if (source?.kind !== 'url' && source?.kind !== 'git')
    throw wrong('checksum requires HTTP(S) or Git sources');
  if (source.kind === 'url' && !/^sha256:[0-9a-f]{64}$|^sha512:[0-9a-f]{128}$/.test(checksum))
    throw wrong(`invalid checksum digest format: ${checksum}`);
  if (source.kind === 'git' && !/^[0-9a-f]{7,64}$/.test(checksum))
    throw wrong(`invalid checksum for Git source: ${checksum}`);
}

/** Absolute and clean; a slash or `/.` at the end says that it is a directory. */
function destinationOf(written: string, directory: string): string {
  const path = written === '' ? './' : written;
  const absolute = cleanPath(path.startsWith('/') ? path : `${directory}/${path}`);
  const isDirectory = path.endsWith('/') || path.endsWith('/.') || path === '.';
  return isDirectory && !absolute.endsWith('/') ? `${absolute}/` : absolute;
}
