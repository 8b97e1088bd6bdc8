// Runs shell scripts in user-mode-linux for tests: a kernel with cgroup v2, AppArmor or SELinux on this machine's files.

import { spawn, spawnSync } from 'node:child_process';

/** What to run in a virtual machine; see scripts/uml.mjs. */
export interface UmlOptions {
  /** Run by sh(1) as root, in `$CAISSON_UML`, a folder that the host shares; /tmp is the machine's own. */
  readonly script: string;
  readonly security?: 'none' | 'apparmor' | 'selinux';
  /** As the kernel's `mem=`; 1024M unless told. */
  readonly memory?: string;
  /** Seconds until the machine is ended; 60 unless told. */
  readonly timeout?: number;
  /** Kernel modules to load before the script: `overlay`, `veth`, `bridge`, `dummy`. */
  readonly modules?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** How a script ended. */
export interface UmlResult {
  /** Exit status of the script; null when it did not end. */
  readonly status: number | null;
  /** Standard output and error of the script. */
  readonly output: string;
  /** Trace of the set-up and the kernel's console. */
  readonly log: string;
  readonly seconds: number;
  readonly timedOut: boolean;
}

/** Why there is no virtual machine here, for `test(name, { skip })`; undefined where there is one. */
export function umlMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'user-mode-linux must be root to be root on the files of the host';
  const found = spawnSync('sh', ['-c', 'command -v linux.uml'], { stdio: 'ignore' }).status === 0;
  return found ? undefined : 'the package user-mode-linux is not installed';
}

/** Boots, runs the script, shuts down; throws only when no machine could be started. */
export function runInUml(options: UmlOptions): Promise<UmlResult> {
  return new Promise((resolve, reject) => {
    const child = spawn('node', ['scripts/uml.mjs', '--json'], { stdio: ['pipe', 'pipe', 'inherit'] });
    let answer = '';
    child.stdout.on('data', (chunk: Buffer) => {
      answer += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(answer) as UmlResult);
      else reject(new Error(`scripts/uml.mjs exited ${code}`));
    });
    child.stdin.end(JSON.stringify(options));
  });
}
