// Files that ADD takes from an address: fetched anew, checked, kept beside the session.
import { createHash } from 'node:crypto';
import type { Session } from '../../build/cache/session.ts';
import { errorIn } from '../../build/dockerfile/source.ts';
import type { BuildEnvironment } from '../../build/execute/environment.ts';
import { nameOfUrl } from '../../build/graph/remote.ts';
import type { Disk } from '../../host/disk.ts';
import { utf8ToBytes } from '../../linux/bytes.ts';

/** Milliseconds without a byte after which a server counts as gone. */
const IDLE = 60_000;
const LARGEST = 64 * 2 ** 30;

export function fileFetcher(disk: Disk, session: Session): BuildEnvironment['fetch'] {
  return async (url, checksum, line, offset) => {
    const wrong = (why: string) => errorIn(line, offset, `${url}: ${why}`);
    const name = utf8ToBytes(nameOfUrl(url));
    const directory = session.room('download');
    const abort = new AbortController();
    let idle = setTimeout(() => abort.abort(), IDLE);
    const file = disk.create(`${directory}/${name}`, 0o600);
    try {
      const response = await fetch(url, { signal: abort.signal, redirect: 'follow' });
      if (!response.ok || response.body === null) throw wrong(`the server answers ${response.status}`);
      const [algorithm = 'sha256', expected] = checksum === '' ? [] : checksum.split(':');
      const hash = createHash(algorithm);
      let size = 0;
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        clearTimeout(idle);
        idle = setTimeout(() => abort.abort(), IDLE);
        hash.update(chunk);
        file.write(chunk, size);
        size += chunk.length;
        if (size > LARGEST) throw wrong(`it has more than ${LARGEST} bytes`);
      }
      const found = hash.digest('hex');
      if (expected !== undefined && found !== expected)
        throw wrong(`expected ${checksum}, and it is ${algorithm}:${found}`);
      return { directory, name };
    } catch (error) {
      if (error instanceof Error && error.name === 'CaissonError') throw error;
      throw wrong(
        abort.signal.aborted ? 'the server has stopped sending' : `the connection failed: ${reasonOf(error)}`,
      );
    } finally {
      clearTimeout(idle);
      file.close();
    }
  };
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return cause instanceof Error ? cause.message : String(cause);
}
