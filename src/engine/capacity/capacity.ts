// The arithmetic of admission: what a host has, who holds what of it, and whether one more fits.
import type { Bytes } from '../../linux/bytes.ts';
import { binarySize } from '../../runtime/oom.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Reservation, ReservationSources } from '../../spec/reservation.ts';

/** What there is to reserve. */
export interface Total extends Reservation {
  /** Cores that caisson may use; a limit of time makes it a fraction. */
  readonly cpus: number;
}

/** A container that runs, or is being started, with what it holds. */
export interface Holder extends Reservation {
  readonly id: Bytes;
  readonly name: Bytes | undefined;
}

/** What one kind of thing comes to. */
export interface Share {
  readonly total: number;
  readonly reserved: number;
  /** Negative where the host has become smaller since. */
  readonly free: number;
}

/** CPU units and memory of this machine: all, what is reserved and by whom, and what is free. */
export interface Capacity {
  readonly cpus: number;
  readonly units: Share;
  /** Bytes. */
  readonly memory: Share;
  readonly holders: readonly Holder[];
}

export function capacityOf(total: Total, holders: readonly Holder[]): Capacity {
  const share = (all: number, held: readonly number[]): Share => {
    const reserved = held.reduce((sum, amount) => sum + amount, 0);
    return { total: all, reserved, free: all - reserved };
  };
  return {
    cpus: total.cpus,
    units: share(
      total.cpuUnits,
      holders.map(({ cpuUnits }) => cpuUnits),
    ),
    memory: share(
      total.memory,
      holders.map(({ memory }) => memory),
    ),
    holders,
  };
}

/** One kind of thing that is not free, and the arithmetic of it. */
export interface Lack {
  readonly kind: keyof Reservation;
  readonly reason: string;
}

/** What a container wants and is not free; empty where it fits. */
export function lacking({ cpus, units, memory }: Capacity, wanted: Reservation): Lack[] {
  const found: Lack[] = [];
  if (wanted.cpuUnits > 0 && wanted.cpuUnits > units.free) {
    const free = `${Math.max(0, units.free)} free on ${cores(cpus)}`;
    found.push({ kind: 'cpuUnits', reason: `needs ${wanted.cpuUnits} of ${units.total} units, ${free}` });
  }
  if (wanted.memory > 0 && wanted.memory > memory.free) {
    const [needed, total, free] = [wanted.memory, memory.total, Math.max(0, memory.free)].map(binarySize);
    found.push({ kind: 'memory', reason: `needs ${needed} of ${total} of memory, ${free} free` });
  }
  return found;
}

/** `1 core`, `1.5 cores`. */
export function cores(cpus: number): string {
  return `${Math.round(cpus * 100) / 100} ${cpus === 1 ? 'core' : 'cores'}`;
}

/** So many holders are named in an error. */
const NAMED = 8;

/** The error for a container that does not fit; `sources` are the flags that ask for it. */
export function doesNotFit(
  { holders }: Capacity,
  lacks: readonly Lack[],
  sources: ReservationSources,
): CaissonError {
  const concerned = holders.filter((holder) => lacks.some(({ kind }) => holder[kind] > 0));
  const held = concerned.slice(0, NAMED).map((holder) => `${nameOf(holder)} holds ${amounts(holder)}`);
  const more = concerned.length > NAMED ? [`and ${concerned.length - NAMED} more`] : [];
  return new CaissonError(`the container does not fit: it ${lacks.map(({ reason }) => reason).join('; ')}`, {
    code: 'ECAPACITY',
    sources: lacks.flatMap(({ kind }) => sources[kind] ?? []),
    details: [...held, ...more, '`caisson system capacity` shows what there is'],
  });
}

/** What people call it. */
function nameOf({ id, name }: Pick<Holder, 'id' | 'name'>): Bytes {
  return name ?? id.slice(0, 12);
}

function amounts({ cpuUnits, memory }: Reservation): string {
  return [
    ...(cpuUnits === 0 ? [] : [`${cpuUnits} units`]),
    ...(memory === 0 ? [] : [`${binarySize(memory)} of memory`]),
  ].join(' and ');
}
