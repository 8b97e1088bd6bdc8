// Runs every bundle under each runtime, all in the peers' root, so that all of them see the same host.

import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { makeRootfs, rootfsMissing } from '../harness/rootfs.ts';
import { peersMissing, runInPeers } from '../peers/harness.ts';
import { type Bundle, EXTRA_DIRECTORIES, EXTRA_FILES } from './bundles.ts';
import { REPORT, type Report, readReport } from './report.ts';

const EXECUTABLE = process.env.CAISSON ?? join(process.cwd(), 'dist/caisson');

export const PEERS = ['runc', 'crun'] as const;
export type Peer = (typeof PEERS)[number];
type Runtime = Peer | 'caisson';

/** How a container ended and what it printed. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as a report; empty for programs that print something else. */
  readonly report: Report;
}

export type Outcomes = ReadonlyMap<Runtime, Outcome>;

/** Why nothing can be compared here. */
export function differentialMissing(): string | false {
  if (!existsSync(EXECUTABLE)) return `${EXECUTABLE} is not built`;
  return peersMissing() ?? rootfsMissing() ?? false;
}

// One shell for all: entering the peers' root costs more than a container.
const SCRIPT = `
umask 022
# What the caller ignores is nothing to the container.
trap '' USR1 USR2
for bundle in [0-9]*; do
  for runtime in runc crun caisson; do
    each=$PWD/$bundle/$runtime
    program=$runtime
    [ $runtime != caisson ] || program="$PWD/caisson oci"
    timeout -s KILL 20 $program --root "$PWD/$runtime-state" run --bundle "$each" "report-$bundle" \\
      </dev/null >"$each.out" 2>"$each.err"
    echo $? >"$each.code"
  done
done
# crun makes directories where the unified tree was before the peers' root took it out of view.
[ ! -d /sys/fs/cgroup/unified ] || mountpoint -q /sys/fs/cgroup/unified || find /sys/fs/cgroup/unified -mindepth 1 -delete
find /sys/fs/cgroup -depth -type d -name caisson-test -exec rmdir {} \\;
find /sys/fs/cgroup -type d -name 'report-*'
`;

/** Runs all bundles under runc, crun and caisson; answers in the order of `bundles`. */
export function runBundles(bundles: readonly Bundle[]): {
  readonly outcomes: Outcomes[];
  readonly left: string;
} {
  const directory = mkdtempSync('/tmp/caisson-differential-');
  chmodSync(directory, 0o755);
  try {
    const runtimes: readonly Runtime[] = [...PEERS, 'caisson'];
    // Wherever it lies: the peers' root shows this directory.
    copyFileSync(EXECUTABLE, join(directory, 'caisson'));
    for (const runtime of runtimes) makeRoot(join(directory, `${runtime}-root`));
    bundles.forEach(({ spec }, index) => {
      for (const runtime of runtimes) {
        const bundle = join(directory, numbered(index), runtime);
        mkdirSync(bundle, { recursive: true });
        const root = { ...spec.root, path: join(directory, `${runtime}-root`) };
        writeFileSync(join(bundle, 'config.json'), JSON.stringify({ ...spec, root }));
      }
    });
    const command = ['sh', '-c', SCRIPT];
    const { stdout, stderr, status } = runInPeers(command, directory, 500);
    if (status !== 0) throw new Error(`the peers' root: ${status} ${stdout}${stderr}`);
    const namespaces = hostNamespaces();
    const outcomes = bundles.map(
      (_, index): Outcomes =>
        new Map(
          runtimes.map((runtime) => [
            runtime,
            outcomeOf(join(directory, numbered(index), runtime), namespaces),
          ]),
        ),
    );
    return { outcomes, left: stdout };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function numbered(index: number): string {
  return String(index).padStart(3, '0');
}

function makeRoot(path: string): void {
  mkdirSync(path);
  makeRootfs(path);
  writeFileSync(join(path, 'report'), REPORT, { mode: 0o755 });
  for (const name of EXTRA_DIRECTORIES) mkdirSync(join(path, name), { recursive: true });
  for (const name of EXTRA_FILES) writeFileSync(join(path, name), 'content\n');
}

function outcomeOf(path: string, namespaces: ReadonlyMap<string, string>): Outcome {
  const read = (ending: string) => readFileSync(`${path}.${ending}`, 'latin1');
  const stdout = read('out');
  return { code: Number(read('code')), stdout, stderr: read('err'), report: readReport(stdout, namespaces) };
}

function hostNamespaces(): ReadonlyMap<string, string> {
  const types = readdirSync('/proc/self/ns').filter((name) => !name.includes('_'));
  return new Map(types.map((type) => [type, /\d+/.exec(readlinkSync(`/proc/self/ns/${type}`))?.[0] ?? '']));
}
