// What the measurements are made on: a root file system, a bundle, C programs, an empty program of Bun's, namespaces.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileSeccomp } from '../src/seccomp/compile.ts';
import { defaultProfile } from '../src/seccomp/default-profile.ts';
import type { Spec } from '../src/spec/runtime-spec.ts';

export interface Site {
  readonly directory: string;
  readonly rootfs: string;
  readonly bundle: string;
  /** The same without a seccomp profile. */
  readonly plain: string;
  /** As `plain`, with a program that sleeps. */
  readonly sleeper: string;
  /** Writes a configuration that no earlier run has seen. */
  readonly renew: (name: string) => void;
  readonly filter: string;
  readonly measure: string;
  readonly floor: string;
  readonly empty: string;
  /** Mount points of cgroups, version 2 too. */
  readonly hierarchies: readonly string[];
  /** Files that name mount namespaces: the peers' root, and this machine without its tree of cgroup v2. */
  readonly peers: string;
  readonly v1: string;
  readonly close: () => void;
}

export const BUN = 'node_modules/.bin/bun';
const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

/** Makes everything below a directory of its own. Needs root, and the peers' root in place. */
export async function makeSite(): Promise<Site> {
  const directory = mkdtempSync('/tmp/caisson-bench-');
  const c = (name: string): string => compileC(directory, name);
  const peers = await holdNamespace('node', ['scripts/peers.mjs', 'exec', '--', 'sh', '-c', HOLD]);
  const v1 = await holdNamespace('unshare', [
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-c',
    `${WITHOUT_V2}; ${HOLD}`,
  ]);
  const rootfs = makeRoot(directory);
  const { bundle, spec } = makeBundle(directory, rootfs);
  const plain = { ...spec, linux: withoutSeccomp(spec) };
  const sleeper = { ...plain, process: { ...plain.process, args: ['/bin/sleep', '1000'] } };
  const others = { plain: join(directory, 'plain'), sleeper: join(directory, 'sleeper') };
  for (const path of Object.values(others)) mkdirSync(path);
  const seccomp = spec.linux?.seccomp;
  if (seccomp === undefined) throw new Error('the configuration has no seccomp profile');
  writeFileSync(join(directory, 'filter'), compileSeccomp(seccomp, arch).program);
  return {
    directory,
    rootfs,
    bundle,
    ...others,
    renew: (name) => {
      const write = (path: string, content: object) => {
        writeFileSync(join(path, 'config.json'), JSON.stringify({ ...content, hostname: name }, null, '\t'));
      };
      write(bundle, spec);
      write(others.plain, plain);
      write(others.sleeper, sleeper);
    },
    filter: join(directory, 'filter'),
    measure: c('measure'),
    floor: c('floor'),
    empty: compileEmpty(directory),
    hierarchies: hierarchies(),
    peers: peers.path,
    v1: v1.path,
    close: () => {
      for (const { holder } of [peers, v1]) holder.kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const HOLD = 'echo $$; exec sleep 1000';
// crun refuses the hybrid layout, which has both versions.
const WITHOUT_V2 = 'umount -l /sys/fs/cgroup/unified 2>/dev/null';

async function holdNamespace(
  command: string,
  args: readonly string[],
): Promise<{ path: string; holder: ChildProcess }> {
  const holder = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(holder.stdout, 'data')) as [Buffer];
  const pid = Number.parseInt(line.toString(), 10);
  return {
    path: `/proc/${pid}/ns/mnt`,
    holder: { kill: (signal: 'SIGKILL') => process.kill(pid, signal) } as ChildProcess,
  };
}

function compileC(directory: string, name: string): string {
  const output = join(directory, name);
  execFileSync('gcc', ['-O2', '-static', '-Wall', '-Wextra', '-Werror', '-o', output, `bench/${name}.c`]);
  return output;
}

/** An executable that does nothing, made as dist/caisson-bun is. */
function compileEmpty(directory: string): string {
  const source = join(directory, 'empty.ts');
  const output = join(directory, 'empty');
  writeFileSync(source, '\n');
  const options = ['--compile', '--minify', '--bytecode', '--format=esm'];
  execFileSync(BUN, ['build', ...options, source, '--outfile', output], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return output;
}

/** A static busybox as /bin/true, and the directories that are mounted over. */
function makeRoot(directory: string): string {
  const rootfs = join(directory, 'rootfs');
  for (const name of ['bin', 'dev', 'proc', 'sys']) mkdirSync(join(rootfs, name), { recursive: true });
  for (const name of ['true', 'sleep'])
    cpSync('/bin/busybox', join(rootfs, 'bin', name), { dereference: true });
  return rootfs;
}

/** `runc spec`'s configuration with every namespace but user and time, and the default seccomp profile. */
function makeBundle(directory: string, rootfs: string): { bundle: string; spec: Spec } {
  const bundle = join(directory, 'bundle');
  mkdirSync(bundle);
  execFileSync('node', ['scripts/peers.mjs', 'exec', '--', 'runc', 'spec', '--bundle', bundle]);
  const given = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')) as Spec;
  const { process: program, linux } = given;
  if (program === undefined || linux === undefined) throw new Error('runc spec made no process');
  const types = new Set([...(linux.namespaces ?? []).map(({ type }) => type), 'cgroup' as const]);
  const spec: Spec = {
    ...given,
    // What crun 1.8.1 of Debian 12 knows.
    ociVersion: '1.0.2',
    process: { ...program, terminal: false, args: ['/bin/true'] },
    root: { path: rootfs, readonly: true },
    linux: {
      ...linux,
      namespaces: [...types].map((type) => ({ type })),
      seccomp: defaultProfile(arch, program.capabilities?.bounding ?? []),
    },
  };
  return { bundle, spec };
}

function withoutSeccomp({ linux = {} }: Spec): NonNullable<Spec['linux']> {
  return Object.fromEntries(Object.entries(linux).filter(([name]) => name !== 'seccomp'));
}

function hierarchies(): string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').trim().split('\n');
  return lines.filter((line) => / - cgroup2? /.test(line)).map((line) => line.split(' ')[4] ?? '');
}
