// A room: the peers' root with namespaces, cgroups and directories of its own, in which engines and their daemons run.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createInterface } from 'node:readline';
import { hierarchies, makeCgroups, removeAbandoned, removeCgroups } from './cgroups.ts';
import { peersRoot } from './peers-root.ts';
import { ENTER_ROOM, FURNISH_ROOM, SERVE } from './room-script.ts';
import type { Runtime } from './runtimes.ts';
import { until } from './sleep.ts';

/** How a command in the room ended. */
export interface Result {
  /** Exit status; 137 when its time was up. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a command is to run. */
export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** An absolute path in the room; `/` without. */
  readonly cwd?: string;
  /** Seconds until SIGKILL; 60 unless told, 0 for a daemon. */
  readonly seconds?: number;
  /** A program with arguments that runs the command. */
  readonly prefix?: readonly string[];
}

/** A command that runs. */
export interface Job {
  readonly ended: Promise<Result>;
  /** What it has written to standard output so far. */
  output(): string;
  /** What it has written to standard error so far. */
  log(): string;
  /** Its process, as the room counts. */
  pid(): number | undefined;
}

/** Sysctls without a namespace of their own that dockerd raises; they are put back. */
const SYSCTLS = ['kernel/keys/root_maxkeys', 'kernel/keys/root_maxbytes'].map((name) => `/proc/sys/${name}`);

function quote(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function script(command: readonly string[], number: number, options: RunOptions): string {
  const { env = {}, cwd = '/', seconds = 60, prefix = [] } = options;
  const settings = Object.entries({ PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', ...env });
  const exports = settings.map(([name, value]) => `export ${name}=${quote(value)}`);
  const limited = seconds === 0 ? [] : ['timeout', '-k', '1', '-s', 'KILL', String(seconds)];
  const words = [...limited, ...prefix, ...command].map(quote).join(' ');
  return [`echo $$ > ./${number}.pid`, `cd ${quote(cwd)}`, ...exports, `exec ${words}`, ''].join('\n');
}

/** A room with one runtime in it; the other runtimes of the peers' root are replaced by a program that fails. */
export class Room {
  readonly runtime: Runtime;
  /** Host directory that has the same path in the room. */
  readonly directory = mkdtempSync('/tmp/caisson-dropin-');
  /** Path of the runtime, on the host and in the room. */
  readonly program: string;
  private readonly sysctls = SYSCTLS.map((path) => [path, readFileSync(path, 'utf8')] as const);
  private readonly cgroups: readonly string[];
  private readonly process: ChildProcess;
  private readonly waiting = new Map<number, (code: number) => void>();
  private readonly ready: Promise<void>;
  private gone = false;
  private count = 0;

  private constructor(runtime: Runtime, unified: boolean) {
    this.runtime = runtime;
    chmodSync(this.directory, 0o755);
    mkdirSync(`${this.directory}/runtime`);
    this.program = `${this.directory}/runtime/${runtime.name}`;
    copyFileSync(runtime.source(), this.program);
    chmodSync(this.program, 0o755);
    removeAbandoned();
    this.cgroups = makeCgroups(this.directory.slice(-6));
    const names = unified
      ? 'unified'
      : hierarchies()
          .map(({ name }) => name)
          .join(' ');
    const arguments_ = [this.cgroups.join(' '), FURNISH_ROOM, peersRoot(), this.directory, names, SERVE];
    this.process = spawn('setpriv', ['--pdeathsig', 'KILL', 'sh', '-c', ENTER_ROOM, 'sh', ...arguments_], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    this.ready = this.listen();
  }

  /**
   * Makes a room.
   * @param unified whether cgroups are version 2 alone there: only what the host has not mounted as version 1
   */
  static async open(runtime: Runtime, { unified = false } = {}): Promise<Room> {
    const room = new Room(runtime, unified);
    try {
      await room.ready;
      return room;
    } catch (error) {
      await room.close();
      throw error;
    }
  }

  private listen(): Promise<void> {
    let said = '';
    this.process.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    return new Promise((resolve, reject) => {
      this.process.on('close', (code) => {
        this.gone = true;
        reject(new Error(`the room ended with ${code}: ${said}`));
        for (const done of this.waiting.values()) done(255);
      });
      if (this.process.stdout === null) return;
      createInterface(this.process.stdout).on('line', (line) => {
        const [word, number, code] = line.split(' ');
        if (word === 'ready') resolve();
        if (word === 'ended') this.waiting.get(Number(number))?.(Number(code));
      });
    });
  }

  /** Starts a command in the room. */
  start(command: readonly string[], options: RunOptions = {}): Job {
    const number = this.count++;
    const file = (suffix: string) => `${this.directory}/jobs/${number}.${suffix}`;
    const text = (suffix: string) => (existsSync(file(suffix)) ? readFileSync(file(suffix), 'utf8') : '');
    writeFileSync(file('in'), options.input ?? '');
    writeFileSync(file('sh'), script(command, number, options));
    const ended = new Promise<number>((resolve) => {
      this.waiting.set(number, resolve);
      if (this.gone) resolve(255);
      else this.process.stdin?.write(`${number}\n`);
    });
    return {
      ended: ended.then((code) => {
        this.waiting.delete(number);
        return { code, stdout: text('out'), stderr: text('err') };
      }),
      output: () => text('out'),
      log: () => text('err'),
      pid: () => Number(text('pid')) || undefined,
    };
  }

  /** Runs a command in the room and waits for its end. */
  run(command: readonly string[], options: RunOptions = {}): Promise<Result> {
    return this.start(command, options).ended;
  }

  /** The same; it must succeed. Returns standard output without the last line break. */
  async output(command: readonly string[], options: RunOptions = {}): Promise<string> {
    return succeeded(await this.run(command, options), command);
  }

  /** Ends a job that is a daemon, and waits for it. */
  async stop(job: Job, signal = 'TERM'): Promise<Result> {
    const pid = await until('the start of the job', () => job.pid());
    await this.run(['kill', `-${signal}`, String(pid)]);
    return job.ended;
  }

  /** Process 1 of the room, as the host counts. */
  private init(): string {
    return this.children(this.process.pid ?? 0)[0] ?? assert.fail('the room has no process');
  }

  /** Path at which the host sees a file of the room: the root of its process 1. */
  seen(path: string): string {
    return `/proc/${this.init()}/root${path}`;
  }

  /** A connection to a port of the room's loopback device: the streams of a program of the host that holds it. */
  connect(port: number): ChildProcess {
    const program = ['busybox', 'nc', '127.0.0.1', String(port)];
    return spawn('nsenter', ['--target', this.init(), '--net', ...program], { stdio: 'pipe' });
  }

  private children(pid: number): string[] {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return text === '' ? [] : text.split(' ');
  }

  /** Ends every process of the room and removes what was made for it. */
  async close(): Promise<void> {
    this.process.kill('SIGKILL');
    this.process.stdin?.end();
    const left = await removeCgroups(this.cgroups);
    for (const [path, value] of this.sysctls)
      if (readFileSync(path, 'utf8') !== value) writeFileSync(path, value);
    rmSync(this.directory, { recursive: true, force: true });
    assert.deepEqual(left, [], 'cgroups with processes in them');
  }
}

/** The output of a command that must have succeeded. */
export function succeeded({ code, stdout, stderr }: Result, command: readonly string[] = []): string {
  assert.equal(code, 0, `${command.join(' ')}: exit ${code}: ${stderr.slice(-3000)}${stdout.slice(-1000)}`);
  return stdout.replace(/\n$/, '');
}

/** The last errors in the log of a daemon written in Go. */
export function complaints(log: string): string {
  const lines = log.split('\n').filter((line) => /level=(?:error|fatal)/.test(line));
  return lines
    .slice(-3)
    .map((line) => line.slice(0, 600))
    .join('\n');
}
