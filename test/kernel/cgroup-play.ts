// Plays cgroup plans through the launcher on this kernel, below directories of the test's own.
import { existsSync, readFileSync } from 'node:fs';
import { type CgroupOptions, type CgroupPlan, cgroupFiles, cgroupSteps } from '../../src/cgroups/create.ts';
import { type RemovalOptions, removeCgroups } from '../../src/cgroups/destroy.ts';
import { parseProcesses, signalStep } from '../../src/cgroups/kill.ts';
import { type CgroupLayout, cgroupLayout, hierarchyOf, unifiedMountPoint } from '../../src/cgroups/layout.ts';
import { type Cgroup, cgroupPath } from '../../src/cgroups/path.ts';
import type { Replies } from '../../src/cgroups/reading.ts';
import type { Bytes } from '../../src/linux/bytes.ts';
import { parseMountinfo } from '../../src/linux/mountinfo.ts';
import { call, NULL, number, outBuffer, pointer, slot } from '../../src/plan/call.ts';
import { bufferBytes, slotValue } from '../../src/plan/encode.ts';
import { type Step, step } from '../../src/plan/step.ts';
import { execve, fork } from '../../src/plan/syscalls.ts';
import type { LinuxResources } from '../../src/spec/runtime-spec.ts';
import { Launcher, type Played } from './rootfs-play.ts';

const CLONE_PIDFD = 0x1000;
const CLONE_INTO_CGROUP = 0x200000000n;

export function contentOf(file: Bytes): Bytes | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
}

/** Why cgroups cannot be tested here; undefined where they can. */
export function cgroupsMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'cgroups are made by root';
  return existsSync('/sys/fs/cgroup/cgroup.procs') || existsSync('/sys/fs/cgroup/memory')
    ? undefined
    : 'no cgroups are mounted';
}

export function hostCgroups(): CgroupLayout {
  const mounts = parseMountinfo(contentOf('/proc/self/mountinfo') ?? '');
  const unified = unifiedMountPoint(mounts);
  const controllers = unified === undefined ? '' : (contentOf(`${unified}/cgroup.controllers`) ?? '');
  return cgroupLayout(mounts, contentOf('/proc/self/cgroup') ?? '', controllers);
}

/** How a process ended: its exit status, or 128 and the signal, as a shell says it. */
function exitStatus(status: number): number {
  return (status & 0x7f) === 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f);
}

/** A launcher, and the cgroups of one test: taken away at its end. */
export class CgroupBench {
  readonly layout: CgroupLayout;
  readonly base = `/caisson-test-${process.pid}`;
  private readonly launcher = new Launcher();
  private readonly made: Cgroup[] = [];

  /** With `version` only the hierarchies of that version are used. */
  constructor(version?: 1 | 2) {
    const layout = hostCgroups();
    const hierarchies = layout.hierarchies.filter((one) => version === undefined || one.version === version);
    this.layout = version === undefined ? layout : { mode: version === 1 ? 'v1' : 'v2', hierarchies };
  }

  files(name: string): Map<Bytes, Bytes | undefined> {
    const path = cgroupPath(`${this.base}/${name}`, '');
    const known = new Map<Bytes, Bytes | undefined>();
    for (;;) {
      const files = cgroupFiles(this.layout, path, known);
      if (files.length === 0) return known;
      for (const file of files) known.set(file, contentOf(file));
    }
  }

  plan(name: string, resources: LinuxResources, options: CgroupOptions = {}): CgroupPlan {
    const path = cgroupPath(`${this.base}/${name}`, '');
    const plan = cgroupSteps(resources, this.layout, path, { files: this.files(name), ...options });
    this.made.push(...plan.cgroups);
    return plan;
  }

  play(steps: readonly Step[]): Promise<Played> {
    return this.launcher.play(steps);
  }

  /** Plays, and throws what failed. */
  async must(steps: readonly Step[]): Promise<Replies> {
    return repliesOf(await this.play(steps));
  }

  /** Starts a shell script in the cgroups; its process id. */
  async start(plan: CgroupPlan, script: string): Promise<number> {
    const pid = slot('pid', { reply: true });
    const into = plan.intoCgroup;
    const clone = {
      flags: into === undefined ? CLONE_PIDFD : CLONE_INTO_CGROUP | BigInt(CLONE_PIDFD),
      pidfd: slot('pidfd', { width: 4 }),
      ...(into === undefined ? {} : { cgroup: into }),
    };
    const environment = { kind: 'string' as const, bytes: 'PATH=/usr/sbin:/usr/bin:/sbin:/bin' };
    const replies = await this.must([
      ...plan.steps,
      step('parent', 'fork', 'start', '/process', [fork(clone, { result: pid })]),
      ...plan.release,
      ...plan.join,
      step('child', 'execve', 'run', '/process', [
        execve('/bin/sh', ['sh', '-c', script], { kind: 'pointers', items: [environment] }),
      ]),
    ]);
    await this.joined(replies.value(pid), plan);
    return replies.value(pid);
  }

  /** On v1 the child joins by itself, after the parent's batch is done. */
  private async joined(pid: number, plan: CgroupPlan): Promise<void> {
    const ended = () => / Z /.test(contentOf(`/proc/${pid}/stat`) ?? ' Z ');
    const isIn = ({ directory }: Cgroup) =>
      `\n${contentOf(`${directory}/cgroup.procs`) ?? ''}`.includes(`\n${pid}\n`);
    for (let tries = 0; tries < 1000 && !ended() && !plan.cgroups.every(isIn); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  /** Waits for a process that `start` started. */
  async wait(pid: number): Promise<number> {
    const status = outBuffer('status', 4);
    const waiting = call('wait4', [
      number(pid),
      pointer({ kind: 'out', buffer: status }, 'fixed'),
      number(0),
      NULL,
    ]);
    const replies = await this.must([step('parent', 'wait', 'wait', '/process', [waiting])]);
    const bytes = replies.bytes(status, 4);
    return exitStatus(bytes.charCodeAt(0) | (bytes.charCodeAt(1) << 8));
  }

  async run(plan: CgroupPlan, script: string): Promise<number> {
    return this.wait(await this.start(plan, script));
  }

  /** The directory of the cgroup that has a controller. */
  directory(plan: CgroupPlan, controller: Bytes): Bytes {
    return hierarchyOf(plan.cgroups, controller)?.directory ?? '';
  }

  async remove(cgroups: readonly Cgroup[], options?: RemovalOptions): Promise<readonly Bytes[]> {
    const removal = removeCgroups(cgroups, options);
    let round = removal.next();
    while (!round.done) {
      await new Promise((resolve) => setTimeout(resolve, round.done === true ? 0 : round.value.wait));
      round = removal.next(await this.must(round.value.steps));
    }
    return round.value;
  }

  /** Removes all cgroups of this bench; the output of all scripts. */
  async close(): Promise<string> {
    const parents = [...new Set(this.made.flatMap((cgroup) => [...cgroup.parents].reverse()))];
    const pids = this.made.flatMap(({ directory }) =>
      parseProcesses(contentOf(`${directory}/cgroup.procs`) ?? ''),
    );
    await this.must([signalStep([...new Set(pids)])]);
    const left = await this.remove(this.made, { ancestors: parents });
    const output = await this.launcher.close();
    if (left.length > 0) throw new Error(`left behind: ${left.join(' ')}`);
    return output;
  }
}

function repliesOf({ answer, batch, failure }: Played): Replies {
  if (failure !== undefined) throw new Error(failure);
  return {
    value: (wanted) => slotValue(batch, answer, wanted),
    bytes: (buffer, length) => bufferBytes(batch, answer, buffer, length),
  };
}
