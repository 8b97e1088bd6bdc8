// Masked and read-only paths: what of /proc and /sys a container does not see or change.

import type { Bytes } from '../../linux/bytes.ts';
import { MASKED_PATHS, READONLY_PATHS } from '../../spec/defaults.ts';
import { pathDepth } from './mount-paths.ts';
import type { Recorder, Sourced } from './recorder.ts';
import type { SecurityOptions } from './security-options.ts';

/** More than runc's example: side channels of power and interrupts (GHSA-jq35, GHSA-6fw5). */
const FURTHER: readonly Bytes[] = ['/proc/interrupts', '/sys/devices/virtual/powercap'];

/** Hosts have thousands of CPUs at most; each has its own thermal_throttle. */
const CPU_MAXIMUM = 8192;

/** The two lists of the specification. */
export interface Masks {
  readonly maskedPaths: readonly Bytes[];
  readonly readonlyPaths: readonly Bytes[];
}

/** Both lists for a container on a host with `cpuCount` CPUs; empty when nothing is to be masked. */
export function compileMasks(
  options: SecurityOptions,
  privileged: boolean,
  cpuCount: number,
  recorder: Recorder,
): Masks {
  const open = privileged || options.systemPathsUnconfined !== undefined;
  if (options.systemPathsUnconfined?.source !== undefined) {
    recorder.noteSource('/linux/maskedPaths', options.systemPathsUnconfined.source);
    recorder.noteSource('/linux/readonlyPaths', options.systemPathsUnconfined.source);
  }
  const unmasked = options.unmask.map(({ value }) => value);
  const kept = (path: Bytes): boolean =>
    !unmasked.some((each) => path === each || path.startsWith(`${each}/`));
  const masked: Sourced<Bytes>[] = open
    ? []
    : defaultMasks(cpuCount)
        .filter(kept)
        .map((value) => ({ value }));
  for (const extra of options.mask)
    if (!masked.some(({ value }) => value === extra.value)) masked.push(extra);
  masked.sort((a, b) => pathDepth(a.value) - pathDepth(b.value));
  for (const { value, source } of options.unmask) {
    if (source !== undefined && [...defaultMasks(cpuCount), ...READONLY_PATHS].includes(value)) {
      recorder.noteSource('/linux/maskedPaths', source);
    }
  }
  return {
    maskedPaths: recorder.array('/linux/maskedPaths', masked),
    readonlyPaths: open ? [] : READONLY_PATHS.filter(kept),
  };
}

function defaultMasks(cpuCount: number): Bytes[] {
  const throttles = Array.from(
    { length: Math.min(cpuCount, CPU_MAXIMUM) },
    (_, cpu) => `/sys/devices/system/cpu/cpu${cpu}/thermal_throttle`,
  );
  return [...MASKED_PATHS, ...FURTHER, ...throttles];
}
