// `caisson build`.

import type { BuildRequest } from '../../engine/build/build.ts';
import { parseCachePlace } from '../../engine/build/cache-flag.ts';
import { parseNamedContext } from '../../engine/build/named-contexts.ts';
import { parseOutput } from '../../engine/build/output-flag.ts';
import { wantedPlatform } from '../../engine/images/shop.ts';
import type { RunFlags } from '../../frontends/docker/run-flags.ts';
import { boolean, type Flag, list, value } from '../../frontends/flag.ts';
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { platformName } from '../../spec/platform-match.ts';
import { buildProgress } from '../build-progress.ts';
import { type Command, flagList, flagOn, flagText, type Parsed } from '../command.ts';
import type { Context } from '../context.ts';
import { ending, inShop, warningsOnly } from '../image-shop.ts';
import { stateRoot } from '../state-root.ts';

const FLAGS: readonly Flag[] = [
  list('add-host', 'Add a custom host-to-IP mapping (format: "host:ip")'),
  list('allow', 'Allow extra privileged entitlement (e.g., "host.files", "security.insecure")'),
  list('build-arg', 'Set build-time variables'),
  list('build-context', 'Additional build contexts (e.g., name=path)'),
  list('cache-from', 'External cache sources (e.g., "type=registry,ref=user/app:cache")'),
  list('cache-to', 'Cache export destinations (e.g., "type=registry,ref=user/app:cache,mode=max")'),
  value('cpu-period', 'Limit the CPU CFS (Completely Fair Scheduler) period', { takes: 'int' }),
  value('cpu-quota', 'Limit the CPU CFS (Completely Fair Scheduler) quota', { takes: 'int' }),
  value('cpu-shares', 'CPU shares (relative weight)', { short: 'c', takes: 'int' }),
  value('cpuset-cpus', 'CPUs in which to allow execution (0-3, 0,1)'),
  value('file', 'Name of the Dockerfile (default: "PATH/Dockerfile")', { short: 'f', completes: 'file' }),
  value('iidfile', 'Write the image ID to a file', { completes: 'file' }),
  list('label', 'Set metadata for an image'),
  value('memory', 'Memory limit', { short: 'm', takes: 'bytes' }),
  value('memory-swap', "Swap limit equal to memory plus swap: '-1' to enable unlimited swap", {
    takes: 'bytes',
  }),
  value('network', 'Set the networking mode for the "RUN" instructions during build', {
    fallback: 'host',
    completes: ['host', 'none'],
  }),
  boolean('no-cache', 'Do not use cache when building the image'),
  list('no-cache-filter', 'Do not cache specified stages'),
  list('output', 'Output destination (format: "type=local,dest=path")', { short: 'o' }),
  value('pids-limit', 'Tune the pids limit of commands (set -1 for unlimited)', {
    takes: 'int',
    fallback: '2048',
  }),
  value('platform', 'Set target platforms for build (e.g., "linux/amd64,linux/arm64")'),
  value('progress', 'Set type of progress output', {
    fallback: 'auto',
    completes: ['auto', 'plain', 'tty', 'quiet'],
  }),
  boolean('pull', 'Always attempt to pull all referenced images'),
  boolean('quiet', 'Suppress the build output and print image ID on success', { short: 'q' }),
  list('secret', 'Secret to expose to the build (format: "id=token[,src=/local/secret]")'),
  value('shm-size', 'Shared memory size for build containers', { takes: 'bytes' }),
  list(
    'ssh',
    'SSH agent socket or keys to expose to the build (format: "default|<id>[=<socket>|<key>[,<key>]]")',
  ),
  list('tag', 'Image identifier (format: "[registry/]repository[:tag]")', { short: 't' }),
  value('target', 'Set the target build stage to build'),
  list('ulimit', 'Ulimit options', { takes: 'ulimit' }),
];

export const command: Command = {
  name: 'build',
  summary: 'Build an image from a Dockerfile',
  usage: '[OPTIONS] PATH | URL | -',
  description:
    'The Dockerfile is understood as BuildKit does. Each RUN is a container of caisson; stages that do not depend on each\n' +
    'other are built side by side. With - the Dockerfile, or a tar archive of the context, comes from standard input.',
  examples: [
    'caisson build -t app .',
    'caisson build --target test --progress plain --build-arg VERSION=2 .',
    'caisson build --secret id=npmrc,src=$HOME/.npmrc -o type=local,dest=out .',
  ],
  flags: FLAGS,
  arguments: [1, 1],
  completes: 'directory',
  run: ending(async (parsed, context) => {
    const quiet = flagOn(parsed, 'quiet');
    const request = requestOf(parsed, context);
    const progress = buildProgress(context, quiet ? 'quiet' : (flagText(parsed, 'progress') ?? 'auto'));
    const { build } = await import('../../engine/build/build.ts');
    try {
      const built = await inShop(context, (shop) => build(shop, request, progress), {
        ...warningsOnly(context),
        line: (text) => progress.begin(text).done(),
      });
      progress.close();
      const iidfile = flagText(parsed, 'iidfile');
      if (built === undefined) return;
      if (iidfile !== undefined) writeIdFile(context, iidfile, built.id);
      if (quiet) context.out(built.id);
    } catch (error) {
      progress.close();
      throw error;
    }
  }),
};

function writeIdFile({ port }: Context, path: Bytes, id: string): void {
  port.replaceFile(path.startsWith('/') ? path : `${port.cwd}/${path}`, id, 0o644);
}

/** Flags of `caisson run` that RUN takes over. */
const LIMITS = {
  addHost: 'add-host',
  cpuPeriod: 'cpu-period',
  cpuQuota: 'cpu-quota',
  cpuShares: 'cpu-shares',
  cpusetCpus: 'cpuset-cpus',
  memory: 'memory',
  memorySwap: 'memory-swap',
  pidsLimit: 'pids-limit',
  shmSize: 'shm-size',
  ulimit: 'ulimit',
} as const;

function limitsOf(parsed: Parsed): RunFlags {
  const given = Object.entries(LIMITS).flatMap(([name, flag]) => {
    const found = parsed.flags.get(flag);
    return found === undefined ? [] : [[name, found] as const];
  });
  return Object.fromEntries(given) as RunFlags;
}

function requestOf(parsed: Parsed, context: Context): BuildRequest {
  const { port } = context;
  const [source] = parsed.positionals as [Bytes];
  const platform = flagText(parsed, 'platform');
  const outputs = flagList(parsed, 'output').map(parseOutput);
  return {
    source,
    file: flagText(parsed, 'file'),
    target: bytesToUtf8(flagText(parsed, 'target') ?? ''),
    buildArguments: buildArguments(context, flagList(parsed, 'build-arg')),
    labels: new Map(flagList(parsed, 'label').map(labelOf)),
    tags: flagList(parsed, 'tag'),
    secrets: flagList(parsed, 'secret'),
    agents: flagList(parsed, 'ssh'),
    noCache: flagOn(parsed, 'no-cache'),
    contexts: flagList(parsed, 'build-context').map(parseNamedContext),
    cacheFrom: flagList(parsed, 'cache-from').map((text) => parseCachePlace('cache-from', text)),
    cacheTo: flagList(parsed, 'cache-to').map((text) => parseCachePlace('cache-to', text)),
    allow: new Set(flagList(parsed, 'allow').map(privilegeOf)),
    noCacheFilter: flagList(parsed, 'no-cache-filter').flatMap((text) =>
      bytesToUtf8(text).toLowerCase().split(','),
    ),
    pull: flagOn(parsed, 'pull') ? 'always' : 'missing',
    network: networkOf(flagText(parsed, 'network') ?? 'host'),
    platforms: platformsOf(port, platform),
    platformGiven: platform !== undefined,
    outputs:
      outputs.length > 0
        ? outputs
        : [{ type: 'image', destination: '', names: [], compression: 'gzip', level: undefined }],
    flags: limitsOf(parsed),
    stateRoot: stateRoot(context),
  };
}

/** `linux/amd64,linux/arm64`, each once. */
function platformsOf(port: Context['port'], text: Bytes | undefined): BuildRequest['platforms'] {
  const wanted = (text ?? '').split(',').map((one) => wantedPlatform(port, one));
  return [...new Map(wanted.map((one) => [platformName(one), one])).values()];
}

/** `NAME=value`, or `NAME` of the caller's environment; SOURCE_DATE_EPOCH of it always. */
function buildArguments({ port }: Context, texts: readonly Bytes[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const own = (name: Bytes) =>
    port.environment.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
  const epoch = own('SOURCE_DATE_EPOCH');
  if (epoch !== undefined && epoch !== '') found.set('SOURCE_DATE_EPOCH', bytesToUtf8(epoch));
  for (const text of texts) {
    const equals = text.indexOf('=');
    const name = equals < 0 ? text : text.slice(0, equals);
    if (name === '')
      throw new CaissonError(`invalid --build-arg ${text}: the name is missing`, { code: 'EUSAGE' });
    const value = equals < 0 ? own(name) : text.slice(equals + 1);
    if (value !== undefined) found.set(bytesToUtf8(name), bytesToUtf8(value));
  }
  return found;
}

/** BuildKit's entitlements, and one for the files of this machine. */
const PRIVILEGES: readonly Bytes[] = ['host.files', 'network.host', 'security.insecure'];

function privilegeOf(text: Bytes): Bytes {
  if (PRIVILEGES.includes(text)) return text;
  throw new CaissonError(`invalid --allow ${text}: must be one of ${PRIVILEGES.join(', ')}`, {
    code: 'EUSAGE',
  });
}

function labelOf(text: Bytes): [string, string] {
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  if (name === '') throw new CaissonError(`invalid --label ${text}: the name is missing`, { code: 'EUSAGE' });
  return [bytesToUtf8(name), equals < 0 ? '' : bytesToUtf8(text.slice(equals + 1))];
}

function networkOf(text: Bytes): 'none' | 'host' {
  if (text === 'none' || text === 'host') return text;
  if (text === 'default') return 'host';
  throw new CaissonError(
    utf8ToBytes(`invalid --network ${text}: host or none, until networks come (issue 6)`),
    {
      code: 'EUSAGE',
    },
  );
}
