// `--secret`: a file of the caller that the container has on a memory file system, and nobody in an environment.

import type { Bytes } from '../../linux/bytes.ts';
import type { Mount } from '../../spec/runtime-spec.ts';
import type { FrontendFacts } from './facts.ts';
import { flagRefused, invalidArgument } from './flag-error.ts';
import { destinationPath } from './mount-paths.ts';
import type { GeneratedFile } from './network-files.ts';
import type { Recorder, Sourced } from './recorder.ts';
import type { RunFlags } from './run-flags.ts';

/** Where secrets are unless they say otherwise (docker's and podman's place). */
const DIRECTORY = '/run/secrets';
/** For everybody in the container: its users are not the host's. */
const MODE = 0o444;
/** docker's limit of a secret, in bytes. */
const LIMIT = 500 << 10;

/** Where the content is: a file of the caller (its path as typed), or a variable of the caller's environment. */
export type SecretSource = { readonly file: Bytes } | { readonly variable: Bytes };

/** `id=NAME,src=FILE[,target=PATH][,mode=0400]`, or `env=NAME` in place of `src`. */
export interface Secret {
  readonly id: Bytes;
  readonly source: SecretSource;
  /** In the container, absolute. */
  readonly target: Bytes;
  readonly mode: number;
}

/** The files and the mounts that put them into the container. */
export interface SecretFiles {
  readonly files: readonly GeneratedFile[];
  readonly mounts: readonly Sourced<Mount>[];
}

/** Where the contents are that `FrontendFacts.secrets` holds, with the text of each flag. Throws CaissonError `EUSAGE`. */
export function neededSecrets(
  flags: Pick<RunFlags, 'secret'>,
): (readonly [text: Bytes, source: SecretSource])[] {
  return (flags.secret ?? []).map((text) => [text, parseSecret(text).source]);
}

/** The content is never part of a configuration: it is in a file of the runtime directory while the container runs. */
export function secretFiles(flags: RunFlags, facts: FrontendFacts): SecretFiles {
  const secrets = (flags.secret ?? []).map((text) => ({ ...parseSecret(text), text }));
  if (secrets.length === 0) return { files: [], mounts: [] };
  refuseTwice(secrets);
  const files = secrets.map(({ source, mode, text }, index) => {
    const content = facts.secrets?.get(text);
    if (content === undefined) throw flagRefused('secret', text, missing(source));
    if (content.length > LIMIT) throw flagRefused('secret', text, `more than ${LIMIT} bytes`);
    return { path: fileOf(facts, index), content, mode, secret: true as const };
  });
  const mounts = secrets.map(({ target, text }, index) => ({
    source: `--secret ${text}`,
    value: {
      destination: target,
      type: 'bind',
      source: fileOf(facts, index),
      options: ['bind', 'ro', 'nosuid', 'nodev', 'noexec', 'rprivate'],
    },
  }));
  const inDefault = secrets.some(({ target }) => target.startsWith(`${DIRECTORY}/`));
  return { files, mounts: inDefault ? [{ value: MEMORY }, ...mounts] : mounts };
}

function missing(source: SecretSource): string {
  if ('file' in source) return `${source.file}: no such file`;
  return `${source.variable} is not set in the environment of the command that starts the container`;
}

/** Mount points of secrets are no files of the container's changes. */
const MEMORY: Mount = {
  destination: DIRECTORY,
  type: 'tmpfs',
  source: 'tmpfs',
  options: ['nosuid', 'nodev', 'noexec', 'mode=755', 'size=64k'],
};

function fileOf({ stateDirectory }: FrontendFacts, index: number): Bytes {
  return `${stateDirectory}/secret-${index}`;
}

function refuseTwice(secrets: readonly (Secret & { readonly text: Bytes })[]): void {
  const seen = new Set<Bytes>();
  for (const { target, text } of secrets) {
    if (seen.has(target)) throw flagRefused('secret', text, `there is another secret at ${target}`);
    seen.add(target);
  }
}

/** Throws CaissonError `EUSAGE`. */
export function parseSecret(text: Bytes): Secret {
  const fields = new Map<Bytes, Bytes>();
  for (const field of text.split(',')) {
    const equals = field.indexOf('=');
    if (equals <= 0)
      throw invalidArgument('secret', text, 'the form is id=NAME,src=FILE[,target=PATH][,mode=0444]');
    fields.set(field.slice(0, equals), field.slice(equals + 1));
  }
  const source = sourceOf(text, fields);
  const given = 'file' in source ? source.file : source.variable;
  const id = fields.get('id') ?? given.slice(given.lastIndexOf('/') + 1);
  for (const name of fields.keys()) {
    if (!FIELDS.includes(name)) throw invalidArgument('secret', text, `unknown field ${name}`);
  }
  if ((fields.get('type') ?? 'file') !== 'file' && fields.get('type') !== 'mount')
    throw invalidArgument('secret', text, 'a secret is a file: an environment can be read from outside');
  if (!/^[A-Za-z0-9._-]+$/.test(id) || /^\.+$/.test(id))
    throw invalidArgument('secret', text, `${id} is no name: letters, digits, "_", ".", "-"`);
  return {
    id,
    source,
    target: targetOf(text, fields.get('target') ?? fields.get('dst') ?? fields.get('destination') ?? id),
    mode: modeOf(text, fields.get('mode')),
  };
}

const FIELDS: readonly Bytes[] = [
  'id',
  'src',
  'source',
  'env',
  'target',
  'dst',
  'destination',
  'mode',
  'type',
];

function sourceOf(text: Bytes, fields: ReadonlyMap<Bytes, Bytes>): SecretSource {
  const [file, variable] = [fields.get('src') ?? fields.get('source') ?? '', fields.get('env') ?? ''];
  if (file !== '' && variable !== '') throw invalidArgument('secret', text, 'src and env exclude each other');
  if (variable !== '') return { variable };
  if (file !== '') return { file };
  throw invalidArgument('secret', text, 'src=FILE or env=NAME is missing: there is no store of secrets');
}

function targetOf(text: Bytes, given: Bytes): Bytes {
  try {
    return destinationPath(given.startsWith('/') ? given : `${DIRECTORY}/${given}`);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw invalidArgument('secret', text, error.message);
  }
}

function modeOf(text: Bytes, given: Bytes | undefined): number {
  if (given === undefined) return MODE;
  if (/^0?[0-7]{3}$/.test(given)) return Number.parseInt(given, 8);
  throw invalidArgument('secret', text, 'mode is octal: 0400');
}

const LIKE_A_SECRET = /PASS(?:WORD|WD|PHRASE)|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIAL/i;

/** Tells of variables of `--env` that look like secrets, by name alone; those of images are their authors' affair. */
export function warnOfSecrets(flags: RunFlags, recorder: Recorder): void {
  for (const text of flags.env ?? []) {
    const equals = text.indexOf('=');
    const name = equals < 0 ? text : text.slice(0, equals);
    if (!LIKE_A_SECRET.test(name) || equals === text.length - 1) continue;
    recorder.warn(
      `--env ${name} looks like a secret: /proc/PID/environ shows it to root and to the same user, \`inspect\` to all who may call caisson; --secret id=${name.toLowerCase()},src=FILE gives it as a file in memory (docs/secrets.md)`,
    );
  }
}
