// Applies one layer in a process of its own and prints milliseconds and MiB: what bench/layers.ts measures of caisson.
//
//   bun bench/layers-apply.ts LAYER MEDIA-TYPE TARGET
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { bunPort } from '../src/host/bun.ts';
import { applyLayer } from '../src/image/layer/apply.ts';

const [file = '', mediaType = '', target = ''] = process.argv.slice(2);
const launcher = new URL('../build/launcher', import.meta.url);
const port = bunPort({ launcher: () => readFileSync(launcher), init: () => new Uint8Array(0) });
const blob = createHash('sha256');

/** As from a registry: the digest of what comes in is computed, too. */
async function* content(): AsyncGenerator<Uint8Array> {
  for await (const chunk of createReadStream(file, { highWaterMark: 256 << 10 })) {
    blob.update(chunk);
    yield chunk;
  }
}

const start = performance.now();
const { members, size } = await applyLayer(port, content(), mediaType, target, {
  cause: file,
  form: 'overlay',
});
const time = performance.now() - start;
const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]) / 1024;
console.log(JSON.stringify({ ms: time, mib: peak, members, size, digest: blob.digest('hex') }));
