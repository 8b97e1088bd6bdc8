// What a container reserves of its host while it runs: CPU units (1024 per core, Amazon ECS) and memory.

/** At least one of the two is above 0. */
export interface Reservation {
  /** 1024 are one core; 0: none. */
  readonly cpuUnits: number;
  /** Bytes; 0: none. */
  readonly memory: number;
}

/** The flags that ask for each, in a person's words. */
export type ReservationSources = { readonly [Kind in keyof Reservation]?: string };

/** One core. */
export const UNITS_PER_CPU = 1024;

/** Whether a field of a record on disk is one. */
export function isReservation(value: unknown): value is Reservation {
  if (typeof value !== 'object' || value === null) return false;
  const { cpuUnits, memory } = value as { readonly cpuUnits?: unknown; readonly memory?: unknown };
  return isAmount(cpuUnits) && isAmount(memory);
}

function isAmount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
