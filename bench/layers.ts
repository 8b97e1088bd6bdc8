// Unpacking of layers beside podman, umoci and tar: the same image, interleaved, each time into a new directory.
//
//   bun bench/layers.ts [--rounds N] [--small]     as root, with the peers' root in place; --small leaves the large image out
//
// On an ext4 file system of its own: one without a journal, as this machine's, looks at every inode that was deleted in
// the last minutes before it makes a new one (ext4, recently_deleted), so that whoever comes second pays for the first.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  createReadStream,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const MEDIA_TYPE = 'application/vnd.oci.image.layer.v1.tar+gzip';
const SMALL_FILES = 50_000;
const INSIDE = 'CAISSON_BENCH_INSIDE';

interface Image {
  readonly name: string;
  readonly layout: string;
  readonly layer: string;
}

interface Measured {
  readonly ms: number;
  readonly mib?: number;
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest('hex');
}

/** An OCI layout with one layer: what tar(1) packs of `paths` below `source`. */
async function makeImage(
  base: string,
  name: string,
  source: string,
  paths: readonly string[],
): Promise<Image> {
  const layout = join(base, name);
  const blobs = join(layout, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const archive = join(base, `${name}.tar`);
  execFileSync('tar', ['-C', source, '--one-file-system', '-cf', archive, ...paths]);
  execFileSync('gzip', ['-k', '-6', archive]);
  const put = (content: object, mediaType: string) => {
    const bytes = Buffer.from(JSON.stringify(content));
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(blobs, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const [diffId, hex] = [await digestOf(archive), await digestOf(`${archive}.gz`)];
  rmSync(archive);
  const layer = join(blobs, hex);
  renameSync(`${archive}.gz`, layer);
  const config = put(
    { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [`sha256:${diffId}`] } },
    'application/vnd.oci.image.config.v1+json',
  );
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const layers = [{ mediaType: MEDIA_TYPE, digest: `sha256:${hex}`, size: statSync(layer).size }];
  const manifest = put({ schemaVersion: 2, mediaType, config, layers }, mediaType);
  const annotations = { 'org.opencontainers.image.ref.name': 'latest' };
  writeFileSync(
    join(layout, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  return { name, layout, layer };
}

function smallFiles(source: string): void {
  for (let i = 0; i < SMALL_FILES; i++) {
    const directory = join(source, `d${Math.floor(i / 100)}`);
    if (i % 100 === 0) mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `f${i}`), `${i}\n`.repeat(i % 300));
  }
}

/** Milliseconds of a command in the peers' root, without the way there. */
function inPeers(mount: string, command: string): Measured {
  const script = `set -e; start=$(date +%s%N); ${command} >${mount}/log 2>&1 || { cat ${mount}/log >&2; exit 1; }; end=$(date +%s%N); echo $(((end - start) / 1000))`;
  const call = `import('./scripts/peers.mjs').then(({ execInPeers }) => { process.exitCode = execInPeers(['sh', '-c', process.argv[1]], { binds: [process.argv[2]] }).status; })`;
  const { status, stdout, stderr } = spawnSync('node', ['-e', call, script, mount], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return { ms: Number(stdout.trim()) / 1000 };
}

function timed(program: string, args: readonly string[]): Measured {
  const start = performance.now();
  execFileSync(program, args);
  return { ms: performance.now() - start };
}

type Contestant = (image: Image, target: string, mount: string) => Measured;

const CONTESTANTS: Readonly<Record<string, Contestant>> = {
  caisson: ({ layer }, target) => {
    const args = [join(import.meta.dirname, 'layers-apply.ts'), layer, MEDIA_TYPE, target];
    const start = performance.now();
    const output = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as { mib: number };
    return { ms: performance.now() - start, mib: output.mib };
  },
  podman: ({ layout }, target, mount) =>
    inPeers(
      mount,
      `podman --root ${target}/root --runroot ${target}/run --storage-driver overlay pull -q oci:${layout}:latest`,
    ),
  umoci: ({ layout }, target, mount) =>
    inPeers(mount, `umoci unpack --image ${layout}:latest ${target}/bundle`),
  tar: ({ layer }, target) => timed('tar', ['-xzf', layer, '-C', target]),
};

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number;
}

function measure(image: Image, rounds: number, mount: string): void {
  const results = new Map<string, Measured[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(CONTESTANTS)) {
      const target = join(mount, `${image.name}-${name}-${round}`);
      mkdirSync(target);
      execFileSync('sync');
      results.set(name, [...(results.get(name) ?? []), run(image, target, mount)]);
    }
  }
  const podman = median((results.get('podman') ?? []).map(({ ms }) => ms));
  console.log(
    `\n${image.name}: ${(statSync(image.layer).size / 1e6).toFixed(0)} MB compressed, ${rounds} rounds`,
  );
  for (const [name, runs] of results) {
    const ms = median(runs.map((run) => run.ms));
    const least = Math.min(...runs.map((run) => run.ms));
    const memory = Math.max(...runs.map(({ mib = 0 }) => mib));
    const note = memory > 0 ? `, at most ${memory.toFixed(0)} MiB` : '';
    console.log(
      `  ${name.padEnd(8)} least ${least.toFixed(0).padStart(6)} ms, median ${ms.toFixed(0).padStart(6)} ms, ${(ms / podman).toFixed(2)} of podman${note}`,
    );
  }
}

async function main(args: readonly string[]): Promise<void> {
  const rounds = Number(args[args.indexOf('--rounds') + 1] ?? 3) || 3;
  const base = mkdtempSync('/tmp/caisson-bench-layers-');
  try {
    const mount = join(base, 'mount');
    mkdirSync(mount);
    execFileSync('truncate', ['-s', '40G', join(base, 'disk')]);
    execFileSync('mkfs.ext4', ['-q', '-E', 'lazy_itable_init=0,lazy_journal_init=0', join(base, 'disk')]);
    execFileSync('mount', ['-o', 'loop', join(base, 'disk'), mount]);
    const source = join(mount, 'source');
    smallFiles(source);
    const images = [await makeImage(mount, 'small', source, ['.'])];
    if (!args.includes('--small')) {
      const peers = execFileSync('node', ['scripts/peers.mjs'], { encoding: 'utf8' }).trim();
      images.push(await makeImage(mount, 'debian', peers, ['usr', 'etc', 'var/lib']));
    }
    for (const image of images) measure(image, rounds, mount);
    execFileSync('umount', [mount]);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

if (process.env[INSIDE] === undefined) {
  const self = [process.execPath, import.meta.filename, ...process.argv.slice(2)];
  const { status } = spawnSync('unshare', ['-m', '--propagation', 'private', ...self], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  });
  process.exitCode = status ?? 1;
} else {
  await main(process.argv.slice(2));
}
