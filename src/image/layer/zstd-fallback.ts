// zstd without node:zlib's, which came with Node 22.15: the library fzstd, in JavaScript and several times slower.
import { Decompress } from 'fzstd';

/** Input at a time: four bytes may become a block of 128 KiB, and all of them wait for the reader. */
const PIECE = 2 << 10;

/** The content of zstd frames. Throws Error where they are damaged or cut off. */
export async function* unzstdWithout(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const ready: Uint8Array[] = [];
  let ended = false;
  const stream = new Decompress((chunk, last) => {
    if (chunk.length > 0) ready.push(chunk);
    ended = last === true;
  });
  for await (const chunk of content) {
    for (let at = 0; at < chunk.length; at += PIECE) {
      stream.push(chunk.subarray(at, at + PIECE));
      yield* ready.splice(0);
    }
  }
  stream.push(new Uint8Array(0), true);
  yield* ready.splice(0);
  if (!ended) throw new Error('unexpected end of file');
}
