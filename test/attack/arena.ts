// The place of an attack: a root file system with the attackers' programs, a canary on the host, and somebody who
// calls caisson: as root, as an ordinary user, or as root for a container in a user namespace.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { boundFlags } from '../harness/bound.ts';
import {
  type Caller,
  type CallOptions,
  type Ended,
  Harness,
  type Part,
  ROOT,
  STRANGER,
  type Started,
  skip,
  subordinateCaller,
} from '../harness/caisson.ts';
import { attackProgram, REPOSITORY } from './programs.ts';

/** R: root; L: an ordinary user (rootless); U: root, with a user namespace that maps 0 to 100000. */
export type Mode = 'R' | 'L' | 'U';

export const REAL = process.env.CAISSON ?? `${REPOSITORY}/dist/caisson`;
export { skip };

/** Loops are short in the daily run. */
export const long = process.env.CAISSON_LONG === '1';
export const rounds = (daily: number, full: number): number => (long ? full : daily);

/** How often a race is run; the user namespace is another way to the same calls, and is tried less often daily. */
export const races = ({ mode }: Arena): number => rounds(mode === 'R' ? 300 : 100, 10_000);

/** The first id of the user namespace of mode U. */
export const FIRST_ID = 100000;
const USER_NAMESPACE_IDS = [{ containerID: 0, hostID: FIRST_ID, size: 65536 }];

/** What the canary's file holds; seen in a container's output, it has been read. */
export const SECRET = 'the-canary-sings';

const APPLETS = [
  'sh',
  'cat',
  'echo',
  'grep',
  'head',
  'id',
  'ls',
  'mkdir',
  'pwd',
  'sleep',
  'stat',
  'test',
  'touch',
  'true',
  'wc',
];

export class Arena extends Harness {
  readonly mode: Mode;
  /** A directory of the host that no container has a way to. */
  readonly canary = `${this.directory}/canary`;
  /** The host's own copy of the probe. */
  readonly probe = `${this.directory}/probe`;
  readonly program: string;
  /** Where this arena's records are. */
  records = this.state;
  private readonly background: Started[] = [];

  constructor(mode: Mode, program = REAL) {
    const caller: Caller = mode === 'L' ? (subordinateCaller() ?? STRANGER) : ROOT;
    super(caller);
    this.mode = mode;
    this.program = this.usable(program);
    copyFileSync(attackProgram('probe'), this.probe);
    copyFileSync(attackProgram('probe'), `${this.rootfs}/bin/probe`);
    copyFileSync(attackProgram('syscalls'), `${this.rootfs}/bin/syscalls`);
    mkdirSync(this.canary);
    writeFileSync(`${this.canary}/secret`, `${SECRET}\n`);
    mkdirSync(`${this.canary}/inside`);
    chmodSync(this.state, 0o700);
    this.own(this.canary);
    this.own(this.rootfs);
  }

  /** To whoever is root in the container, who could change it if there were a way. */
  override own(path: string): void {
    const { uid, gid } = this.mode === 'U' ? { uid: FIRST_ID, gid: FIRST_ID } : this.caller;
    if (uid !== 0) spawnSync('chown', ['-hR', `${uid}:${gid}`, path]);
  }

  /** A program in a directory that is closed to the caller is copied. */
  private usable(program: string): string {
    if (this.caller.uid === 0 || this.asCaller([program, '--version']).status === 0) return program;
    const copy = `${this.directory}/caisson`;
    copyFileSync(program, copy);
    chmodSync(copy, 0o755);
    return copy;
  }

  private get become(): string[] {
    const { uid, gid } = this.caller;
    return uid === 0 ? [] : ['setpriv', '--reuid', String(uid), '--regid', String(gid), '--clear-groups'];
  }

  asCaller(command: readonly string[]) {
    const [program = '', ...args] = [...this.become, ...command];
    return spawnSync(program, args, { encoding: 'latin1', timeout: 30_000, killSignal: 'SIGKILL', cwd: '/' });
  }

  override commandLine(args: readonly string[], { prefix = [] }: CallOptions = {}): string[] {
    return [...this.become, ...prefix, ...this.words(args)];
  }

  /** The same for somebody who is the caller already. */
  words(args: readonly string[]): string[] {
    const [first = '', ...rest] = args;
    const state = first === 'oci' ? ['oci', '--root', this.records] : ['--runtime-root', this.records, first];
    return [this.program, ...state, ...(first === 'run' ? boundFlags(rest) : []), ...rest];
  }

  /** In mode U every container is in the user namespace. */
  override configuration(parts: Part, script: string): Record<string, unknown> {
    const made = super.configuration(parts, script);
    if (this.mode !== 'U') return made;
    const linux = made.linux as Record<string, unknown>;
    const namespaces = linux.namespaces as readonly { type: string }[];
    const own = namespaces.some(({ type }) => type === 'user')
      ? namespaces
      : [...namespaces, { type: 'user' }];
    const joined = own.some((namespace) => namespace.type === 'user' && 'path' in namespace);
    const maps = joined ? {} : { uidMappings: USER_NAMESPACE_IDS, gidMappings: USER_NAMESPACE_IDS };
    return { ...made, linux: { ...maps, ...linux, namespaces: own } };
  }

  /** The flags that make a `caisson run` one of this mode. */
  get flags(): string[] {
    const map = `0:${FIRST_ID}:65536`;
    return this.mode === 'U' ? ['--uidmap', map, '--gidmap', map] : [];
  }

  /** `caisson run` of a command of the root file system, with the defaults of the command line. */
  runDefault(flags: readonly string[], command: readonly string[], options: CallOptions = {}): Ended {
    return this.caisson(['run', ...this.flags, ...flags, '--rootfs', this.rootfs, ...command], options);
  }

  /** A directory of the host that containers mount, with what `fill` puts into it. */
  volume(name: string, fill: (path: string) => void): string {
    const path = this.makeDirectory(name);
    fill(path);
    this.own(path);
    return path;
  }

  /** A smaller root file system, changed by whoever made the image. */
  image(change: (root: string) => void): string {
    const path = this.makeDirectory('image');
    for (const name of ['bin', 'dev', 'etc', 'home', 'proc', 'root', 'run', 'sys', 'tmp'])
      mkdirSync(`${path}/${name}`);
    for (const name of ['busybox', 'probe']) linkSync(`${this.rootfs}/bin/${name}`, `${path}/bin/${name}`);
    for (const name of APPLETS) symlinkSync('busybox', `${path}/bin/${name}`);
    for (const name of ['passwd', 'group']) copyFileSync(`${this.rootfs}/etc/${name}`, `${path}/etc/${name}`);
    change(path);
    this.own(path);
    return path;
  }

  /** What has been started is ended with the arena, if it has not been before. */
  watched(started: Started): Started {
    this.background.push(started);
    return started;
  }

  override start(args: readonly string[], options: CallOptions & { stdin?: 'pipe' } = {}): Started {
    return this.watched(super.start(args, options));
  }

  dispose(): void {
    for (const { child } of this.background)
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    // Paths that attacks made may be longer than node:fs can name.
    spawnSync('rm', ['-rf', '--one-file-system', this.directory]);
  }
}

/** Whether a command ended by its own failure and not by the program's: what it says tells. */
export function isOwnFailure({ code, stderr }: Ended): boolean {
  return (code === 125 && /^caisson: /.test(stderr)) || (code === 1 && OCI_FAILURE.test(stderr));
}

const OCI_FAILURE = /^time="[^"]*" level=error msg="runc run failed: /;

/** How a command said no: one line of caisson's own, not a crash. */
export function refusedClearly(ended: Ended): boolean {
  return isOwnFailure(ended) && !/unexpected|undefined|\bat .*:\d+:\d+/.test(ended.stderr);
}

/** Evidence that the canary's content was read. */
export function sung(output: string): string[] {
  return output.includes(SECRET) ? [`the canary was read: ${output.trim().slice(0, 200)}`] : [];
}
