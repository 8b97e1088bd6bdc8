// `inspect` of a container, in docker's shape and order of fields (moby, api/types/container/container.go).
import type { Bytes } from '../../linux/bytes.ts';
import { SIGNALS } from '../../linux/signals.ts';
import { containerSpec } from '../../runtime/container.ts';
import { CaissonError } from '../../spec/error.ts';
import type { JsonValue } from '../../spec/json.ts';
import type { Spec } from '../../spec/runtime-spec.ts';
import { boundView } from './bound-view.ts';
import type { ContainerFile, ContainerMount } from './container-file.ts';
import { type Engine, placeOf, stateOf } from './engine.ts';
import { type ContainerView, findContainer } from './find.ts';
import { type Health, healthOf } from './health-record.ts';
import { hostConfigOf, pairOf } from './inspect-host-config.ts';
import { logName } from './monitor-plan.ts';
import type { ContainerSize } from './size.ts';
import { keptSummary, networkOf, ZERO_TIME } from './summary.ts';

/** A container as docker shows it; undefined where none has that name or id. Throws CaissonError for a damaged one. */
export async function inspectContainer(
  engine: Engine,
  text: Bytes,
  withSize = false,
): Promise<JsonValue | undefined> {
  const view = viewOrBound(engine, text);
  if (view === undefined) return undefined;
  return inspection(engine, view, withSize ? await sizeOf(engine, view) : undefined);
}

function viewOrBound(engine: Engine, text: Bytes): ContainerView | undefined {
  try {
    return findContainer(engine, text);
  } catch (error) {
    if (error instanceof CaissonError && error.code === 'ENOTFOUND') return boundView(engine, text);
    throw error;
  }
}

async function sizeOf(engine: Engine, view: ContainerView): Promise<ContainerSize | undefined> {
  const { containerSizes } = await import('./size.ts');
  return (await containerSizes(engine, [keptSummary(engine, view)])).get(view.file.id);
}

function inspection(engine: Engine, view: ContainerView, size: ContainerSize | undefined): JsonValue {
  const { file, run } = view;
  const place = placeOf(engine, file.id);
  const state = stateOf(engine, file.id);
  const spec = view.pid === 0 ? undefined : specOf(engine, view);
  const [path = '', ...args] = file.args;
  return {
    Id: file.id,
    Created: file.created,
    Path: path,
    Args: args,
    State: stateFields(view, healthOf(engine.port, place, file, run)),
    Image: file.imageId,
    ResolvConfPath: `${state}/resolv.conf`,
    HostnamePath: `${state}/hostname`,
    HostsPath: `${state}/hosts`,
    LogPath: file.log.driver === 'none' ? '' : `${place}/${logName(file.id, file.log)}`,
    Name: `/${file.name}`,
    RestartCount: run?.restarts ?? 0,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: spec?.linux?.mountLabel ?? '',
    ProcessLabel: spec?.process?.selinuxLabel ?? '',
    AppArmorProfile: spec?.process?.apparmorProfile ?? '',
    ExecIDs: null,
    HostConfig: hostConfigOf(file, spec),
    GraphDriver: graphDriver(file, place),
    ...(size === undefined ? {} : { SizeRw: size.changes, SizeRootFs: size.whole }),
    Mounts: file.mounts.map(mountFields),
    Config: configFields(file),
    NetworkSettings: networkSettings(file),
  };
}

/** The configuration of the run: undefined where it has ended meanwhile, or keeps none. */
function specOf({ port, stateRoot }: Engine, { file, record }: ContainerView): Spec | undefined {
  if (record === undefined) return undefined;
  try {
    return containerSpec(port, { stateRoot, id: file.id });
  } catch (error) {
    if (error instanceof CaissonError) return undefined;
    throw error;
  }
}

function stateFields({ status, pid, run, exit }: ContainerView, health: Health | undefined): JsonValue {
  return {
    Status: status,
    // As docker has it: paused and restarting are running, too.
    Running: status === 'running' || status === 'paused' || status === 'restarting',
    Paused: status === 'paused',
    Restarting: status === 'restarting',
    OOMKilled: exit?.oom ?? false,
    Dead: status === 'dead',
    Pid: pid,
    ExitCode: exit?.code ?? 0,
    Error: exit?.error ?? '',
    StartedAt: run?.startedAt ?? ZERO_TIME,
    FinishedAt: exit?.time ?? ZERO_TIME,
    ...(health === undefined
      ? {}
      : {
          Health: {
            Status: health.status,
            FailingStreak: health.failingStreak,
            Log: health.log.map((each) => ({ ...each })),
          },
        }),
  };
}

function graphDriver({ id, stack, root }: ContainerFile, place: Bytes): JsonValue {
  const changes = root === 'host' ? `${place}/changes` : place;
  const lower = [...(stack?.layers ?? [])].reverse().map((layer) => `${stack?.directory}/${layer}`);
  const data =
    root === 'directory' || root === 'archive'
      ? null
      : {
          ID: id,
          LowerDir: root === 'host' ? '/' : lower.join(':'),
          MergedDir: `${place}/merged`,
          UpperDir: `${changes}/upper`,
          WorkDir: `${changes}/work`,
        };
  return { Data: data, Name: 'overlay2' };
}

const PROPAGATION = /^r?(?:private|shared|slave|unbindable)$/;

function mountFields({ type, name, source, destination, writable, options }: ContainerMount): JsonValue {
  const words = options.filter((word) => !['bind', 'rbind', 'ro', 'rw'].includes(word));
  return {
    Type: type,
    ...(name === undefined ? {} : { Name: name }),
    Source: source,
    Destination: destination,
    ...(type === 'volume' ? { Driver: 'local' } : {}),
    Mode: words.filter((word) => !PROPAGATION.test(word)).join(','),
    RW: writable,
    Propagation: words.find((word) => PROPAGATION.test(word)) ?? (type === 'bind' ? 'rprivate' : ''),
  };
}

function configFields(file: ContainerFile): JsonValue {
  const { id, flags, config, image, tty, openStdin, health, labels } = file;
  const entrypoint = entrypointOf(file);
  const exposed = config.ExposedPorts ?? [];
  return {
    Hostname: flags.hostname ?? id.slice(0, 12),
    Domainname: flags.domainname ?? '',
    User: flags.user ?? config.User ?? '',
    AttachStdin: flags.detach !== true && flags.interactive === true,
    AttachStdout: flags.detach !== true,
    AttachStderr: flags.detach !== true,
    ...(exposed.length === 0 ? {} : { ExposedPorts: Object.fromEntries(exposed.map((port) => [port, {}])) }),
    Tty: tty,
    OpenStdin: openStdin,
    StdinOnce: openStdin && flags.detach !== true,
    Env: environmentOf(file),
    Cmd: file.args.slice(entrypoint?.length ?? 0),
    ...(health === undefined
      ? {}
      : {
          Healthcheck: {
            Test: health.test,
            Interval: nanoseconds(health.interval),
            Timeout: nanoseconds(health.timeout),
            StartPeriod: nanoseconds(health.startPeriod),
            StartInterval: nanoseconds(health.startInterval),
            Retries: health.retries,
          },
        }),
    Image: image,
    Volumes:
      config.Volumes === undefined
        ? null
        : Object.fromEntries(Object.keys(config.Volumes).map((path) => [path, {}])),
    WorkingDir: flags.workdir ?? config.WorkingDir ?? '',
    Entrypoint: entrypoint,
    OnBuild: null,
    Labels: labels,
    StopSignal: signalName(file.stopSignal),
    StopTimeout: file.stopTimeout < 0 ? -1 : Math.round(file.stopTimeout / 1000),
  };
}

/** docker's durations; of milliseconds. */
function nanoseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1e6);
}

/** What stands before the command; null where there is nothing. */
export function entrypointOf({ flags, config }: ContainerFile): readonly Bytes[] | null {
  if (flags.entrypoint !== undefined) return flags.entrypoint === '' ? null : [flags.entrypoint];
  return config.Entrypoint ?? null;
}

function signalName(number: number): Bytes {
  return Object.entries(SIGNALS).find(([, value]) => value === number)?.[0] ?? String(number);
}

/** What was asked for, then what the image has and nobody has replaced. The values are shown, as docker does. */
export function environmentOf({ flags, config, environment, files }: ContainerFile): Bytes[] {
  const known = new Map(environment.map(pairOf));
  const contents = new Map(files);
  const lines = (flags.envFile ?? []).flatMap((path) =>
    (contents.get(path) ?? '').split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#')),
  );
  const found = new Map<Bytes, Bytes>();
  const removed = new Set<Bytes>();
  for (const text of [...lines, ...(flags.env ?? [])]) {
    const [name, value] = pairOf(text);
    const given = text.includes('=') ? value : known.get(name);
    if (given === undefined) removed.add(name);
    else found.set(name, given);
  }
  for (const [name, value] of (config.Env ?? []).map(pairOf))
    if (!found.has(name) && !removed.has(name)) found.set(name, value);
  return [...found].map(([name, value]) => `${name}=${value}`);
}

const NO_ADDRESS = {
  EndpointID: '',
  Gateway: '',
  GlobalIPv6Address: '',
  GlobalIPv6PrefixLen: 0,
  IPAddress: '',
  IPPrefixLen: 0,
  IPv6Gateway: '',
  MacAddress: '',
};

/** The fields that older clients read stand beside those of each network (API below 1.52). */
function networkSettings({ flags }: ContainerFile): JsonValue {
  return {
    Bridge: '',
    SandboxID: '',
    SandboxKey: '',
    Ports: {},
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    ...NO_ADDRESS,
    Networks: {
      [networkOf(flags.network)]: {
        IPAMConfig: null,
        Links: null,
        Aliases: null,
        DriverOpts: null,
        GwPriority: 0,
        NetworkID: '',
        ...NO_ADDRESS,
        DNSNames: null,
      },
    },
  };
}
