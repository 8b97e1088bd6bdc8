// Who holds what: computed from the records of containers that live, and kept nowhere else.
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { bootId, type ContainerRecord, isAlive, load } from '../../runtime/state.ts';
import { CaissonError } from '../../spec/error.ts';
import { type Capacity, capacityOf, type Holder } from './capacity.ts';
import { hostTotal } from './host-total.ts';

/** What there is, what is reserved and by whom, in this runtime directory. */
export function readCapacity(port: Port, stateRoot: Bytes, except?: Bytes): Capacity {
  return capacityOf(hostTotal(port), holders(port, stateRoot, except));
}

function holders(port: Port, stateRoot: Bytes, except: Bytes | undefined): Holder[] {
  return [...port.list(stateRoot)].sort().flatMap((id) => {
    if (id === except || id.startsWith('.')) return [];
    const record = readable(port, stateRoot, id);
    if (record?.reserved === undefined || !holds(port, record)) return [];
    return [{ id, name: record.name, ...record.reserved }];
  });
}

/** A damaged record is told of by others, and holds nothing. */
function readable(port: Port, stateRoot: Bytes, id: Bytes): ContainerRecord | undefined {
  try {
    return load(port, stateRoot, id);
  } catch (error) {
    if (error instanceof CaissonError) return undefined;
    throw error;
  }
}

/**
 * Whether its first process lives, or it is being started. One that lives with its command has no process of its own in the
 * record: it ends with command and launcher.
 */
function holds(port: Port, record: ContainerRecord): boolean {
  if (record.bootId !== bootId(port)) return false;
  const init = record.oci?.init;
  if (init !== undefined) return isAlive(port, init);
  return isAlive(port, record.keeper) || isAlive(port, record.launcher);
}
