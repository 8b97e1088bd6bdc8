// podman and buildah in a room, as root or as an ordinary user with subordinate ids.

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { IMAGE, writeImage } from './image.ts';
import { type Job, type Result, Room, type RunOptions, succeeded } from './room.ts';
import type { Runtime } from './runtimes.ts';

/** Who calls podman. */
export type User = 'root' | 'dweller';

const BECOME = ['setpriv', '--reuid', '1000', '--regid', '1000', '--clear-groups'];

/**
 * The configuration of both: nothing of systemd, no registry. buildah's own limits of files and processes are a million, which
 * only CAP_SYS_RESOURCE could set.
 */
const CONTAINERS = `[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime_supports_json = ["runc", "caisson-oci"]
[containers]
log_driver = "k8s-file"
default_ulimits = ["nofile=2000:2000", "nproc=2000:2000"]
[network]
firewall_driver = "nftables"
`;

const POLICY = JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] });

/** podman with the image of these tests. */
export class Podman {
  readonly room: Room;
  readonly user: User;

  private constructor(room: Room, user: User) {
    this.room = room;
    this.user = user;
  }

  /** Opens a room, configures both there and takes the image in. */
  static async open(runtime: Runtime, user: User): Promise<Podman> {
    const room = await Room.open(runtime);
    try {
      const podman = new Podman(room, user);
      await podman.configure();
      const file = `${room.directory}/image.tar`;
      writeImage(file);
      await podman.output(['load', '--quiet', '--input', file]);
      return podman;
    } catch (error) {
      await room.close();
      throw error;
    }
  }

  // pasta takes the addresses of the interface with the default route: a pair of which one end hears nothing.
  private async configure(): Promise<void> {
    const { directory } = this.room;
    mkdirSync(`${directory}/etc`);
    writeFileSync(`${directory}/etc/containers.conf`, CONTAINERS);
    writeFileSync(`${directory}/etc/policy.json`, POLICY);
    const script = `mkdir -p /etc/containers && cp ${directory}/etc/* /etc/containers/
      mkdir -p /srv/work && chmod 1777 /srv/work
      ip link add up0 type veth peer name up1; ip addr add 192.0.2.1/24 dev up0
      ip link set up0 up; ip link set up1 up; ip route add default via 192.0.2.2`;
    await this.room.output(['sh', '-c', script]);
  }

  /** podman has no daemon that could say something. */
  log(): string {
    return '';
  }

  private options(options: RunOptions): RunOptions {
    const quiet = { PODMAN_IGNORE_CGROUPSV1_WARNING: '1' };
    if (this.user === 'root') return { ...options, env: { ...quiet, ...options.env } };
    const own = { HOME: '/home/dweller', XDG_RUNTIME_DIR: '/run/user/1000', USER: 'dweller' };
    return { ...options, env: { ...quiet, ...own, ...options.env }, prefix: BECOME };
  }

  /** A command as this user. */
  asUser(command: readonly string[], options: RunOptions = {}): Promise<Result> {
    return this.room.run(command, this.options(options));
  }

  /** The words of `podman ARGS`. */
  commandLine(args: readonly string[]): string[] {
    return ['podman', '--runtime', this.room.program, ...args];
  }

  /** `podman`. */
  call(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return this.asUser(this.commandLine(args), options);
  }

  /** `podman` in the background. */
  start(args: readonly string[], options: RunOptions = {}): Job {
    return this.room.start(this.commandLine(args), this.options(options));
  }

  /** `podman`; it must succeed. */
  async output(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return succeeded(await this.call(args, options), ['podman', ...args]);
  }

  /** `buildah`; `run`, `from` and `build` with the runtime. */
  async buildah(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const [name = '', ...rest] = args;
    const runtime = ['run', 'build'].includes(name)
      ? ['--runtime', this.room.program, '--isolation', 'oci']
      : [];
    const words = ['buildah', name, ...runtime, ...rest];
    return succeeded(await this.asUser(words, options), words);
  }

  /** `podman run --rm` of a shell script in the image. */
  run(flags: readonly string[], script: string): Promise<Result> {
    return this.call(['run', '--rm', ...network(flags), ...flags, IMAGE, 'sh', '-c', script]);
  }

  /** The same; it must succeed. */
  async said(flags: readonly string[], script: string): Promise<string> {
    return succeeded(await this.run(flags, script), ['podman', 'run', ...flags]);
  }

  /** Runs the case with a container in the background, and removes it. */
  async withContainer(
    flags: readonly string[],
    script: string,
    work: (id: string) => Promise<void>,
  ): Promise<void> {
    const id = await this.output(['run', '--detach', ...network(flags), ...flags, IMAGE, 'sh', '-c', script]);
    try {
      await work(id);
    } finally {
      await this.output(['rm', '--force', '--time', '0', '--volumes', id]);
    }
  }

  /** A field of `podman inspect`, by a Go template. */
  inspect(container: string, template: string): Promise<string> {
    return this.output(['inspect', '--format', template, container]);
  }

  /** A directory for a build with this Dockerfile. */
  buildDirectory(name: string, dockerfile: string): string {
    const directory = `${this.room.directory}/${name}`;
    mkdirSync(directory);
    writeFileSync(`${directory}/Dockerfile`, dockerfile);
    writeFileSync(`${directory}/given`, 'given\n');
    chmodSync(directory, 0o777);
    if (this.user !== 'root') spawnSync('chown', ['-R', '1000:1000', directory]);
    return directory;
  }

  async close(): Promise<void> {
    await this.room.close();
  }
}

function network(flags: readonly string[]): string[] {
  return flags.some((flag) => /^--(?:network|pod)/.test(flag)) ? [] : ['--network', 'none'];
}
