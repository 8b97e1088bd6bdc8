// containerd in a room: started, stopped, and its command ctr.

import { mkdirSync, writeFileSync } from 'node:fs';
import { IMAGE, PAUSE_IMAGE, writeImage } from './image.ts';
import { complaints, type Job, type Result, Room, type RunOptions, succeeded } from './room.ts';
import type { Runtime } from './runtimes.ts';
import { until } from './sleep.ts';

const SOCKET = '/run/containerd/containerd.sock';

/** Name of the runtime handler in containerd's CRI plugin. */
export const HANDLER = 'under-test';

// A score lower than containerd's own would need CAP_SYS_RESOURCE, which not every machine gives.
function configuration(room: Room): string {
  const runtime = `[plugins."io.containerd.cri.v1.runtime"`;
  return `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
address = "${SOCKET}"
${runtime}]
disable_apparmor = true
restrict_oom_score_adj = true
${runtime}.cni]
bin_dirs = ["/usr/lib/cni"]
conf_dir = "${room.directory}/cni"
${runtime}.containerd]
default_runtime_name = "${HANDLER}"
${runtime}.containerd.runtimes.${HANDLER}]
runtime_type = "io.containerd.runc.v2"
${runtime}.containerd.runtimes.${HANDLER}.options]
BinaryName = "${room.program}"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "${PAUSE_IMAGE}"
`;
}

/** A running containerd. */
export class Containerd {
  readonly room: Room;
  private readonly job: Job;

  private constructor(room: Room, job: Job) {
    this.room = room;
    this.job = job;
  }

  /** Opens a room, starts it there and takes the image of these tests in. */
  static async open(runtime: Runtime): Promise<Containerd> {
    const room = await Room.open(runtime);
    try {
      const containerd = await Containerd.start(room);
      await containerd.importImage(IMAGE);
      return containerd;
    } catch (error) {
      await room.close();
      throw error;
    }
  }

  /** Starts it and waits until it answers. */
  static async start(room: Room): Promise<Containerd> {
    const file = `${room.directory}/containerd/config.toml`;
    mkdirSync(`${room.directory}/containerd`, { recursive: true });
    writeFileSync(file, configuration(room));
    const job = room.start(['containerd', '--config', file, '--log-level', 'warn'], { seconds: 0 });
    const containerd = new Containerd(room, job);
    await until(
      `containerd's answer: ${job.log()}`,
      async () => (await containerd.call(['version'])).code === 0,
    );
    return containerd;
  }

  /** What it complains of. */
  log(): string {
    return complaints(this.job.log());
  }

  /** The words of `ctr ARGS`. */
  commandLine(args: readonly string[]): string[] {
    return ['ctr', '--address', SOCKET, ...args];
  }

  /** `ctr`. */
  call(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return this.room.run(this.commandLine(args), options);
  }

  /** The same; it must succeed. */
  async output(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return succeeded(await this.call(args, options), ['ctr', ...args]);
  }

  /** Takes an image in. */
  async importImage(name: string, namespace = 'default'): Promise<void> {
    const file = `${this.room.directory}/${name.replaceAll(/[/:]/g, '_')}.tar`;
    writeImage(file, name);
    await this.output(['--namespace', namespace, 'images', 'import', file]);
  }

  /**
   * `ctr run` of a shell script through the shim for runc.
   * @param flags of `ctr run`
   */
  run(id: string, script: string, flags: readonly string[] = [], options: RunOptions = {}): Promise<Result> {
    const binary = ['--runc-binary', this.room.program];
    return this.call(['run', ...binary, ...flags, IMAGE, id, 'sh', '-c', script], options);
  }

  async close(): Promise<void> {
    await this.room.close();
  }
}
