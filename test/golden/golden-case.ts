// One golden case: a configuration on a host, what it is for, and the text of its plan or of its refusal.
import type { Arch } from '../../src/linux/abi/index.ts';
import { compile, type StartPlan } from '../../src/plan/compile.ts';
import type { CompileOptions } from '../../src/plan/compile/context.ts';
import type { HostFacts } from '../../src/plan/facts.ts';
import { directoryRoot } from '../../src/snapshot/directory-root.ts';
import { CaissonError } from '../../src/spec/error.ts';
import { hostFacts, type HostChoice } from './facts.ts';
import { baseSpec, type CgroupChoice, type Change, cgroupPlan } from './fixtures.ts';
import { planDifference, planLines, recordLines } from './plan-text.ts';

export interface GoldenCase extends HostChoice {
  /** The file name below plans/. */
  readonly name: string;
  /** What a reader of the plan is to look for. */
  readonly purpose: string;
  readonly change?: Change;
  readonly facts?: Partial<HostFacts>;
  readonly options?: Partial<CompileOptions>;
  readonly cgroup?: CgroupChoice;
  /** `difference` (the default) to the plan of the unchanged configuration on the same host. */
  readonly show?: 'difference' | 'full' | 'records';
  /** Beside the change, what is different in the plan that this one is compared with. */
  readonly against?: HostChoice;
  /** The plan is refused; the text is the error. */
  readonly refused?: boolean;
}

export function compileCase(one: GoldenCase): StartPlan {
  const rootless = one.rootless ?? false;
  const spec = (one.change ?? ((unchanged) => unchanged))(baseSpec(rootless));
  const cgroup = cgroupPlan(one.cgroup ?? 'none', spec, rootless);
  const plan = compile(
    spec,
    { ...hostFacts(one), ...one.facts },
    {
      id: 'golden',
      root: directoryRoot('/srv/rootfs', '/root/path'),
      ...(cgroup === undefined ? {} : { cgroup }),
      ...one.options,
    },
  );
  // Played in a batch of its own, when the program runs.
  return { ...plan, steps: [...plan.steps, ...(plan.monitor?.((slot) => slot) ?? [])] };
}

/** The same host and cgroups with the configuration as it is. */
function compileBase(one: GoldenCase): StartPlan {
  const { change: _change, options: _options, facts: _facts, ...host } = one;
  return compileCase({ ...host, ...one.against });
}

/** The text of the case's file. */
export function goldenText(one: GoldenCase): string {
  return `# ${one.purpose}\n\n${body(one).join('\n')}\n`;
}

function body(one: GoldenCase): string[] {
  if (one.refused) return refusal(one);
  const plan = compileCase(one);
  const showSecrets = one.options?.showSecrets ?? false;
  const arch: Arch = one.arch ?? 'x86_64';
  if (one.show === 'records') return recordLines(plan, arch);
  const lines = planLines(plan, showSecrets);
  return one.show === 'full' ? lines : planDifference(planLines(compileBase(one), showSecrets), lines);
}

function refusal(one: GoldenCase): string[] {
  try {
    compileCase(one);
  } catch (error) {
    if (error instanceof CaissonError) return [`${error.code}: ${error.message}`, ...error.provenance];
    throw error;
  }
  return ['(not refused)'];
}
