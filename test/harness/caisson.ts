// Runs the built executable on the real kernel: as root or as an ordinary user, by flags or by a bundle.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename } from 'node:path';
import { boundFlags, SIGNAL_NUMBERS } from './bound.ts';
import { assertNothingLeft, type HostSnapshot, hostSnapshot, removeCgroups } from './host-snapshot.ts';
import { makeRootfs, rootfsMissing } from './rootfs.ts';

const EXECUTABLE = process.env.CAISSON ?? `${process.cwd()}/dist/caisson`;

/** The name of the ordinary user that the suite's second round of kernel tests runs as. */
const TEST_USER = process.env.CAISSON_TEST_USER;

/** Whether this is that second round. */
export const rootless = TEST_USER !== undefined;

/** Somebody who calls caisson. */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
}

export const ROOT: Caller = { uid: 0, gid: 0 };

/** Nobody in particular: no name, no subordinate ids. */
export const STRANGER: Caller = { uid: 65532, gid: 65532 };

/** The user with subordinate ids that set-up makes; undefined where it did not. */
export function subordinateCaller(name = 'caisson-test'): Caller | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

/** Who runs the tests that both root and users can run. */
const CALLER = TEST_USER === undefined ? ROOT : (subordinateCaller(TEST_USER) ?? STRANGER);

function missing(): string | false {
  if (process.getuid?.() !== 0) return 'these tests need root, to be root and others';
  if (!existsSync(EXECUTABLE)) return `${EXECUTABLE} is not built`;
  return rootfsMissing() ?? false;
}

/** Why the tests of caisson cannot run here, for `test(name, { skip })`. */
export const skip = missing();
/** For tests of what only root can do. */
export const rootOnly = skip || (rootless && 'done in the round as root');
/** For tests that are about one caller, whoever that is: done once. */
export const once = rootOnly;

/** How a command ended: an exit code, or 128 and the signal. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CallOptions {
  readonly caller?: Caller;
  /** Standard input; /dev/null without. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** A command that runs caisson, as `prlimit --nofile=64`. */
  readonly prefix?: readonly string[];
  /** Milliseconds after which it is killed. */
  readonly timeout?: number;
}

/** A part of config.json; process, root and linux are merged into the default ones. */
export type Part = Readonly<Record<string, unknown>>;

/** A command in the background. */
export class Started {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  private readonly ended: Promise<number>;

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString('latin1');
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString('latin1');
    });
    this.ended = new Promise((resolve) => {
      child.on('close', (code, signal) => {
        resolve(code ?? 128 + (SIGNAL_NUMBERS[signal ?? ''] ?? 0));
      });
    });
  }

  /** Waits until `holds`, at most ten seconds. */
  async until(holds: () => boolean, what: string): Promise<void> {
    for (let tries = 0; tries < 1000; tries++) {
      if (holds()) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    this.child.kill('SIGKILL');
    assert.fail(`${what} did not happen: stdout ${this.stdout} stderr ${this.stderr}`);
  }

  untilPrinted(text: string): Promise<void> {
    return this.until(() => this.stdout.includes(text), `"${text}"`);
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async end(): Promise<Ended> {
    const code = await this.ended;
    return { code, stdout: this.stdout, stderr: this.stderr };
  }
}

/** One test file's root file system, bundles and state, and the host as it was before. */
export class Harness {
  readonly directory = mkdtempSync(`${tmpdir()}/caisson-kernel-`);
  readonly rootfs = `${this.directory}/rootfs`;
  readonly state = `${this.directory}/state`;
  readonly caller: Caller;
  private readonly executable: string;
  /** The executable that is runc's command line alone. */
  private readonly runtime: string | undefined;
  /** The cgroup in which every other one is. */
  readonly cgroup = `caisson-test-${process.pid}`;
  private before: HostSnapshot;
  private count = 0;
  private readonly children: ChildProcess[] = [];

  /** `runtime` is an executable that stands for `caisson oci`. */
  constructor(caller: Caller = CALLER, runtime?: string) {
    this.caller = caller;
    chmodSync(this.directory, 0o755);
    if (skip === false) {
      makeRootfs(this.rootfs);
      mkdirSync(this.state);
      this.own(this.rootfs);
      this.own(this.state);
    }
    this.executable = skip === false ? executableFor(caller, this.directory, EXECUTABLE) : '';
    this.runtime = runtime === undefined ? undefined : executableFor(caller, this.directory, runtime);
    this.before = hostSnapshot(this);
  }

  /** Gives a file or a tree to the caller. */
  own(path: string): void {
    if (this.caller.uid === 0) return;
    spawnSync('chown', ['-hR', `${this.caller.uid}:${this.caller.gid}`, path]);
  }

  /** A new directory that the caller owns. */
  makeDirectory(name: string): string {
    const path = `${this.directory}/${name}-${this.count++}`;
    mkdirSync(path);
    this.own(path);
    return path;
  }

  /** A second root file system. */
  makeRootfs(): string {
    const path = this.makeDirectory('root');
    makeRootfs(path);
    this.own(path);
    return path;
  }

  commandLine(args: readonly string[], { caller = this.caller, prefix = [] }: CallOptions = {}): string[] {
    const [first, ...rest] = args;
    const state =
      first === 'oci' ? ['oci', '--root', this.state] : ['--runtime-root', this.state, first ?? ''];
    const placed = rest.includes('--cgroup-parent') || !['run', 'create'].includes(first ?? '');
    const asRoot = caller.uid === 0 && !placed;
    const own = [...(first === 'run' ? boundFlags(rest) : []), ...rest];
    const words = asRoot ? ['--cgroup-parent', `/${this.cgroup}`, ...own] : own;
    const ids = ['--reuid', String(caller.uid), '--regid', String(caller.gid), '--clear-groups'];
    const become = caller.uid === 0 ? [] : ['setpriv', ...ids];
    const program = [this.executable, ...state];
    if (first === 'oci' && this.runtime !== undefined) program.splice(0, 2, this.runtime);
    return [...prefix, ...become, ...program, ...words];
  }

  /** Runs caisson with these arguments; the records are in a directory of the test's own. */
  caisson(args: readonly string[], options: CallOptions = {}): Ended {
    const [program = '', ...words] = this.commandLine(args, options);
    const { status, signal, stdout, stderr, error } = spawnSync(program, words, {
      ...this.spawnOptions(options),
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      timeout: options.timeout ?? 20_000,
      killSignal: 'SIGKILL',
      encoding: 'latin1',
      ...(options.input === undefined ? {} : { input: options.input }),
    });
    if (error !== undefined && signal === null) throw error;
    return { code: status ?? 128 + (SIGNAL_NUMBERS[signal ?? ''] ?? 0), stdout, stderr };
  }

  protected spawnOptions(options: CallOptions) {
    const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
    return { cwd: options.cwd ?? this.directory, env: { PATH: path, HOME: '/', ...options.env } };
  }

  /** Starts caisson in the background. */
  start(args: readonly string[], options: CallOptions & { stdin?: 'pipe' } = {}): Started {
    const [program = '', ...words] = this.commandLine(args, options);
    const stdin = options.stdin ?? 'ignore';
    const child = spawn(program, words, { ...this.spawnOptions(options), stdio: [stdin, 'pipe', 'pipe'] });
    this.children.push(child);
    return new Started(child);
  }

  /** The arguments of `caisson run` of a shell script in the root file system. */
  runArguments(flags: readonly string[], script: string): string[] {
    const own = flags.some((flag) => /^--rootfs(?:-tar)?$/.test(flag));
    return ['run', ...flags, ...(own ? [] : ['--rootfs', this.rootfs]), '/bin/sh', '-c', script];
  }

  /** `caisson run` of a shell script in the root file system. */
  run(flags: readonly string[], script: string, options: CallOptions = {}): Ended {
    return this.caisson(this.runArguments(flags, script), options);
  }

  /** The same; it must succeed. */
  output(flags: readonly string[], script: string, options: CallOptions = {}): string {
    return succeeded(this.run(flags, script, options));
  }

  /** A bundle of a shell script with this configuration; its directory. */
  bundle(parts: Part, script = 'true'): string {
    const directory = this.makeDirectory('bundle');
    writeFileSync(`${directory}/config.json`, JSON.stringify(this.configuration(parts, script)));
    return directory;
  }

  /** `caisson oci run` of a bundle. */
  ociRun(bundle: string, options: CallOptions = {}): Ended {
    return this.caisson(['oci', 'run', '--bundle', bundle, this.newId()], options);
  }

  /** An id that no other container has. */
  newId(): string {
    return `caisson-test-${process.pid}-${this.count++}`;
  }

  /** `caisson oci run` of a shell script with this configuration. */
  oci(parts: Part, script: string, options: CallOptions = {}): Ended {
    return this.ociRun(this.bundle(parts, script), options);
  }

  /** The same; it must succeed. */
  ociOutput(parts: Part, script: string, options: CallOptions = {}): string {
    return succeeded(this.oci(parts, script, options));
  }

  /** The default configuration with `parts` put in. */
  configuration(parts: Part, script: string): Record<string, unknown> {
    const { process = {}, root = {}, linux = {}, ...rest } = parts as Readonly<Record<string, Part>>;
    const defaults = defaultConfiguration(this, script);
    return {
      ...defaults,
      ...rest,
      process: { ...defaults.process, ...process },
      root: { ...defaults.root, ...root },
      linux: { ...defaults.linux, ...linux },
    };
  }

  /** Fails when a run has left something on the host since the last look. */
  assertNothingLeft(): void {
    assertNothingLeft(this.before, this);
  }

  /** What later looks compare with. */
  lookAgain(): void {
    this.before = hostSnapshot(this);
  }

  /** The end of a test file. */
  close(): void {
    // What a failed test did not wait for.
    for (const child of this.children)
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    try {
      if (skip === false) this.assertNothingLeft();
    } finally {
      removeCgroups(this.cgroup);
      rmSync(this.directory, { recursive: true, force: true });
    }
  }
}

/** The output of a command that must have succeeded, without the last line break. */
export function succeeded({ code, stdout, stderr }: Ended): string {
  assert.equal(code, 0, `exit ${code}: ${stderr}${stdout}`);
  return stdout.replace(/\n$/, '');
}

/** The message of the one error that `caisson oci` has logged on its standard error. */
export function logged(stderr: string): string {
  const [, text, quoted] =
    /^time="[^"]*" level=error msg=(?:([^"\n]*)|("(?:[^"\\]|\\.)*"))\n$/.exec(stderr) ?? [];
  if (text === undefined && quoted === undefined) assert.fail(`not one line of log: ${stderr}`);
  return text ?? (JSON.parse((quoted ?? '').replace(/\\x(..)/g, '\\u00$1')) as string);
}

/** An executable that the caller may read: the repository may lie in a directory of root's own. */
function executableFor(caller: Caller, directory: string, executable: string): string {
  if (caller.uid === 0) return executable;
  const ids = ['--reuid', String(caller.uid), '--regid', String(caller.gid), '--clear-groups'];
  if (spawnSync('setpriv', [...ids, executable, '--version']).status === 0) return executable;
  const copy = `${directory}/${basename(executable)}`;
  accessSync(executable, constants.R_OK);
  copyFileSync(executable, copy);
  chmodSync(copy, 0o755);
  return copy;
}

/** All capabilities that the tests' scripts need: docker's default ones. */
export const CAPABILITIES: readonly string[] = [
  ...['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_FSETID', 'CAP_KILL', 'CAP_SETGID', 'CAP_SETUID'],
  ...['CAP_SETPCAP', 'CAP_NET_BIND_SERVICE', 'CAP_SYS_CHROOT', 'CAP_MKNOD', 'CAP_AUDIT_WRITE', 'CAP_SETFCAP'],
];

/** The same in the three sets that are alike. */
export function capabilities(names: readonly string[], more: Part = {}): Part {
  return { bounding: names, effective: names, permitted: names, ...more };
}

export const NAMESPACES: readonly Part[] = ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'].map(
  (type) => ({ type }),
);

const NO_EXEC = ['nosuid', 'noexec', 'nodev'];

/** The mounts that a container cannot do without. */
export const MOUNTS: readonly Part[] = [
  { destination: '/proc', type: 'proc', source: 'proc', options: NO_EXEC },
  {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
  },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
  },
  {
    destination: '/dev/shm',
    type: 'tmpfs',
    source: 'shm',
    options: [...NO_EXEC, 'mode=1777', 'size=65536k'],
  },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...NO_EXEC, 'ro'] },
];

let count = 0;

function defaultConfiguration(
  { rootfs, caller, cgroup }: Harness,
  script: string,
): Readonly<Record<string, Part>> & Part {
  const one = (hostID: number) => [{ containerID: 0, hostID, size: 1 }];
  const user = { uidMappings: one(caller.uid), gidMappings: one(caller.gid) };
  const namespaces = caller.uid === 0 ? NAMESPACES : [...NAMESPACES, { type: 'user' }];
  return {
    ociVersion: '1.3.0' as unknown as Part,
    process: {
      user: { uid: 0, gid: 0 },
      args: ['/bin/sh', '-c', script],
      env: ['PATH=/bin'],
      cwd: '/',
      capabilities: capabilities(CAPABILITIES),
      noNewPrivileges: true,
    },
    root: { path: rootfs },
    mounts: MOUNTS as unknown as Part,
    linux: { namespaces, ...(caller.uid === 0 ? { cgroupsPath: `/${cgroup}/${count++}` } : user) },
  };
}
