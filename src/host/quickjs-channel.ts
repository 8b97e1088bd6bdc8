// The launcher as a child of QuickJS: popen(3) and a shell put its channel on descriptors 3 and 4.
//
// os.exec passes three descriptors, and a launcher has five: the caller's 0, 1 and 2, and the channel. popen(3) passes
// all; the shell moves them to their places and becomes the launcher. Its input is the stream of popen(3), which is
// closed in every other child, so that the launcher sees the end of its channel when this process ends.
import type { Bytes } from '../linux/bytes.ts';
import { O_CLOEXEC, O_RDONLY } from '../linux/constants/open.ts';
import { AnswerReader } from './answers.ts';
import type { Channel, ChannelOptions, RawAnswer } from './port.ts';
import { osText, writeAll } from './quickjs-files.ts';
import type { Os, Std, StdFile } from './quickjs-modules.ts';
import { collect, lend, makePipe, readSome } from './quickjs-pipes.ts';

/** A signal that comes between QuickJS's look for one and its select(2) waits until the next event, or so long. */
const WAKE = 100;

/** Where the shell finds the caller's input, output and error output, and the answers' end. */
const LENT = { input: 6, output: 7, error: 8, answers: 9 };

interface Output {
  readonly stdout: Bytes;
  readonly stderr: Bytes;
}

class QuickjsChannel implements Channel {
  readonly pid: number;
  private readonly os: Os;
  private readonly stream: StdFile;
  private readonly answers: number;
  private readonly output: Promise<Output>;
  private readonly reader = new AnswerReader();
  private open = true;

  constructor(os: Os, launcher: { stream: StdFile; answers: number; pid: number; output: Promise<Output> }) {
    this.os = os;
    this.stream = launcher.stream;
    this.answers = launcher.answers;
    this.pid = launcher.pid;
    this.output = launcher.output;
  }

  captured(): Promise<Output> {
    return this.output;
  }

  send(bytes: Uint8Array): void {
    if (!writeAll(this.os, this.stream.fileno(), bytes)) throw new Error('the launcher is gone (write)');
  }

  receive(brief: boolean): RawAnswer | undefined | Promise<RawAnswer | undefined> {
    for (;;) {
      const ready = this.reader.next();
      if (ready !== undefined) return ready;
      if (!brief) return this.receiveLater();
      const piece = readSome(this.os, this.answers);
      if (piece === undefined) return undefined;
      this.reader.push(piece);
    }
  }

  private receiveLater(): Promise<RawAnswer | undefined> {
    const { os, answers } = this;
    return new Promise((resolve) => {
      const tick = () => os.setTimeout(wake, WAKE);
      const wake = () => {
        timer = tick();
      };
      let timer = tick();
      os.setReadHandler(answers, () => {
        const piece = readSome(os, answers);
        if (piece !== undefined) this.reader.push(piece);
        const answer = this.reader.next();
        if (piece !== undefined && answer === undefined) return;
        os.setReadHandler(answers, null);
        os.clearTimeout(timer);
        resolve(answer);
      });
    });
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    this.stream.close();
    this.os.close(this.answers);
  }
}

/** The launcher's descriptors 0, 1 and 2, which of them this process closes after the start, and what they bring. */
interface Stdio {
  readonly descriptors: readonly [number, number, number];
  readonly own: readonly number[];
  readonly output: () => Promise<Output>;
}

function stdioOf(os: Os, options: ChannelOptions): Stdio {
  if (!options.capture) {
    const nothing = { stdout: '', stderr: '' };
    return { descriptors: options.stdio ?? [0, 1, 2], own: [], output: () => Promise.resolve(nothing) };
  }
  const [[out, stdout], [err, stderr]] = [makePipe(os), makePipe(os)];
  const stdin = os.open('/dev/null', O_RDONLY | O_CLOEXEC);
  const all = Number.POSITIVE_INFINITY;
  return {
    descriptors: [stdin, stdout, stderr],
    own: [stdin, stdout, stderr],
    output: async () => {
      const [first, second] = await Promise.all([collect(os, out, all), collect(os, err, all)]);
      return { stdout: first, stderr: second };
    },
  };
}

/** The shell's process id becomes the launcher's; it is what comes first out of the pipe of answers. */
function command(launcher: Bytes): string {
  const { input, output, error, answers } = LENT;
  const quoted = `'${osText(launcher).replaceAll("'", "'\\''")}'`;
  const channel = `3<&0 4>&${answers}`;
  const stdio = `0<&${input} 1>&${output} 2>&${error}`;
  const closed = Object.values(LENT)
    .map((fd) => `${fd}>&-`)
    .join(' ');
  return `echo $$ >&${answers}; exec ${quoted} 3 4 ${channel} ${stdio} ${closed}`;
}

function readPid(os: Os, fd: number): number {
  const byte = new Uint8Array(1);
  let text = '';
  while (os.read(fd, byte.buffer, 0, 1) === 1 && byte[0] !== 10) text += String.fromCharCode(byte[0] ?? 0);
  const pid = Number(text);
  if (!(pid > 0)) throw new Error('cannot start the launcher (sh)');
  return pid;
}

/** Starts `launcher`, the path of the program. Throws Error when there is no shell or no descriptor left. */
export function openQuickjsChannel(std: Std, os: Os, launcher: Bytes, options: ChannelOptions = {}): Channel {
  const [answers, theirs] = makePipe(os);
  const stdio = stdioOf(os, options);
  const [input, output, error] = stdio.descriptors;
  const loans: [number, number][] = [
    [LENT.input, input],
    [LENT.output, output],
    [LENT.error, error],
    [LENT.answers, theirs],
  ];
  try {
    const stream = lend(os, loans, () => std.popen(command(launcher), 'w'));
    if (stream === null) throw new Error('cannot start the launcher (popen)');
    // Before the first read: only the launcher may hold the other end.
    os.close(theirs);
    const pid = readPid(os, answers);
    return new QuickjsChannel(os, { stream, answers, pid, output: stdio.output() });
  } finally {
    for (const fd of stdio.own) os.close(fd);
  }
}
