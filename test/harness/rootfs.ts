// A root file system for tests: busybox with its applets, a passwd, and a program that makes single system calls.
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';

const BUSYBOX = '/bin/busybox';

/** Why there can be none here; undefined where there can. */
export function rootfsMissing(): string | undefined {
  return existsSync(BUSYBOX) ? undefined : 'the package busybox-static is not installed';
}

let applets: readonly string[] | undefined;

function appletNames(): readonly string[] {
  applets ??= execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' })
    .split('\n')
    .filter((name) => name !== '' && name !== 'busybox');
  return applets;
}

const PASSWD = 'root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1001:Alice:/home/alice:/bin/sh\n';
const GROUP = 'root:x:0:\nalice:x:1001:\nstaff:x:50:alice\naudio:x:63:alice,bob\n';
const DIRECTORIES = ['bin', 'dev', 'etc', 'home/alice', 'proc', 'root', 'sys', 'tmp', 'run', 'var'];

/** Makes `directory` a root file system. */
export function makeRootfs(directory: string): void {
  for (const name of DIRECTORIES) mkdirSync(`${directory}/${name}`, { recursive: true });
  copyFileSync(BUSYBOX, `${directory}/bin/busybox`);
  for (const name of appletNames()) symlinkSync('busybox', `${directory}/bin/${name}`);
  copyFileSync(syscallProgram(), `${directory}/bin/syscall`);
  writeFileSync(`${directory}/etc/passwd`, PASSWD);
  writeFileSync(`${directory}/etc/group`, GROUP);
}

/** The compiled syscall.c, made once. */
function syscallProgram(): string {
  const source = `${process.cwd()}/test/harness/syscall.c`;
  const made = `${process.cwd()}/build/test-syscall`;
  const folder = existsSync(`${process.cwd()}/build`) ? made : `${tmpdir()}/caisson-test-syscall`;
  if (existsSync(folder)) return folder;
  const temporary = `${folder}.${process.pid}`;
  const compiled = spawnSync('gcc', ['-O1', '-static', '-o', temporary, source], { encoding: 'utf8' });
  if (compiled.status !== 0) throw new Error(`gcc: ${compiled.error?.message ?? compiled.stderr}`);
  renameSync(temporary, folder);
  return folder;
}
