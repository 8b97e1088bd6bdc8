// `--cpu-units` and `--memory-reservation`: what a container reserves, and the weight that its units are.

import type { Reservation, ReservationSources } from '../../spec/reservation.ts';
import { flagSource } from './flag-error.ts';
import { sizeFlag, smallIntegerFlag } from './numbers.ts';
import type { RunFlags } from './run-flags.ts';

/** The kernel's least and most shares (v1; cgroup v2 converts the same range): ECS has the same least. */
export const LEAST_SHARES = 2;
export const MOST_SHARES = 262_144;

/** More units than the largest host has: 8192 cores. */
const MOST_UNITS = 8192 * 1024;

/** The units that are asked for; 0: none. Throws CaissonError `EUSAGE`. */
export function cpuUnits({ cpuUnits: text }: Pick<RunFlags, 'cpuUnits'>): number {
  if (text === undefined) return 0;
  const reason = `CPU units are a whole number from ${LEAST_SHARES} to ${MOST_UNITS}: 1024 are one core`;
  return smallIntegerFlag('cpu-units', text, LEAST_SHARES, MOST_UNITS, reason);
}

/**
 * What flags reserve; undefined for nothing. As in ECS memory is what `--memory-reservation` says, or of a container with
 * units that has none, its limit. Throws CaissonError `EUSAGE`.
 */
export function reservationOf(flags: RunFlags): Reservation | undefined {
  const units = cpuUnits(flags);
  const memory = Number(memoryFlag(flags, units > 0));
  return units === 0 && memory === 0 ? undefined : { cpuUnits: units, memory };
}

function memoryFlag({ memory, memoryReservation }: RunFlags, hasUnits: boolean): number | bigint {
  const reserved = memoryReservation === undefined ? 0 : sizeFlag('memory-reservation', memoryReservation);
  if (reserved !== 0 || !hasUnits || memory === undefined) return reserved;
  return sizeFlag('memory', memory);
}

/** The flags behind it, for a person who reads that it does not fit. */
export function reservationSources(flags: RunFlags): ReservationSources {
  const { cpuUnits: units, memory, memoryReservation } = flags;
  const reserving = memoryReservation === undefined ? flagSource('memory', memory) : undefined;
  return {
    ...(units === undefined ? {} : { cpuUnits: flagSource('cpu-units', units) }),
    memory: reserving ?? flagSource('memory-reservation', memoryReservation),
  };
}
