// `container prune`: containers that do not run go, with what they have written.
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { tell } from '../events/tell.ts';
import { untilTime } from '../images/filter.ts';
import type { Engine } from './engine.ts';
import { hasLabel, splitFilter, type Test, unknownFilter } from './filter.ts';
import { containerSummaries, isUp } from './list.ts';
import { removeContainer } from './remove.ts';
import { containerSizes } from './size.ts';

export interface PrunedContainers {
  /** Ids. */
  readonly deleted: readonly Bytes[];
  /** Bytes that they had written. */
  readonly reclaimed: number;
}

/** Whether somebody else was quicker: it runs again, or is gone. */
function isOvertaken(error: unknown): boolean {
  return error instanceof CaissonError && (error.code === 'ECONFLICT' || error.code === 'ENOTFOUND');
}

/** `filters`: `label`, `label!`, `until`. Throws CaissonError `EUSAGE` for another one. Anonymous volumes stay (docker's). */
export async function pruneContainers(engine: Engine, filters: readonly Bytes[]): Promise<PrunedContainers> {
  const fits = compilePruneFilters(filters, Date.now());
  const chosen = (await containerSummaries(engine, { all: true })).filter(
    (each) => !each.bound && !isUp(each) && each.status !== 'removing' && fits(each),
  );
  const sizes = await containerSizes(engine, chosen);
  const deleted: Bytes[] = [];
  let reclaimed = 0;
  for (const { id } of chosen) {
    try {
      await removeContainer(engine, id, { force: false, volumes: false });
    } catch (error) {
      if (isOvertaken(error)) continue;
      throw error;
    }
    deleted.push(id);
    reclaimed += sizes.get(id)?.changes ?? 0;
  }
  tell(engine, { type: 'container', action: 'prune', id: '', attributes: { reclaimed: String(reclaimed) } });
  return { deleted, reclaimed };
}

function compilePruneFilters(filters: readonly Bytes[], now: number): Test {
  const tests = filters.map(splitFilter).map(({ name, value }): Test => {
    if (name === 'label') return hasLabel(value);
    if (name === 'label!') {
      const has = hasLabel(value);
      return (container) => !has(container);
    }
    if (name !== 'until') throw unknownFilter(name);
    const limit = untilTime(value, now);
    return ({ created }) => Date.parse(created) < limit;
  });
  return (container) => tests.every((test) => test(container));
}
