// What --debug tells of a start, stage by stage, with runc's words for each: people search their logs for those.

import type { Bytes } from '../linux/bytes.ts';
import { cpuMask, parseCpuList } from '../linux/cpulist.ts';
import type { Log } from './log.ts';

const START: readonly string[] = [
  'the launcher is a sealed copy in memory (in runc: runc exeseal: using /proc/self/exe clone)',
  'namespaces and cgroups are made (in runc: nsexec container setup)',
  'the root is built and entered, privileges are given up (in runc: child process in init())',
];

/** `end` is the last stage. */
export function logStages(log: Log, end: 'create' | 'exec'): void {
  const last =
    end === 'exec'
      ? 'the program is executed (in runc: setns_init: about to exec)'
      : 'the container is there (in runc: init: closing the pipe to signal completion)';
  for (const stage of [...START, last]) log.debug(stage);
}

/** A step of a plan as it is played, `actor: title`, with runc's words for two of them. */
export function logStep(log: Pick<Log, 'debug'>, step: Bytes): void {
  log.debug(step);
  const flags = /: load a filter of \d+ instructions \(flags (\d+)\)$/.exec(step)?.[1];
  if (flags !== undefined) log.debug(`seccomp filter flags: ${flags}`);
  const cpus = /^parent: run on the CPUs (\S+) until /.exec(step)?.[1];
  if (cpus !== undefined)
    log.debug(`the CPUs before the cgroups (in runc: nsexec: affinity: ${maskOf(cpus)})`);
}

/** `0x` and the bits of a list of CPUs. */
function maskOf(cpus: Bytes): Bytes {
  const digits = [...cpuMask(parseCpuList(cpus))].reverse().map((byte) => byte.toString(16).padStart(2, '0'));
  return `0x${digits.join('').replace(/^0+(?=.)/, '')}`;
}
