// Where archives come from and go to: a file, standard input and output, an address.
import type { Port } from '../../host/port.ts';
import { compressionOf } from '../../image/compression.ts';
import { decompress } from '../../image/layer/decompress.ts';
import { type Bytes, fromArray } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { OCI_LAYER } from '../../spec/media-types.ts';
import type { Shop } from './shop.ts';

/** Something that can be read more than once. */
export interface Source {
  /** As it is. */
  read(): AsyncIterable<Uint8Array>;
  /** Behind its compression. */
  plain(): AsyncIterable<Uint8Array>;
  /** Takes away what was made for it. */
  close(): void;
}

function sourceOf(read: Source['read'], close: () => void = () => undefined): Source {
  return { read, plain: () => plainOf(read()), close };
}

/** Throws CaissonError `EARCHIVE` for a compression that nobody here undoes. */
export async function* plainOf(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let first = true;
  const looked = async function* () {
    for await (const chunk of content) {
      const compression = first ? compressionOf(chunk) : undefined;
      first = false;
      if (compression !== undefined && !['gzip', 'zstd'].includes(compression.name)) {
        throw new CaissonError(
          `the archive is compressed with ${compression.name}: unpack it first (${compression.program})`,
          {
            code: 'EARCHIVE',
          },
        );
      }
      yield chunk;
    }
  };
  yield* decompress(looked(), OCI_LAYER);
}

/** A file of the host. Throws CaissonError `ENOTFOUND`. */
export function fileSource(port: Port, path: Bytes): Source {
  const absolute = absolutePath(port, path);
  const type = port.stat(absolute)?.type;
  if (type === undefined) {
    throw new CaissonError(`open ${path}: no such file or directory`, { code: 'ENOTFOUND', exitCode: 1 });
  }
  if (type === 'directory') {
    throw new CaissonError(`open ${path}: is a directory`, { code: 'EUSAGE', exitCode: 1 });
  }
  return sourceOf(() => port.readChunks(absolute));
}

/** Standard input, kept in the store's directory while it is needed: an archive may have to be read twice. */
export async function inputSource(shop: Shop): Promise<Source> {
  return await keptSource(shop, shop.port.readInputChunks?.() ?? shop.port.readChunks('/proc/self/fd/0'));
}

/**
 * What an address answers. Throws CaissonError `ENETWORK`, and `EUSAGE` for one with a password, which would stay in the
 * image's history.
 */
export async function addressSource(shop: Shop, address: string): Promise<Source> {
  refusePassword(address);
  let response: Response;
  try {
    response = await fetch(address, { redirect: 'follow' });
  } catch (cause) {
    throw new CaissonError(`${address}: the connection failed`, { code: 'ENETWORK', cause });
  }
  if (address.startsWith('https:') && !response.url.startsWith('https:')) {
    await response.body?.cancel();
    throw new CaissonError(`${address}: it leads to an address without TLS, which is not followed`, {
      code: 'EREDIRECT',
    });
  }
  if (!response.ok || response.body === null)
    throw new CaissonError(`${address}: the server answers ${response.status}`, { code: 'ENETWORK' });
  return await keptSource(shop, chunksOf(response.body));
}

/** The address itself is not told: messages are kept. */
function refusePassword(address: string): void {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw new CaissonError('the address of the archive is no URL', { code: 'EUSAGE', exitCode: 1 });
  }
  if (url.username === '' && url.password === '') return;
  throw new CaissonError(`the address of the archive at ${url.host} has a user or password in it`, {
    code: 'EUSAGE',
    exitCode: 1,
    details: ['it would stay in the history of the image: download the archive, and import the file'],
  });
}

async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (;;) {
      const next = await reader.read();
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await reader.cancel();
  }
}

/** The garbage collector takes such a file away when its program was killed. */
async function keptSource({ port, store }: Shop, content: AsyncIterable<Uint8Array>): Promise<Source> {
  const { hostDisk } = await import('../../host/node-disk.ts');
  const disk = hostDisk();
  const unique = [...port.random(8)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const path = `${store.root}/ingest/input-${port.pid}-${unique}`;
  const close = () => {
    disk.remove(path);
  };
  const file = disk.create(path, 0o600);
  try {
    let at = 0;
    for await (const chunk of content) {
      file.write(chunk, at);
      at += chunk.length;
    }
  } catch (error) {
    close();
    throw error;
  } finally {
    file.close();
  }
  return sourceOf(() => port.readChunks(path), close);
}

function absolutePath(port: Port, path: Bytes): Bytes {
  return path.startsWith('/') ? path : `${port.cwd}/${path}`;
}

/**
 * Writes to a file, which has its name when it is whole and on the disk, or to standard output. Throws CaissonError `EUSAGE` for a
 * terminal, `EDISK` when the disk is full.
 */
export async function writeOutput(
  port: Port,
  path: Bytes | undefined,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  if (path === undefined) {
    // Whoever reads may have seen enough.
    for await (const chunk of content) {
      port.write(1, fromArray(chunk));
      if (port.readerGone?.(1) === true) return;
    }
    return;
  }
  const target = absolutePath(port, path);
  const { hostDisk } = await import('../../host/node-disk.ts');
  const disk = hostDisk();
  const there = port.stat(target);
  if (there?.type === 'directory')
    throw new CaissonError(`${path} is a directory`, { code: 'EUSAGE', exitCode: 1 });
  // A device or a FIFO is written to as it is.
  const replaces = there === undefined || there.type === 'file';
  const fresh = replaces ? `${target}.${port.pid}.tmp` : target;
  const file = replaces ? disk.create(fresh, 0o644) : disk.update(fresh, 0o644);
  try {
    let at = 0;
    for await (const chunk of content) {
      file.write(chunk, at);
      at += chunk.length;
    }
    // What was there before must not be given up for something that a power cut would take.
    if (replaces) {
      await file.sync();
      disk.rename(fresh, target);
      await disk.syncDirectory(target.slice(0, target.lastIndexOf('/')) || '/');
    }
  } catch (error) {
    if (replaces) disk.remove(fresh);
    throw error;
  } finally {
    file.close();
  }
}

/** Throws CaissonError `EUSAGE` where an archive would be written to a terminal. */
export function refuseTerminal(isTerminal: boolean, doing: string): void {
  if (!isTerminal) return;
  throw new CaissonError(`cowardly refusing to ${doing} to a terminal. Use the -o flag or redirect`, {
    code: 'EUSAGE',
    exitCode: 1,
  });
}
