// `--memory` and its relatives, with docker's checks.

import type { Int64, LinuxMemory } from '../../spec/runtime-spec.ts';
import { exact, INT64_MAX, parseInteger } from '../number.ts';
import { requireController } from './controllers.ts';
import type { FrontendFacts } from './facts.ts';
import { flagRefused, invalidArgument } from './flag-error.ts';
import { sizeFlag } from './numbers.ts';
import type { Recorder } from './recorder.ts';
import type { RunFlagName, RunFlags } from './run-flags.ts';

/** docker's: with less, nothing starts. */
const MINIMUM = 6 * 1024 * 1024;

/** `linux.resources.memory`; undefined when no flag asks for it. */
export function compileMemory(
  flags: RunFlags,
  facts: FrontendFacts,
  recorder: Recorder,
): LinuxMemory | undefined {
  const memory: { -readonly [K in keyof LinuxMemory]: LinuxMemory[K] } = {};
  const limit = size('memory', flags.memory);
  const reservation = size('memory-reservation', flags.memoryReservation);
  if (limit !== undefined) {
    if (limit < MINIMUM) throw flagRefused('memory', flags.memory, 'minimum memory limit allowed is 6MB');
    requireController('memory', 'memory', flags.memory, facts);
    memory.limit = limit;
    recorder.note('/linux/resources/memory/limit', 'memory', flags.memory);
  }
  if (reservation !== undefined) {
    if (limit !== undefined && limit < reservation) {
      throw flagRefused(
        'memory-reservation',
        flags.memoryReservation,
        'minimum memory limit can not be less than memory reservation limit, see usage',
      );
    }
    requireController('memory', 'memory-reservation', flags.memoryReservation, facts);
    memory.reservation = reservation;
    recorder.note('/linux/resources/memory/reservation', 'memory-reservation', flags.memoryReservation);
  }
  const swap = compileSwap(flags, limit, facts, recorder);
  if (swap !== undefined) memory.swap = swap;
  const swappiness = compileSwappiness(flags, facts, recorder);
  if (swappiness !== undefined) memory.swappiness = swappiness;
  if (disablesOomKiller(flags, facts, recorder)) memory.disableOOMKiller = true;
  return Object.keys(memory).length === 0 ? undefined : memory;
}

/** docker's: 0 is "not set". */
function size(name: RunFlagName, text: string | undefined): Int64 | undefined {
  if (text === undefined) return undefined;
  const value = sizeFlag(name, text);
  return value === 0 ? undefined : value;
}

/** Memory plus swap. Unset it is twice the memory, as docker's; -1 is unlimited. */
function compileSwap(
  flags: RunFlags,
  limit: Int64 | undefined,
  facts: FrontendFacts,
  recorder: Recorder,
): Int64 | undefined {
  const text = flags.memorySwap;
  const asked = text === '-1' ? -1 : size('memory-swap', text);
  if (asked === undefined) {
    if (limit === undefined || !facts.cgroups.swap) return undefined;
    recorder.note('/linux/resources/memory/swap', 'memory', flags.memory);
    const doubled = BigInt(limit) * 2n;
    return exact(doubled > INT64_MAX ? INT64_MAX : doubled);
  }
  if (limit === undefined && asked !== -1) {
    throw flagRefused(
      'memory-swap',
      text,
      'you should always set the Memory limit when using Memoryswap limit, see usage',
    );
  }
  if (limit !== undefined && asked !== -1 && asked < limit) {
    throw flagRefused(
      'memory-swap',
      text,
      'minimum memoryswap limit should be larger than memory limit, see usage',
    );
  }
  requireController('memory', 'memory-swap', text, facts);
  if (!facts.cgroups.swap) {
    recorder.warn('your kernel does not support swap limit capabilities; memory limited without swap');
    return undefined;
  }
  recorder.note('/linux/resources/memory/swap', 'memory-swap', text);
  return asked;
}

function compileSwappiness(flags: RunFlags, facts: FrontendFacts, recorder: Recorder): number | undefined {
  const text = flags.memorySwappiness;
  if (text === undefined || text === '-1') return undefined;
  const value = parseInteger(text);
  if (value === undefined) throw invalidArgument('memory-swappiness', text, 'not a whole number');
  if (value < 0 || value > 100) {
    throw flagRefused(
      'memory-swappiness',
      text,
      `invalid value: ${text}, valid memory swappiness range is 0-100`,
    );
  }
  requireController('memory', 'memory-swappiness', text, facts);
  if (facts.cgroups.version === 'v2') {
    recorder.warn('cgroup v2 has no memory swappiness; --memory-swappiness is discarded');
    return undefined;
  }
  recorder.note('/linux/resources/memory/swappiness', 'memory-swappiness', text);
  return Number(value);
}

function disablesOomKiller(flags: RunFlags, facts: FrontendFacts, recorder: Recorder): boolean {
  if (flags.oomKillDisable !== true) return false;
  requireController('memory', 'oom-kill-disable', undefined, facts);
  if (facts.cgroups.version === 'v2') {
    recorder.warn('cgroup v2 cannot disable the OOM killer; --oom-kill-disable is discarded');
    return false;
  }
  if (flags.memory === undefined) {
    recorder.warn('OOM killer is disabled for the container, but no memory limit is set: the host may hang');
  }
  recorder.note('/linux/resources/memory/disableOOMKiller', 'oom-kill-disable');
  return true;
}
