// `--env`, `--env-file` and the variables that every container gets.

import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import type { FrontendFacts, ImageConfig } from './facts.ts';
import { flagRefused, flagSource, invalidArgument } from './flag-error.ts';
import type { Recorder } from './recorder.ts';
import type { RunFlags } from './run-flags.ts';

/** docker's, on every Linux image. */
export const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What the environment depends on beside the flags. */
export interface EnvironmentInput {
  readonly flags: RunFlags;
  readonly image: ImageConfig;
  readonly facts: FrontendFacts;
  readonly hostname: Bytes;
  readonly home: Bytes;
}

/** A setting, or with value undefined the wish that the variable be absent; in the order of precedence. */
interface Setting {
  readonly name: Bytes;
  readonly value: Bytes | undefined;
  readonly source: string | undefined;
}

/**
 * The environment: PATH, HOSTNAME and (with a terminal) TERM, the image's, `--env-file`, `--env`, and HOME
 * where nobody set it. A later setting replaces an earlier one in its place.
 */
export function compileEnvironment(input: EnvironmentInput, recorder: Recorder): Bytes[] {
  const { flags, image } = input;
  const variables = new Map<Bytes, Setting>();
  const settings = [
    assignment(DEFAULT_PATH, undefined),
    assignment(`HOSTNAME=${input.hostname}`, undefined),
    ...(flags.tty === true ? [assignment('TERM=xterm', undefined)] : []),
    ...(image.Env ?? [])
      .filter((line) => /^[^=\0]+=[^\0]*$/.test(line))
      .map((line) => assignment(line, undefined)),
    ...(flags.envFile ?? []).flatMap((path) => fileSettings(path, input.facts)),
    ...(flags.env ?? []).map((text) => flagSetting(text, input.facts)),
  ];
  for (const setting of settings) {
    if (setting.value === undefined) variables.delete(setting.name);
    else variables.set(setting.name, setting);
  }
  if (!variables.has('HOME')) variables.set('HOME', { name: 'HOME', value: input.home, source: undefined });
  return [...variables.values()].map(({ name, value, source }, index) => {
    if (source !== undefined) recorder.noteSource(`/process/env/${index}`, source);
    return `${name}=${value}`;
  });
}

function assignment(text: Bytes, source: string | undefined): Setting {
  const equals = text.indexOf('=');
  return { name: text.slice(0, equals), value: text.slice(equals + 1), source };
}

/** The source names the variable only: its value may be a secret. */
function flagSetting(text: Bytes, facts: FrontendFacts): Setting {
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  if (name === '') throw invalidArgument('env', text, `invalid environment variable: ${text}`);
  const value = equals < 0 ? hostValue(name, facts) : text.slice(equals + 1);
  return { name, value, source: flagSource('env', name) };
}

function hostValue(name: Bytes, facts: FrontendFacts): Bytes | undefined {
  return facts.environment.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1);
}

function fileSettings(path: Bytes, facts: FrontendFacts): Setting[] {
  const settings: Setting[] = [];
  keyValueLines('env-file', path, facts).forEach(({ text, line }) => {
    const equals = text.indexOf('=');
    const name = equals < 0 ? text : text.slice(0, equals);
    if (/[ \t]/.test(name)) throw fileError(path, line, `variable '${name}' contains whitespaces`);
    if (name === '') throw fileError(path, line, `no variable name on line '${text}'`);
    const value = equals < 0 ? hostValue(name, facts) : text.slice(equals + 1);
    // As docker's: a bare name that the caller lacks is skipped here, while `--env NAME` removes it.
    if (value !== undefined) settings.push({ name, value, source: `--env-file ${path}:${line}` });
  });
  return settings;
}

/** The lines of a file of `NAME=value`: comments and empty lines out, leading blanks cut, a UTF-8 mark dropped. */
export function keyValueLines(
  flag: 'env-file' | 'label-file',
  path: Bytes,
  facts: FrontendFacts,
): { readonly text: Bytes; readonly line: number }[] {
  const content = facts.files.get(path);
  if (content === undefined) throw flagRefused(flag, path, `open ${path}: no such file or directory`);
  return content
    .replace(/^\xef\xbb\xbf/, '')
    .split('\n')
    .map((text, index) => ({ text: text.replace(/\r$/, '').replace(/^[ \t]+/, ''), line: index + 1 }))
    .filter(({ text, line }) => {
      if (text.includes('\0')) throw fileError(path, line, 'a NUL byte');
      return text !== '' && !text.startsWith('#');
    });
}

function fileError(path: Bytes, line: number, reason: string): CaissonError {
  return new CaissonError(`${path}:${line}: ${reason}`, { code: 'EUSAGE' });
}
