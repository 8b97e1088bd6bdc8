// The host for Node: the launcher is a child process, its channel an extra pipe of the event loop.
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import type { Duplex, Readable } from 'node:stream';
import type { Bytes } from '../linux/bytes.ts';
import { AnswerReader } from './answers.ts';
import * as files from './files.ts';
import { commandLineOf } from './own-command.ts';
import type { Channel, ChannelOptions, Port, RawAnswer } from './port.ts';
import { builtPrograms, type ProgramPaths } from './programs.ts';
import { onSignals } from './signals.ts';
import { spawnProgram } from './spawn.ts';
import { after, callerTerminal } from './terminal.ts';

class NodeChannel implements Channel {
  readonly pid: number;
  private readonly child: ChildProcess;
  private readonly stream: Duplex;
  private readonly reader = new AnswerReader();
  private readonly waiting: ((answer: RawAnswer | undefined) => void)[] = [];
  private readonly answers: RawAnswer[] = [];
  private readonly exited: Promise<void>;
  private ended = false;
  private closed = false;
  private readonly output: Promise<{ stdout: Bytes; stderr: Bytes }>;

  constructor(child: ChildProcess, channel: number, output: ChannelOptions['output']) {
    this.child = child;
    const streams = [collect(child.stdout, 1, output), collect(child.stderr, 2, output)] as const;
    this.output = Promise.all(streams).then(([stdout, stderr]) => ({
      stdout,
      stderr,
    }));
    this.pid = child.pid ?? -1;
    this.stream = child.stdio[channel] as Duplex;
    this.exited = new Promise((resolve) => {
      child.once('exit', () => {
        resolve();
      });
    });
    this.stream.on('data', (chunk: Buffer) => {
      this.reader.push(chunk);
      for (let answer = this.reader.next(); answer !== undefined; answer = this.reader.next())
        this.deliver(answer);
    });
    // `end` and not the child's `close`: the last bytes may come later than that (launcher.md, note on Bun).
    this.stream.on('end', () => {
      this.finish();
    });
    this.stream.on('error', () => {
      this.finish();
    });
  }

  private deliver(answer: RawAnswer): void {
    const receiver = this.waiting.shift();
    if (receiver === undefined) this.answers.push(answer);
    else receiver(answer);
  }

  private finish(): void {
    this.ended = true;
    for (const receiver of this.waiting.splice(0)) receiver(undefined);
  }

  send(bytes: Uint8Array): void {
    if (this.closed) throw new Error('the launcher is gone (closed)');
    this.stream.write(bytes);
  }

  receive(): RawAnswer | undefined | Promise<RawAnswer | undefined> {
    const ready = this.answers.shift();
    if (ready !== undefined || this.ended || this.closed) return ready;
    return new Promise((resolve) => {
      this.waiting.push(resolve);
    });
  }

  captured(): Promise<{ stdout: Bytes; stderr: Bytes }> {
    return this.output;
  }

  release(): void {
    if (this.closed) return;
    this.closed = true;
    this.stream.destroy();
    this.child.unref();
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.stream.end();
    this.stream.destroy();
    await (this.child.exitCode === null && this.child.signalCode === null ? this.exited : undefined);
  }
}

/** All that a stream brings, as bytes; nothing where somebody takes it as it comes. */
async function collect(
  stream: Readable | null,
  number: 1 | 2,
  output: ChannelOptions['output'],
): Promise<Bytes> {
  if (stream === null) return '';
  const chunks: Buffer[] = [];
  for await (const chunk of stream) {
    if (output === undefined) chunks.push(chunk as Buffer);
    else output(number, (chunk as Buffer).toString('latin1'));
  }
  return Buffer.concat(chunks).toString('latin1');
}

function openChannel(launcher: string, options: ChannelOptions = {}): Promise<NodeChannel> {
  const [stdin, stdout, stderr] = options.stdio ?? [0, 1, 2];
  const kept = Array.from({ length: options.keep ?? 0 }, (_, index) => 3 + index);
  const channel = 3 + kept.length;
  const stdio: StdioOptions = options.capture
    ? ['ignore', 'pipe', 'pipe', ...kept, 'pipe']
    : [
        options.noInput === true ? 'ignore' : stdin,
        ...(options.noOutput === true ? (['ignore', 'ignore'] as const) : [stdout, stderr]),
        ...kept,
        'pipe',
      ];
  const child = spawn(launcher, [String(channel)], { env: {}, stdio });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => {
      resolve(new NodeChannel(child, channel, options.output));
    });
  });
}

/** Makes the port of this process. */
export function nodePort(programs: ProgramPaths = builtPrograms()): Port {
  const { args, environment } = files.commandLine();
  return {
    arch: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
    arguments: args,
    environment,
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    pid: process.pid,
    cwd: files.workingDirectory(),
    findProgram: files.findProgram,
    initProgram: () => fs.readFileSync(programs.init).toString('latin1'),
    monitorProgram: () => fs.readFileSync(programs.monitor ?? builtPrograms().monitor).toString('latin1'),
    get ownCommand() {
      return commandLineOf(process.execPath, (path) => files.stat(path)?.type === 'file');
    },
    openChannel: (options) => openChannel(programs.launcher, options),
    readFile: files.readFile,
    readInput: files.readInput,
    stat: files.stat,
    list: files.list,
    entries: files.entries,
    readLink: files.readLink,
    readChunks: files.readChunks,
    readInputChunks: files.readInputChunks,
    makeDirectory: files.makeDirectory,
    replaceFile: files.replaceFile,
    replaceFileDurably: files.replaceFileDurably,
    appendFile: files.appendFile,
    remove: files.remove,
    removeEmpty: files.removeEmpty,
    spawn: spawnProgram,
    monotonic: () => Number(process.hrtime.bigint()),
    random: (length) => crypto.getRandomValues(new Uint8Array(length)),
    write: files.write,
    readerGone: files.readerGone,
    onSignals,
    after,
    get terminal() {
      return callerTerminal();
    },
  };
}
