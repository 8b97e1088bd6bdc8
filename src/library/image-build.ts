// A build from a program: what `caisson build` takes as an object, and what it tells as events.
import type { Progress } from '../build/progress/progress.ts';
import type { BuildRequest } from '../engine/build/build.ts';
import type { Engine as OpenedEngine } from '../engine/containers/engine.ts';
import type { Reporter } from '../engine/images/reporter.ts';
import type { RunFlags } from '../frontends/docker/run-flags.ts';
import { bytesToUtf8, utf8ToBytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';
import { encoded } from './text.ts';

/** A step of a build begins, ends, or has written something. */
export interface BuildEvent {
  /** The same for all events of a step, from 1 on. */
  readonly step: number;
  readonly title: string;
  readonly kind: 'begin' | 'output' | 'done' | 'cached' | 'failed';
  /** What it has written, in pieces. */
  readonly text?: string;
  readonly stream?: 'stdout' | 'stderr';
}

/** What `build` takes: flags of `caisson build`. */
export interface BuildChoice {
  /** A directory of this machine, or the URL of a git repository or an archive. */
  readonly context: string;
  /** Default: `Dockerfile` in the context. */
  readonly file?: string;
  /** Names for the image. */
  readonly tags?: readonly string[];
  readonly target?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** `id=NAME,src=FILE`, as `--secret` has it. */
  readonly secrets?: readonly string[];
  readonly noCache?: boolean;
  /** `linux/arm64`; default: this machine's. */
  readonly platform?: string;
  /** Bases are looked for at their registries, whether they are in the store or not. */
  readonly pull?: boolean;
  readonly network?: 'none' | 'host';
  /** Limits of the containers of RUN, as flags of `run`. */
  readonly limits?: Pick<
    RunFlags,
    'memory' | 'memorySwap' | 'pidsLimit' | 'cpuShares' | 'cpusetCpus' | 'ulimit'
  >;
  readonly onEvent?: (event: BuildEvent) => void;
  /** Something that went wrong and does not end the build. */
  readonly onWarning?: (message: string) => void;
}

/** The result is the ID of the image. Throws CaissonError with line and column of the Dockerfile. */
export async function buildImage(engine: OpenedEngine, choice: BuildChoice): Promise<string> {
  const [{ build }, { withShop, wantedPlatform }, { bytesOf }] = await Promise.all([
    import('../engine/build/build.ts'),
    import('../engine/images/shop.ts'),
    import('../engine/library-run.ts'),
  ]);
  const { port, dataRoot } = engine;
  const request: BuildRequest = {
    ...requestOf(choice),
    platforms: [wantedPlatform(port, encoded(choice.platform))],
    flags: bytesOf(choice.limits ?? {}),
    stateRoot: engine.stateRoot,
  };
  const warn = (message: string) => choice.onWarning?.(bytesToUtf8(message));
  const progress = progressOf(choice, warn);
  const reporter: Reporter = { line: (text) => progress.begin(text).done(), part: () => undefined, warn };
  try {
    const built = await withShop(port, { dataRoot, reporter }, (shop) => build(shop, request, progress));
    if (built === undefined) throw new CaissonError('the build has no image', { code: 'EBUILD' });
    return built.id;
  } finally {
    progress.close();
  }
}

function requestOf(choice: BuildChoice): Omit<BuildRequest, 'platforms' | 'flags' | 'stateRoot'> {
  return {
    source: utf8ToBytes(choice.context),
    file: encoded(choice.file),
    target: choice.target ?? '',
    buildArguments: new Map(Object.entries(choice.buildArgs ?? {})),
    labels: new Map(Object.entries(choice.labels ?? {})),
    tags: (choice.tags ?? []).map(utf8ToBytes),
    secrets: (choice.secrets ?? []).map(utf8ToBytes),
    agents: [],
    noCache: choice.noCache === true,
    cacheFrom: [],
    cacheTo: [],
    contexts: [],
    allow: new Set(),
    noCacheFilter: [],
    pull: choice.pull === true ? 'always' : 'missing',
    network: choice.network ?? 'host',
    platformGiven: choice.platform !== undefined,
    outputs: [{ type: 'image', destination: '', names: [], compression: 'gzip', level: undefined }],
  };
}

function progressOf({ onEvent }: BuildChoice, warn: (message: string) => void): Progress {
  let count = 0;
  return {
    begin(bytes) {
      const common = { step: ++count, title: bytesToUtf8(bytes) };
      const tell = (kind: BuildEvent['kind']) => onEvent?.({ ...common, kind });
      const write = (stream: 1 | 2, text: string) =>
        onEvent?.({
          ...common,
          kind: 'output',
          text: bytesToUtf8(text),
          stream: stream === 1 ? 'stdout' : 'stderr',
        });
      tell('begin');
      return {
        output: write,
        note: (text) => write(2, `${text}\n`),
        done: () => tell('done'),
        cached: () => tell('cached'),
        failed: () => tell('failed'),
      };
    },
    warn,
    close: () => undefined,
  };
}
