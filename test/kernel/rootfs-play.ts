// Plays steps through the launcher for the root file system tests, and gathers the facts they are compiled from.
import { type ChildProcess, spawn } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { RawAnswer } from '../../src/host/port.ts';
import { type Bytes, utf8ToBytes } from '../../src/linux/bytes.ts';
import { MNT_DETACH, MS_PRIVATE } from '../../src/linux/constants/mount.ts';
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  O_CLOEXEC,
  O_PATH,
  O_WRONLY,
  RESOLVE_NO_XDEV,
} from '../../src/linux/constants/open.ts';
import { CLONE_NEWNS, CLONE_NEWUSER } from '../../src/linux/constants/process.ts';
import { type MountEntry, parseMountinfo } from '../../src/linux/mountinfo.ts';
import { call, NULL, number, outBuffer, pointer, type Slot, slot } from '../../src/plan/call.ts';
import type { RootPlan } from '../../src/plan/compile/context.ts';
import {
  type Answer,
  type Batch,
  bufferBytes,
  decodeAnswer,
  encode,
  frameLength,
  slotValue,
} from '../../src/plan/encode.ts';
import { type Step, step } from '../../src/plan/step.ts';
import * as sys from '../../src/plan/syscalls.ts';
import { FRAME_SIZE } from '../../src/plan/wire.ts';
import { directoriesToList, mountsToStat } from '../../src/snapshot/host-root.ts';
import type { HostEntry, HostRootFacts } from '../../src/snapshot/host-view.ts';

const LAUNCHER = join(process.cwd(), 'build/launcher');

/** An id that no user of the machine has. */
export const ORDINARY = 65532;

/** What a played batch answered. */
export interface Played {
  readonly answer: Answer;
  readonly batch: Batch;
  /** `record N, call: errno E` when it failed. */
  readonly failure: string | undefined;
}

/** A launcher as a child process, as root or as an ordinary user. */
export class Launcher {
  private readonly child: ChildProcess;
  private readonly channel: Duplex;
  private readonly output: Buffer[] = [];

  /** `prepare`: a shell command that runs before, as root, in a mount namespace made for it. */
  constructor(uid = 0, prepare = ':') {
    const drop = uid === 0 ? '' : `setpriv --reuid ${uid} --regid ${uid} --clear-groups`;
    const args = ['-m', '--propagation', 'private', 'sh', '-c', `${prepare} && exec ${drop} "$0"`, LAUNCHER];
    this.child = spawn('unshare', args, {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      cwd: '/',
    });
    this.channel = this.child.stdio[3] as Duplex;
    this.channel.on('error', () => undefined);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => this.output.push(chunk));
    }
  }

  async play(steps: readonly Step[]): Promise<Played> {
    const batch = encode(steps, 'x86_64');
    this.channel.write(batch.bytes);
    const frame = await this.read(FRAME_SIZE);
    const data = await this.read(frameLength(frame));
    const answer = decodeAnswer(frame, data);
    const at = batch.records[answer.index];
    const failure =
      answer.kind === 'done'
        ? undefined
        : `${answer.kind} ${at?.step.title}, ${at?.call.name}: errno ${answer.errno}`;
    return { answer, batch, failure };
  }

  /** The same channel for raw batches. */
  readonly line = {
    send: (bytes: Uint8Array): void => {
      this.channel.write(bytes);
    },
    receive: async (): Promise<RawAnswer> => {
      const frame = await this.read(FRAME_SIZE);
      return { frame, data: await this.read(frameLength(frame)) };
    },
  };

  private async read(length: number): Promise<Uint8Array> {
    const parts: Buffer[] = [];
    for (let have = 0; have < length; ) {
      const chunk = this.channel.read(
        Math.min(length - have, this.channel.readableLength || 1),
      ) as Buffer | null;
      if (chunk !== null) {
        parts.push(chunk);
        have += chunk.length;
      } else if (this.channel.readableEnded) {
        throw new Error('the launcher has gone');
      } else {
        await new Promise<void>((resolve) => {
          const go = () => {
            this.channel.off('readable', go);
            this.channel.off('end', go);
            resolve();
          };
          this.channel.on('readable', go);
          this.channel.on('end', go);
        });
      }
    }
    return new Uint8Array(Buffer.concat(parts));
  }

  /** Ends the launcher; what was written to its output. */
  async close(): Promise<string> {
    const ended = new Promise((resolve) => this.child.on('close', resolve));
    this.channel.destroy();
    await ended;
    return Buffer.concat(this.output).toString('latin1');
  }
}

function writeSelf(name: Bytes, content: Bytes) {
  const file = slot(name);
  return [
    sys.openat(sys.AT_FDCWD, `/proc/self/${name}`, O_WRONLY | O_CLOEXEC, 0, { result: file }),
    sys.write(file, content),
    sys.close(file),
  ];
}

/** Runs a shell script in the root; its output and exit status. With `uid`, as root of a user namespace of that user. */
export async function runInRoot(
  plan: RootPlan,
  script: string,
  { uid = 0, prepare = ':' } = {},
): Promise<{ status: number; output: string }> {
  const pid = slot('pid');
  const status = outBuffer('status', 4);
  const maps = [
    ...writeSelf('setgroups', 'deny'),
    ...writeSelf('uid_map', `0 ${uid} 1`),
    ...writeSelf('gid_map', `0 ${uid} 1`),
  ];
  const privately = sys.mountSetattr(sys.AT_FDCWD, '/', AT_RECURSIVE, {
    set: 0,
    clear: 0,
    propagation: MS_PRIVATE,
  });
  const environment = ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C'].map((bytes) => ({
    kind: 'string' as const,
    bytes,
  }));
  const args = ['sh', '-c', `exec 2>&1\n${utf8ToBytes(script)}`];
  const steps = [
    step('parent', 'fork', 'fork', 'test', [
      sys.fork(
        { flags: CLONE_NEWNS | (uid === 0 ? 0 : CLONE_NEWUSER), pidfd: slot('pidfd', { width: 4 }) },
        { result: pid },
      ),
      call('wait4', [sys.value(pid), pointer({ kind: 'out', buffer: status }, 'fixed'), number(0), NULL]),
    ]),
    step('child', 'prepare', 'prepare', 'test', uid === 0 ? [privately] : [...maps, privately]),
    ...plan.steps,
    step('child', 'pivot', 'pivot', 'test', [
      sys.mountSetattr(plan.root, '', AT_EMPTY_PATH | AT_RECURSIVE, {
        set: 0,
        clear: 0,
        propagation: MS_PRIVATE,
      }),
      sys.fchdir(plan.root),
      sys.pivotRoot('.', '.'),
      sys.umount2('.', MNT_DETACH),
      sys.chdir('/'),
      // Nothing is left on top of the new root: crossing into it would be EXDEV.
      sys.openat2(sys.AT_FDCWD, '..', O_PATH | O_CLOEXEC, RESOLVE_NO_XDEV),
      sys.umask(0o22),
      sys.execve('/bin/sh', args, { kind: 'pointers', items: environment }),
    ]),
  ];
  const launcher = new Launcher(uid, prepare);
  const played = await launcher.play(steps);
  const output = await launcher.close();
  if (played.failure !== undefined) throw new Error(`${played.failure}\n${output}`);
  return { status: bufferBytes(played.batch, played.answer, status).charCodeAt(1), output };
}

function entryOf(directory: string, name: Buffer, uid: number): HostEntry {
  const path = Buffer.concat([Buffer.from(directory === '/' ? '/' : `${directory}/`, 'latin1'), name]);
  const stat = lstatSync(path);
  const shift = stat.uid === uid ? 6 : stat.gid === uid ? 3 : 0;
  const wanted = stat.isDirectory() ? 5 : 4;
  return {
    name: name.toString('latin1'),
    type: stat.isDirectory()
      ? 'directory'
      : stat.isSymbolicLink()
        ? 'symlink'
        : stat.isFile()
          ? 'file'
          : 'other',
    mode: stat.mode & 0o7777,
    size: stat.size,
    readable: uid === 0 || ((stat.mode >> shift) & wanted) === wanted,
    ...(stat.isSymbolicLink() ? { target: readlinkSync(path, 'buffer').toString('latin1') } : {}),
  };
}

/** The facts for a view of this machine's files by `uid`. */
export function hostFacts(
  uid: number,
  kernel: readonly [number, number] = [6, 18],
  mounts: readonly MountEntry[] = parseMountinfo(readFileSync('/proc/self/mountinfo', 'latin1')),
): HostRootFacts {
  const listings = new Map<Bytes, HostEntry[]>();
  for (const path of directoriesToList(mounts, uid !== 0)) {
    const at = Buffer.from(path, 'latin1');
    listings.set(
      path,
      readdirSync(at, 'buffer').map((name) => entryOf(path, name, uid)),
    );
  }
  const fileMounts = new Set(
    mountsToStat(mounts).filter((path) => !statSync(Buffer.from(path, 'latin1')).isDirectory()),
  );
  return { mounts, kernel, userNamespace: uid !== 0, listings, fileMounts };
}

/** The value of a reply slot of a played batch. */
export function replyOf(played: Played, from: Slot): number {
  return slotValue(played.batch, played.answer, from);
}
