// `--cpus`, `--cpu-*` and `--cpuset-*`, with docker's checks.

import type { LinuxCPU } from '../../spec/runtime-spec.ts';
import { exact, parseBillionths } from '../number.ts';
import { requireController } from './controllers.ts';
import type { FrontendFacts } from './facts.ts';
import { conflictingFlags, flagRefused, flagSource, invalidArgument } from './flag-error.ts';
import { integerFlag, numberListFlag } from './numbers.ts';
import type { Recorder } from './recorder.ts';
import { cpuUnits, MOST_SHARES } from './reservation.ts';
import type { RunFlags } from './run-flags.ts';

/** Microseconds: the kernel's default period, of which `--cpus` is a multiple. */
const PERIOD = 100_000;

type Draft = { -readonly [K in keyof LinuxCPU]: LinuxCPU[K] };

/** `linux.resources.cpu`; undefined when no flag asks for it. */
export function compileCpu(flags: RunFlags, facts: FrontendFacts, recorder: Recorder): LinuxCPU | undefined {
  const cpu: Draft = {};
  compileShares(cpu, flags, facts, recorder);
  compileCpus(cpu, flags, facts, recorder);
  compileQuota(cpu, flags, facts, recorder);
  compileCpuset(cpu, flags, facts, recorder);
  return Object.keys(cpu).length === 0 ? undefined : cpu;
}

function compileShares(cpu: Draft, flags: RunFlags, facts: FrontendFacts, recorder: Recorder): void {
  const text = flags.cpuShares;
  const units = cpuUnits(flags);
  if (units > 0) {
    if (text !== undefined)
      throw conflictingFlags(flagSource('cpu-units', flags.cpuUnits), flagSource('cpu-shares', text));
    requireController('cpu', 'cpu-units', flags.cpuUnits, facts);
    cpu.shares = Math.min(units, MOST_SHARES);
    recorder.note('/linux/resources/cpu/shares', 'cpu-units', flags.cpuUnits);
  }
  if (text === undefined) return;
  const shares = integerFlag('cpu-shares', text);
  if (shares < 0)
    throw flagRefused('cpu-shares', text, `invalid CPU shares (${text}): value must be a positive integer`);
  // docker's: 0 is "not set".
  if (shares === 0) return;
  requireController('cpu', 'cpu-shares', text, facts);
  cpu.shares = shares;
  recorder.note('/linux/resources/cpu/shares', 'cpu-shares', text);
}

function compileCpus(cpu: Draft, flags: RunFlags, facts: FrontendFacts, recorder: Recorder): void {
  const text = flags.cpus;
  if (text === undefined) return;
  const billionths = parseBillionths(text);
  if (billionths === undefined) {
    throw invalidArgument('cpus', text, `failed to parse ${text} as a rational number`);
  }
  if (billionths === 0n) return;
  if (billionths < 10_000_000n || billionths > BigInt(facts.cpuCount) * 1_000_000_000n) {
    const most = facts.cpuCount.toFixed(2);
    throw flagRefused(
      'cpus',
      text,
      `range of CPUs is from 0.01 to ${most}, as there are only ${facts.cpuCount} CPUs available`,
    );
  }
  for (const [name, other] of [
    ['cpu-period', flags.cpuPeriod],
    ['cpu-quota', flags.cpuQuota],
  ] as const) {
    if (other !== undefined) throw conflictingFlags(flagSource('cpus', text), flagSource(name, other));
  }
  requireController('cpu', 'cpus', text, facts);
  cpu.period = PERIOD;
  cpu.quota = exact((billionths * BigInt(PERIOD)) / 1_000_000_000n);
  recorder.note('/linux/resources/cpu/period', 'cpus', text);
  recorder.note('/linux/resources/cpu/quota', 'cpus', text);
}

function compileQuota(cpu: Draft, flags: RunFlags, facts: FrontendFacts, recorder: Recorder): void {
  if (flags.cpuPeriod !== undefined) {
    const period = integerFlag('cpu-period', flags.cpuPeriod);
    if (period !== 0) {
      if (period < 1000 || period > 1_000_000) {
        throw flagRefused(
          'cpu-period',
          flags.cpuPeriod,
          'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
        );
      }
      requireController('cpu', 'cpu-period', flags.cpuPeriod, facts);
      cpu.period = period;
      recorder.note('/linux/resources/cpu/period', 'cpu-period', flags.cpuPeriod);
    }
  }
  if (flags.cpuQuota === undefined) return;
  const quota = integerFlag('cpu-quota', flags.cpuQuota);
  if (quota === 0) return;
  if (quota > 0 && quota < 1000) {
    throw flagRefused('cpu-quota', flags.cpuQuota, 'CPU cfs quota can not be less than 1ms (i.e. 1000)');
  }
  requireController('cpu', 'cpu-quota', flags.cpuQuota, facts);
  cpu.quota = quota < 0 ? -1 : quota;
  recorder.note('/linux/resources/cpu/quota', 'cpu-quota', flags.cpuQuota);
}

function compileCpuset(cpu: Draft, flags: RunFlags, facts: FrontendFacts, recorder: Recorder): void {
  if (flags.cpusetCpus !== undefined && flags.cpusetCpus !== '') {
    const cpus = numberListFlag('cpuset-cpus', flags.cpusetCpus, 'cpuset cpus');
    if (cpus.some((number) => number >= facts.cpuCount)) {
      throw flagRefused(
        'cpuset-cpus',
        flags.cpusetCpus,
        `requested CPUs are not available - requested ${flags.cpusetCpus}, available: 0-${facts.cpuCount - 1}`,
      );
    }
    requireController('cpuset', 'cpuset-cpus', flags.cpusetCpus, facts);
    cpu.cpus = flags.cpusetCpus;
    recorder.note('/linux/resources/cpu/cpus', 'cpuset-cpus', flags.cpusetCpus);
  }
  if (flags.cpusetMems === undefined || flags.cpusetMems === '') return;
  numberListFlag('cpuset-mems', flags.cpusetMems, 'cpuset mems');
  requireController('cpuset', 'cpuset-mems', flags.cpusetMems, facts);
  cpu.mems = flags.cpusetMems;
  recorder.note('/linux/resources/cpu/mems', 'cpuset-mems', flags.cpusetMems);
}
