// `caisson plan`.

import { type CompileRunOptions, compileDockerRun } from '../../engine/docker-run.ts';
import { boolean, value } from '../../frontends/flag.ts';
import { type Bytes, utf8ToBytes } from '../../linux/bytes.ts';
import type { StartPlan } from '../../plan/compile.ts';
import { planJson } from '../../plan/json.ts';
import { printPlan } from '../../plan/print.ts';
import { readBundle } from '../../runtime/bundle.ts';
import { type Prepared, prepare } from '../../runtime/prepare.ts';
import type { Pointer } from '../../spec/error.ts';
import { type Command, flagOn, flagText, type Parsed } from '../command.ts';
import type { Context } from '../context.ts';
import { usageError } from '../grammar.ts';
import { stateRoot } from '../state-root.ts';
import { CONTAINER_FLAGS, dockerRunOf } from './run-shape.ts';

const GROUP = { group: 'Plan Options' };
/** What `--bundle` goes with. */
const BUNDLE_FLAGS = ['bundle', 'calls', 'json', 'sh', 'show-secrets'];

export const command: Command = {
  name: 'plan',
  summary: 'Show every step of a start, and start nothing',
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]\n        caisson plan --bundle DIR [--calls|--json|--sh]',
  description:
    'Steps in order, each with the configuration field or the flag that caused it. Values of environment\n' +
    'variables are masked unless --show-secrets is given.',
  examples: [
    'caisson plan host true',
    'caisson plan --calls --volume /srv:/srv:ro host ls /srv',
    'caisson plan --bundle . --sh',
  ],
  flags: [
    value('bundle', 'Plan the start of the OCI bundle in DIR', {
      takes: 'DIR',
      completes: 'directory',
      ...GROUP,
    }),
    boolean('calls', 'Show the system calls of each step', GROUP),
    boolean('json', 'Print the plan as JSON', GROUP),
    boolean('sh', 'Print a shell script that does nearly the same by hand', GROUP),
    ...CONTAINER_FLAGS,
  ],
  arguments: [0, Number.POSITIVE_INFINITY],
  stopsAtPositional: true,
  completes: ['host'],
  run: async (parsed, context) => {
    const form = planForm(parsed);
    const bundle = flagText(parsed, 'bundle');
    const planned =
      bundle === undefined ? await planRun(parsed, context) : planBundle(bundle, parsed, context);
    for (const warning of planned.warnings) context.warn(warning);
    context.out((await printed(planned, form, parsed, context)).replace(/\n$/, ''));
    return 0;
  },
};

type Form = 'steps' | 'calls' | 'json' | 'sh';

interface Planned {
  readonly prepared: Prepared;
  readonly plan: StartPlan;
  readonly sources: ReadonlyMap<Pointer, string>;
  readonly warnings: readonly string[];
}

function planForm(parsed: Parsed): Form {
  const [first, second] = (['calls', 'json', 'sh'] as const).filter((name) => flagOn(parsed, name));
  if (first !== undefined && second !== undefined) {
    throw usageError('plan', `conflicting options: --${first} and --${second}`);
  }
  return first ?? 'steps';
}

/** A launcher reads the container's passwd; nothing else is started, and nothing stays. */
async function planRun(parsed: Parsed, context: Context): Promise<Planned> {
  const { port } = context;
  const run = await dockerRunOf('plan', parsed, context);
  const stateDirectory = `${stateRoot(context)}/${run.id}`;
  const channel = await port.openChannel();
  try {
    const monitor = flagOn(parsed, 'detach') ? await monitorOf(context, run.id) : {};
    const { compiled, prepared, close } = await compileDockerRun(port, channel, run, stateDirectory, monitor);
    await close();
    const warnings = [...compiled.warnings, ...prepared.warnings];
    return { prepared, plan: whole(prepared.plan), sources: compiled.sources, warnings };
  } finally {
    await channel.close();
    port.remove(stateDirectory);
  }
}

/** With --detach the launcher becomes a monitor. */
async function monitorOf(context: Context, id: Bytes): Promise<Pick<CompileRunOptions, 'monitor'>> {
  const [{ monitorOptions }, { containerEngine }] = await Promise.all([
    import('../../engine/containers/monitor-plan.ts'),
    import('../container-engine.ts'),
  ]);
  const engine = await containerEngine(context);
  return {
    monitor: (settings) => {
      const { log, health } = settings;
      const file = { id, log, ...(health === undefined ? {} : { health }) };
      return monitorOptions(engine, { file, number: 1, exitDelay: 0 }, settings);
    },
  };
}

/** What is played in a batch of its own at the end is a part of the plan. */
function whole(plan: StartPlan): StartPlan {
  return { ...plan, steps: [...plan.steps, ...(plan.monitor?.((slot) => slot) ?? [])] };
}

function planBundle(directory: Bytes, parsed: Parsed, { port }: Context): Planned {
  if (parsed.positionals.length > 0)
    throw usageError('plan', 'with --bundle there is neither image nor command');
  const other = [...parsed.flags.keys()].find((name) => !BUNDLE_FLAGS.includes(name));
  if (other !== undefined) throw usageError('plan', `conflicting options: --bundle and --${other}`);
  const absolute = directory.startsWith('/') ? directory : `${port.cwd}/${directory}`;
  const { spec, warnings } = readBundle(port, absolute);
  const prepared = prepare(port, spec, { id: 'plan', dieWithParent: true });
  return { prepared, plan: prepared.plan, sources: new Map(), warnings: [...warnings, ...prepared.warnings] };
}

async function printed(planned: Planned, form: Form, parsed: Parsed, context: Context): Promise<Bytes> {
  const { prepared, plan, sources } = planned;
  const showSecrets = flagOn(parsed, 'show-secrets');
  if (form === 'sh') {
    const { planShell } = await import('../../plan/shell.ts');
    return planShell(prepared.spec, { plan, facts: prepared.facts, showSecrets });
  }
  if (form === 'json') return planJson(plan, { arch: context.port.arch, showSecrets, sources, indent: '  ' });
  return utf8ToBytes(printPlan(plan, { showSecrets, sources, calls: form === 'calls' }));
}
