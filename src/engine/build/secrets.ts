// `--secret`: where secrets come from. Their content is read when a step asks for it.
import { csvFields } from '../../build/dockerfile/csv.ts';
import type { Secrets } from '../../build/execute/environment.ts';
import type { Port } from '../../host/port.ts';
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';

type Source = { readonly kind: 'file' | 'env'; readonly name: string };

const LIMIT = 500 << 10;

/** Throws CaissonError `EUSAGE`. */
export function buildSecrets(port: Port, secrets: readonly Bytes[], agent: Secrets['agent']): Secrets {
  const sources = new Map(secrets.map((text) => secretOf(port, bytesToUtf8(text))));
  return {
    secret: (id) => {
      const source = sources.get(id);
      return source === undefined ? undefined : contentOf(port, id, source);
    },
    agent,
  };
}

function wrong(flag: string, text: string, why: string): CaissonError {
  // The text names files and variables, never their content.
  return new CaissonError(utf8ToBytes(`invalid --${flag} ${text}: ${why}`), { code: 'EUSAGE' });
}

function variable(port: Port, name: string): Bytes | undefined {
  const prefix = `${utf8ToBytes(name)}=`;
  return port.environment.find((entry) => entry.startsWith(prefix))?.slice(prefix.length);
}

/** `id=mysecret,src=FILE`, `id=TOKEN,env=TOKEN`, `id=TOKEN`. */
function secretOf(port: Port, text: string): [string, Source] {
  const found = new Map<string, string>();
  for (const field of fieldsOf(text)) {
    const equals = field.indexOf('=');
    if (equals < 0) throw wrong('secret', text, `${field} is no key=value`);
    found.set(field.slice(0, equals).toLowerCase(), field.slice(equals + 1));
  }
  const known = new Set(['id', 'src', 'source', 'env', 'type']);
  const other = [...found.keys()].find((key) => !known.has(key));
  if (other !== undefined) throw wrong('secret', text, `unexpected key ${other}`);
  const file = found.get('src') ?? found.get('source');
  const env = found.get('env');
  const id = found.get('id') ?? env ?? '';
  const type = found.get('type') ?? '';
  if (id === '') throw wrong('secret', text, 'the id is missing');
  if (!['', 'file', 'env'].includes(type)) throw wrong('secret', text, `unsupported type ${type}`);
  if (env !== undefined && file !== undefined) throw wrong('secret', text, 'env and src are given both');
  if (env !== undefined) return [id, { kind: 'env', name: env }];
  if (file !== undefined) return [id, { kind: type === 'env' ? 'env' : 'file', name: file }];
  // As docker: a variable of that name, else a file.
  return [id, { kind: variable(port, id) === undefined ? 'file' : 'env', name: id }];
}

function fieldsOf(text: string): string[] {
  try {
    return csvFields(text);
  } catch (error) {
    throw wrong('secret', text, error instanceof Error ? error.message : '');
  }
}

function contentOf(port: Port, id: string, { kind, name }: Source): Bytes {
  const absent = (what: string) =>
    new CaissonError(utf8ToBytes(`secret ${id}: ${what}`), { code: 'ENOTFOUND', exitCode: 1 });
  if (kind === 'env') {
    const value = variable(port, name);
    if (value === undefined) throw absent(`the variable ${name} is not set`);
    return value;
  }
  const path = utf8ToBytes(name);
  const absolute = path.startsWith('/') ? path : `${port.cwd}/${path}`;
  if (port.stat(absolute)?.type === 'directory') throw absent(`${name} is a directory`);
  const content = port.readFile(absolute, LIMIT);
  if (content === undefined) throw absent(`${name}: no such file`);
  return content;
}
