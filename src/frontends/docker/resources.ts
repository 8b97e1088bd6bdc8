// The cgroup limits of a container: memory, CPU, pids, block I/O, and raw cgroup v2 files.

import type { Bytes } from '../../linux/bytes.ts';
import type { LinuxDeviceCgroup, LinuxResources } from '../../spec/runtime-spec.ts';
import { compileBlockIO } from './block-io.ts';
import { requireController } from './controllers.ts';
import { compileCpu } from './cpu.ts';
import type { FrontendFacts } from './facts.ts';
import { invalidArgument } from './flag-error.ts';
import { compileMemory } from './memory.ts';
import { integerFlag } from './numbers.ts';
import type { Recorder } from './recorder.ts';
import type { RunFlags } from './run-flags.ts';

/** podman's default: a fork bomb stops here. */
export const PIDS_LIMIT = 2048;

/** `linux.resources`; a flag whose controller this user cannot use is refused by name. */
export function compileResources(
  flags: RunFlags,
  devices: readonly LinuxDeviceCgroup[],
  facts: FrontendFacts,
  recorder: Recorder,
): LinuxResources {
  const resources: { -readonly [K in keyof LinuxResources]: LinuxResources[K] } = {};
  if (devices.length > 0) resources.devices = devices;
  const memory = compileMemory(flags, facts, recorder);
  if (memory !== undefined) resources.memory = memory;
  const cpu = compileCpu(flags, facts, recorder);
  if (cpu !== undefined) resources.cpu = cpu;
  const pids = pidsLimit(flags, facts, recorder);
  if (pids !== undefined) resources.pids = { limit: pids };
  const blockIO = compileBlockIO(flags, facts, recorder);
  if (blockIO !== undefined) resources.blockIO = blockIO;
  const unified = unifiedKeys(flags, facts, recorder);
  if (unified !== undefined) resources.unified = unified;
  return resources;
}

function pidsLimit(flags: RunFlags, facts: FrontendFacts, recorder: Recorder): number | bigint | undefined {
  const text = flags.pidsLimit;
  if (text === undefined) return facts.cgroups.controllers.has('pids') ? PIDS_LIMIT : undefined;
  const limit = integerFlag('pids-limit', text);
  requireController('pids', 'pids-limit', text, facts);
  recorder.note('/linux/resources/pids', 'pids-limit', text);
  // docker's: 0 and below are unlimited.
  return limit > 0 ? limit : -1;
}

function unifiedKeys(
  flags: RunFlags,
  facts: FrontendFacts,
  recorder: Recorder,
): Readonly<Record<Bytes, Bytes>> | undefined {
  const texts = flags.cgroupConf ?? [];
  const [first] = texts;
  if (first === undefined) return undefined;
  requireController('unified', 'cgroup-conf', first, facts);
  const entries = texts.map((text): [Bytes, Bytes] => {
    const match = /^([a-z0-9_]+\.[A-Za-z0-9_.]+)=([^\0]+)$/.exec(text);
    if (match === null) throw invalidArgument('cgroup-conf', text, 'the form is FILE=VALUE, memory.high=64M');
    recorder.note(`/linux/resources/unified/${match[1]}`, 'cgroup-conf', text);
    return [match[1] as Bytes, match[2] as Bytes];
  });
  return Object.fromEntries(entries);
}
