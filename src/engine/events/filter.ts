// `--filter` of `events`, as docker has it: of one name any may fit, of several names all must.
import type { Bytes } from '../../linux/bytes.ts';
import { hasLabel, splitFilter, unknownFilter } from '../containers/filter.ts';
import type { EngineEvent } from './read.ts';

type Test = (event: EngineEvent) => boolean;

/** Whether an event fits. Throws CaissonError `EUSAGE` for a filter that is none. */
export function compileEventFilters(filters: readonly Bytes[]): Test {
  const groups = new Map<Bytes, Test[]>();
  for (const { name, value } of filters.map(splitFilter))
    groups.set(name, [...(groups.get(name) ?? []), testFor(name, value)]);
  const all = [...groups.entries()];
  return (event) =>
    all.every(([name, tests]) =>
      // Labels must all be there.
      name === 'label' ? tests.every((test) => test(event)) : tests.some((test) => test(event)),
    );
}

function testFor(name: Bytes, value: Bytes): Test {
  switch (name) {
    case 'type':
      return ({ type }) => type === value;
    case 'event':
      // `exec_create` means all of `exec_create: COMMAND`.
      return ({ action }) => action === value || action.startsWith(`${value}: `);
    case 'container':
    case 'volume':
    case 'network':
    case 'builder':
      return (event) => event.type === name && isCalled(event, value);
    case 'image':
      return (event) => (event.type === 'image' ? isCalled(event, value) : event.attributes.image === value);
    case 'label': {
      const has = hasLabel(value);
      return ({ attributes }) => has({ labels: attributes });
    }
    case 'scope':
      return ({ scope }) => scope === value;
    case 'daemon':
    case 'plugin':
    case 'node':
    case 'service':
    case 'secret':
    case 'config':
      return () => false;
    default:
      throw unknownFilter(name);
  }
}

function isCalled({ id, attributes }: EngineEvent, text: Bytes): boolean {
  return id === text || attributes.name === text || (/^[0-9a-f]{6,}$/.test(text) && id.startsWith(text));
}
