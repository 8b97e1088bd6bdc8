// Compressions that Node does not have, for archives of ADD and contexts: xz and bzip2, by this machine's own programs.
//
// As BuildKit does with xz. The programs are the field's standard and get what is wrong with such data from the
// distribution; no library for Node is kept as well. They come from the system's own directories, with an environment of
// nothing, as nobody where that can be, before anything of an image is entered (CVE-2026-41567, T31).
import type { BuildEnvironment } from '../../build/execute/environment.ts';
import { FilterError, throughProgram } from '../../host/filter.ts';
import type { Port } from '../../host/port.ts';
import { inUserNamespace } from '../../runtime/state.ts';
import { CaissonError } from '../../spec/error.ts';

/** Memory that xz may take, whatever the file asks for: the highest preset needs 65 MiB (xz(1)). */
const MEMORY = '256MiB';

const PROGRAMS: Readonly<Record<string, { readonly args: readonly string[]; readonly package: string }>> = {
  xz: {
    args: ['--decompress', '--stdout', '--quiet', '--threads=1', `--memlimit-decompress=${MEMORY}`],
    package: 'xz-utils',
  },
  bzip2: { args: ['--decompress', '--stdout', '--quiet'], package: 'bzip2' },
};

/** T41: what becomes more than so many bytes, and so many times as long as it was, is no archive but a bomb. */
const RATIO_FROM = 4 * 2 ** 30;
const RATIO = 500;

const NOBODY = 65534;

/** Throws CaissonError `EARCHIVE` for what is damaged, `ENOTFOUND` where this machine has no such program. */
export function decompressor(port: Port, ratioFrom = RATIO_FROM): BuildEnvironment['decompress'] {
  return async function* (name, content) {
    const known = PROGRAMS[name];
    const program = known === undefined ? undefined : port.findProgram(name);
    if (known === undefined || program === undefined)
      throw new CaissonError(`it is compressed with ${name}, and the program ${name} is not installed here`, {
        code: 'ENOTFOUND',
        exitCode: 1,
        details: known === undefined ? [] : [`Debian: apt install ${known.package}`],
      });
    const isRoot = port.uid === 0 && !inUserNamespace(port);
    const sizes = { read: 0, made: 0 };
    const options = { env: { LC_ALL: 'C' }, ...(isRoot ? { user: NOBODY } : {}) };
    try {
      for await (const chunk of throughProgram(program, known.args, counted(content, sizes), options)) {
        sizes.made += chunk.length;
        if (sizes.made > ratioFrom && sizes.made > RATIO * sizes.read)
          throw new CaissonError(`it is not unpacked: ${sizes.read} bytes become more than ${sizes.made}`, {
            code: 'EARCHIVE',
          });
        yield chunk;
      }
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      throw new CaissonError(`the ${name} data is damaged or cut off: ${error.message}`, {
        code: 'EARCHIVE',
        cause: error,
      });
    }
  };
}

async function* counted(
  content: AsyncIterable<Uint8Array>,
  sizes: { read: number },
): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    sizes.read += chunk.length;
    yield chunk;
  }
}
