// The context of a build and its Dockerfile: a directory, standard input, an archive, a repository, an address.
import type { Session } from '../../build/cache/session.ts';
import { applyPlain, isTarHeader } from '../../build/execute/archive.ts';
import type { BuildContext, BuildEnvironment } from '../../build/execute/environment.ts';
import { isGitSource } from '../../build/graph/remote.ts';
import { IgnoreMatcher, readIgnoreFile } from '../../build/ignore/matcher.ts';
import { readSmall } from '../../build/tree/content.ts';
import { openBelow, realPath } from '../../build/tree/resolve.ts';
import type { TreeWorker } from '../../build/tree/worker.ts';
import type { Port } from '../../host/port.ts';
import { compressionOf } from '../../image/compression.ts';
import { type Bytes, bytesToUtf8, fromArray, utf8ToBytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import type { CloneRepository } from './git.ts';

/** What a build reads. */
export interface BuildInput {
  readonly context: BuildContext;
  /** For errors. */
  readonly dockerfileName: string;
  readonly dockerfile: string;
}

export interface InputOptions {
  /** `PATH | URL | -`. */
  readonly source: Bytes;
  /** `-f`. */
  readonly file: Bytes | undefined;
}

/** What finding the input needs. */
export interface InputTools {
  readonly port: Port;
  readonly session: Session;
  readonly worker: TreeWorker;
  readonly clone: CloneRepository;
  readonly decompress: BuildEnvironment['decompress'];
}

const DOCKERFILE_LIMIT = 16 << 20;
const IGNORE_LIMIT = 4 << 20;

/** Throws CaissonError `ENOTFOUND`, `EUSAGE`. */
export async function buildInput(tools: InputTools, options: InputOptions): Promise<BuildInput> {
  const { source, file } = options;
  if (source === '-') return await fromInput(tools, file);
  const text = bytesToUtf8(source);
  const repository = await cloned(tools, text);
  if (repository !== undefined) return await fromDirectory(tools, repository, file, false);
  if (/^https?:\/\//.test(text)) return await fromContent(tools, await contentOf(text), file, text);
  const directory = source.startsWith('/') ? source : `${tools.port.cwd}/${source}`;
  const type = tools.port.stat(directory)?.type;
  if (type === 'directory') return await fromDirectory(tools, directory, file, true);
  throw type === undefined
    ? new CaissonError(`unable to prepare context: path "${source}" not found`, {
        code: 'ENOTFOUND',
        exitCode: 1,
      })
    : new CaissonError(`unable to prepare context: path "${source}" is not a directory`, {
        code: 'EUSAGE',
        exitCode: 1,
      });
}

/** The directory of a repository that a text names; undefined for another text. */
async function cloned(tools: InputTools, text: string): Promise<Bytes | undefined> {
  if (!isGitSource(text) && !text.startsWith('github.com/')) return undefined;
  const url = text.startsWith('github.com/') ? `https://${text}` : text;
  const { directory, subdirectory } = await tools.clone(url, { keepGitDirectory: false, checksum: '' });
  const top = await tools.worker.openDirectory(directory);
  // Below the repository, whatever links it has (GHSA-hw3h: `#ref:subdir` led out of it).
  const real = await realPath(tools.worker, top, subdirectory);
  await tools.worker.shut(top);
  if (real === undefined) throw noFile(`${text}: ${bytesToUtf8(subdirectory)}`);
  return real === '' ? directory : `${directory}/${real}`;
}

/** A context without Dockerfile: a directory of the caller's, or a repository; undefined where there is none. */
export async function contextDirectory(tools: InputTools, source: Bytes): Promise<BuildContext | undefined> {
  const own = source.startsWith('/') ? source : `${tools.port.cwd}/${source}`;
  const directory = (await cloned(tools, bytesToUtf8(source))) ?? own;
  if (tools.port.stat(directory)?.type !== 'directory') return undefined;
  const top = await tools.worker.openDirectory(directory);
  try {
    const ignoreName = '.dockerignore';
    return { directory, ignore: matcherOf(await ignoreFile(tools, top, ignoreName), ignoreName), ignoreName };
  } finally {
    await tools.worker.shut(top);
  }
}

async function contentOf(url: string): Promise<AsyncIterable<Uint8Array>> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (cause) {
    throw new CaissonError(utf8ToBytes(`${url}: the connection failed`), { code: 'ENETWORK', cause });
  }
  if (!response.ok || response.body === null)
    throw new CaissonError(utf8ToBytes(`${url}: the server answers ${response.status}`), {
      code: 'ENETWORK',
    });
  return response.body as unknown as AsyncIterable<Uint8Array>;
}

async function fromInput(tools: InputTools, file: Bytes | undefined): Promise<BuildInput> {
  if (file === '-')
    throw new CaissonError("invalid argument: can't use stdin for both build context and dockerfile", {
      code: 'EUSAGE',
    });
  const { port } = tools;
  const input = port.readInputChunks?.() ?? port.readChunks('/proc/self/fd/0');
  return await fromContent(tools, input, file, 'standard input');
}

/** An archive is a context, anything else a Dockerfile without one. */
async function fromContent(
  tools: InputTools,
  content: AsyncIterable<Uint8Array>,
  file: Bytes | undefined,
  name: string,
): Promise<BuildInput> {
  const chunks = content[Symbol.asyncIterator]();
  let beginning = new Uint8Array(0);
  let ended = false;
  while (beginning.length < 512 && !ended) {
    const next = await chunks.next();
    if (next.done === true) ended = true;
    else beginning = joined(beginning, next.value);
  }
  const compression = compressionOf(beginning);
  if (compression === undefined && !isTarHeader(beginning.subarray(0, 512))) {
    const dockerfile = await restOf(beginning, chunks);
    const context = { directory: undefined, ignore: undefined, ignoreName: '.dockerignore' };
    return { context, dockerfileName: 'Dockerfile', dockerfile };
  }
  const room = tools.session.room('context');
  await applyPlain(tools, rejoined(beginning, chunks), compression, room, utf8ToBytes(`context of ${name}`));
  return await fromDirectory(tools, room, file, false);
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

async function* rejoined(beginning: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield beginning;
  for (;;) {
    const next = await rest.next();
    if (next.done === true) return;
    yield next.value;
  }
}

async function restOf(beginning: Uint8Array, rest: AsyncIterator<Uint8Array>): Promise<string> {
  const pieces: Bytes[] = [];
  let length = 0;
  for await (const piece of rejoined(beginning, rest)) {
    length += piece.length;
    if (length > DOCKERFILE_LIMIT)
      throw new CaissonError(`the Dockerfile has more than ${DOCKERFILE_LIMIT} bytes`, { code: 'EUSAGE' });
    pieces.push(fromArray(piece));
  }
  return textOf(pieces.join(''), 'Dockerfile');
}

/** A Dockerfile is UTF-8 text. */
function textOf(bytes: Bytes, name: string): string {
  const text = bytesToUtf8(bytes);
  if (!text.includes('\ufffd') || bytes.includes('\xef\xbf\xbd')) return text;
  const line = text.slice(0, text.indexOf('\ufffd')).split('\n').length;
  throw new CaissonError(utf8ToBytes(`${name}:${line}: this is not UTF-8`), {
    code: 'EDOCKERFILE',
    exitCode: 1,
  });
}

function noFile(name: string): CaissonError {
  return new CaissonError(utf8ToBytes(`failed to read dockerfile: open ${name}: no such file or directory`), {
    code: 'ENOTFOUND',
    exitCode: 1,
  });
}

/** `local`: -f is a path of the working directory; else it is one of the context. */
async function fromDirectory(
  tools: InputTools,
  directory: Bytes,
  file: Bytes | undefined,
  local: boolean,
): Promise<BuildInput> {
  const top = await tools.worker.openDirectory(directory);
  try {
    const found = await dockerfileOf(tools, top, directory, file, local);
    const own = await found.ignore();
    const common = own === undefined ? await ignoreFile(tools, top, '.dockerignore') : undefined;
    const ignore = own ?? common;
    const ignoreName = own === undefined ? '.dockerignore' : `${found.name}.dockerignore`;
    return {
      context: { directory, ignore: matcherOf(ignore, ignoreName), ignoreName },
      dockerfileName: found.name,
      dockerfile: found.content,
    };
  } finally {
    await tools.worker.shut(top);
  }
}

/** A link there is not followed: it could show any file of the host in an error (CVE-2022-4122). */
async function ignoreFile({ worker }: InputTools, top: number, path: Bytes): Promise<string | undefined> {
  const content = await readSmall(worker, top, path, IGNORE_LIMIT);
  return content === undefined ? undefined : bytesToUtf8(fromArray(content));
}

function matcherOf(content: string | undefined, name: string): IgnoreMatcher | undefined {
  if (content === undefined) return undefined;
  try {
    const matcher = new IgnoreMatcher(readIgnoreFile(content));
    return matcher.empty ? undefined : matcher;
  } catch (error) {
    const reason = error instanceof Error ? error.message : '';
    throw new CaissonError(utf8ToBytes(`${name}: ${reason}`), { code: 'EDOCKERFILE', exitCode: 1 });
  }
}

interface FoundDockerfile {
  readonly name: string;
  readonly content: string;
  /** The ignore file that belongs to it alone. */
  readonly ignore: () => Promise<string | undefined>;
}

async function dockerfileOf(
  tools: InputTools,
  top: number,
  directory: Bytes,
  file: Bytes | undefined,
  local: boolean,
): Promise<FoundDockerfile> {
  const { port } = tools;
  if (file === '-') {
    const content = textOf(port.readInput(), 'Dockerfile');
    return { name: 'Dockerfile', content, ignore: async () => undefined };
  }
  if (file !== undefined && local) {
    const path = file.startsWith('/') ? file : `${port.cwd}/${file}`;
    const content = port.readFile(path, DOCKERFILE_LIMIT);
    if (content === undefined && !file.startsWith('/')) {
      // docker takes a name below the context as well.
      const inside = await inContext(tools, top, file);
      if (inside !== undefined) return inside;
    }
    if (content === undefined) throw noFile(bytesToUtf8(file));
    const cut = path.lastIndexOf('/');
    const beside = async () => {
      const above = await tools.worker.openDirectory(path.slice(0, cut + 1));
      const found = await ignoreFile(tools, above, `${path.slice(cut + 1)}.dockerignore`);
      await tools.worker.shut(above);
      return found;
    };
    const name = bytesToUtf8(path.startsWith(`${directory}/`) ? path.slice(directory.length + 1) : file);
    return { name, content: textOf(content, name), ignore: beside };
  }
  const names = file === undefined ? ['Dockerfile', 'dockerfile'] : [file];
  for (const name of names) {
    const found = await inContext(tools, top, name);
    if (found !== undefined) return found;
  }
  throw noFile(bytesToUtf8(names[0] ?? ''));
}

async function inContext(tools: InputTools, top: number, path: Bytes): Promise<FoundDockerfile | undefined> {
  const { worker } = tools;
  const real = await realPath(worker, top, path);
  const content = real === undefined ? undefined : await readSmall(worker, top, real, DOCKERFILE_LIMIT);
  if (real === undefined || content === undefined) return undefined;
  const cut = path.lastIndexOf('/');
  const name = bytesToUtf8(path);
  return {
    name,
    content: textOf(fromArray(content), name),
    ignore: async () => {
      const above = await realPath(worker, top, cut < 0 ? '' : path.slice(0, cut));
      if (above === undefined) return undefined;
      const directory = await openBelow(worker, top, above);
      const found = await ignoreFile(tools, directory, `${path.slice(cut + 1)}.dockerignore`);
      await worker.shut(directory);
      return found;
    },
  };
}
