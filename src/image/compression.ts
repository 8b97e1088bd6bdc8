// Tells a compressed file by its first bytes.

const MAGIC: readonly (readonly [string, readonly number[], string])[] = [
  ['gzip', [0x1f, 0x8b], 'gunzip'],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd], 'zstd -d'],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], 'xz -d'],
  ['bzip2', [0x42, 0x5a, 0x68], 'bunzip2'],
];

/** The compression that `start` begins with, and the program that takes it away; undefined when there is none. */
export function compressionOf(
  start: Uint8Array,
): { readonly name: string; readonly program: string } | undefined {
  const found = MAGIC.find(([, magic]) => magic.every((byte, at) => start[at] === byte));
  return found === undefined ? undefined : { name: found[0], program: found[2] };
}
