// dockerd in a room: started, stopped, started again, and its command line client.

import { Containerd } from './containerd.ts';
import { IMAGE, writeImage } from './image.ts';
import { complaints, type Job, type Result, Room, type RunOptions, succeeded } from './room.ts';
import type { Runtime } from './runtimes.ts';
import { until } from './sleep.ts';

const HOST = 'unix:///run/docker.sock';

/** A running dockerd with a containerd, and the image of these tests in it. */
export class Docker {
  readonly room: Room;
  private readonly containerd: Containerd;
  private readonly flags: readonly string[];
  private job: Job | undefined;

  private constructor(containerd: Containerd, flags: readonly string[]) {
    this.room = containerd.room;
    this.containerd = containerd;
    this.flags = flags;
  }

  /**
   * Opens a room and starts both there.
   * @param flags of dockerd besides the runtime
   * @param unified as of Room.open
   */
  static async open(runtime: Runtime, flags: readonly string[] = [], unified = false): Promise<Docker> {
    const room = await Room.open(runtime, { unified });
    try {
      const docker = new Docker(await Containerd.start(room), flags);
      await docker.start();
      const file = `${room.directory}/image.tar`;
      writeImage(file);
      await docker.output(['load', '--quiet', '--input', file]);
      return docker;
    } catch (error) {
      await room.close();
      throw error;
    }
  }

  /** Starts dockerd and waits until it answers. */
  async start(): Promise<void> {
    const { program } = this.room;
    const runtime = ['--add-runtime', `under-test=${program}`, '--default-runtime', 'under-test'];
    const place = ['--host', HOST, '--containerd', '/run/containerd/containerd.sock'];
    const layers = ['--storage-driver', 'overlay2', '--log-level', 'warn'];
    const job = this.room.start(['dockerd', ...place, ...runtime, ...layers, ...this.flags], {
      seconds: 0,
      env: { DOCKER_BUILDKIT_RUNC_COMMAND: program },
    });
    this.job = job;
    await until('the answer of dockerd', async () => {
      if ((await this.call(['version'])).code === 0) return true;
      if (!/failed to start daemon/.test(job.log())) return false;
      throw new Error(`dockerd: ${job.log()}`);
    });
  }

  /** Ends dockerd; containerd stays. */
  async stop(signal = 'TERM'): Promise<void> {
    if (this.job !== undefined) await this.room.stop(this.job, signal);
    this.job = undefined;
  }

  /** What the daemons complain of. */
  log(): string {
    return `${complaints(this.job?.log() ?? '')}\n${this.containerd.log()}`;
  }

  /** `docker`. */
  call(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return this.room.run(['docker', ...args], { ...options, env: { DOCKER_HOST: HOST, ...options.env } });
  }

  /** The same; it must succeed. */
  async output(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return succeeded(await this.call(args, options), ['docker', ...args]);
  }

  /** `docker run --rm` of a shell script in the image. */
  run(flags: readonly string[], script: string): Promise<Result> {
    return this.call(['run', '--rm', '--network', 'none', ...flags, IMAGE, 'sh', '-c', script]);
  }

  /** `docker run --detach` of a shell script in the image; its id. */
  detached(flags: readonly string[], script = 'sleep 1000'): Promise<string> {
    const network = flags.some((flag) => flag.startsWith('--network')) ? [] : ['--network', 'none'];
    return this.output(['run', '--detach', ...network, ...flags, IMAGE, 'sh', '-c', script]);
  }

  /** A field of `docker inspect`, by a Go template. */
  inspect(container: string, template: string): Promise<string> {
    return this.output(['inspect', '--format', template, container]);
  }

  /** Removes a container, whatever it does. */
  async remove(container: string): Promise<void> {
    await this.output(['rm', '--force', '--volumes', container]);
  }

  async close(): Promise<void> {
    await this.room.close();
  }
}
