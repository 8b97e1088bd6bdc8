// What a sandbox is made of, and the flags of a container that stand for it.
import type { RunFlags } from '../../frontends/docker/run-flags.ts';
import type { Port } from '../../host/port.ts';

/** What `Sandbox.create` takes. Sizes are bytes, or texts such as `512m`; times are milliseconds. */
export interface SandboxOptions {
  /**
   * The files: a name or ID of an image, which is pulled when it is not there; or `host` (the default), this machine's
   * own files, copy-on-write. Changes vanish with the sandbox.
   */
  readonly image?: string;
  /** Limit of memory, swap included. Default: 512 MiB. */
  readonly memory?: number | string;
  /** Limit of processor time, in processors: 0.5 is half of one. Default: none. */
  readonly cpus?: number;
  /** Limit of processes and threads. Default: 256. */
  readonly pids?: number;
  /** How long a `run` may take that says nothing else. Default: 60000. */
  readonly timeout?: number;
  /** How long the sandbox lives; it is then killed. Default: until `kill`. */
  readonly lifetime?: number;
  /** Environment of all programs, beside that of the image. */
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory; made where it is not there. Default: the image's, `/tmp` for `host`. */
  readonly workdir?: string;
  /** User, by name or number (`1000:1000`). Default: the image's; for `host` with root as caller 65534:65534, which is nobody. */
  readonly user?: string;
  /** The root is read-only; `/tmp` and `/var/tmp` stay writable. */
  readonly readOnly?: boolean;
  /** There is no network but the loopback device of its own. `none` is all that there is today. */
  readonly network?: 'none';
  /**
   * Directories that are empty in the sandbox, in memory, with whatever may have been there hidden. Default: `/tmp`,
   * `/var/tmp`, and for `host` `/root` and `/home` as well.
   */
  readonly hide?: readonly string[];
  /** Capabilities that programs keep (`CHOWN`). Default: none. */
  readonly capabilities?: readonly string[];
  /** Where images are kept; default as for the command line. */
  readonly dataRoot?: string;
  /** Where records of what runs are kept; default `/run/caisson` for root. */
  readonly stateRoot?: string;
  /** Further flags of `caisson run` in camel case, for what has no option here. */
  readonly flags?: RunFlags;
  /** Ends the creation; a sandbox that has been created stays. */
  readonly signal?: AbortSignal;
}

/** Limits where nothing is said. */
export const DEFAULTS = { memory: '512m', pids: 256, timeout: 60_000 } as const;

/** The user and the group that own nothing: no file of the machine belongs to them. */
const NOBODY = '65534:65534';

const SCRATCH = ['/tmp', '/var/tmp'];
const HOMES = ['/root', '/home'];

/** The flags of the container that holds the sandbox. */
export function sandboxFlags(
  port: Pick<Port, 'uid' | 'stat'>,
  options: SandboxOptions,
  limitable: boolean,
): RunFlags {
  const { image = 'host', cpus, env = {} } = options;
  // A limit that was asked for and cannot be had is an error; a default is left out, with a warning.
  const memory = options.memory ?? (limitable ? DEFAULTS.memory : undefined);
  const pids = options.pids ?? (limitable ? DEFAULTS.pids : undefined);
  const host = image === 'host';
  const user = options.user ?? (host && port.uid === 0 ? NOBODY : undefined);
  const workdir = options.workdir ?? (host ? '/tmp' : undefined);
  const hide = options.hide ?? [...SCRATCH, ...(host ? HOMES.filter((path) => port.stat(path)) : [])];
  return {
    init: true,
    network: options.network ?? 'none',
    ...(memory === undefined ? {} : { memory: String(memory), memorySwap: String(memory) }),
    ...(pids === undefined ? {} : { pidsLimit: String(pids) }),
    ...(cpus === undefined ? {} : { cpus: String(cpus) }),
    capDrop: ['ALL'],
    ...(options.capabilities === undefined ? {} : { capAdd: [...options.capabilities] }),
    securityOpt: ['no-new-privileges'],
    env: Object.entries({ ...(host ? { HOME: '/tmp' } : {}), ...env }).map(
      ([name, value]) => `${name}=${value}`,
    ),
    tmpfs: hide.map((path) => `${path}:${SCRATCH.includes(path) ? 'exec,mode=1777' : 'mode=755'}`),
    ...(workdir === undefined ? {} : { workdir }),
    ...(user === undefined ? {} : { user }),
    ...(options.readOnly === true ? { readOnly: true } : {}),
    ...options.flags,
  };
}
