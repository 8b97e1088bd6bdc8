// `--filter` of lists of containers, as docker has them: of one name any may fit (labels all), of several names all must.
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Engine } from './engine.ts';
import { noSuchContainer } from './find.ts';
import type { ContainerSummary } from './summary.ts';

/** Whether a container fits. */
export type Test = (container: ContainerSummary) => boolean;

/** What filters say. */
export interface ContainerFilter {
  readonly fits: Test;
  /** They ask for containers that do not run, without `--all`. */
  readonly all: boolean;
}

const STATUSES: readonly Bytes[] = [
  'created',
  'running',
  'paused',
  'restarting',
  'removing',
  'exited',
  'dead',
];
const HEALTH: readonly Bytes[] = ['starting', 'healthy', 'unhealthy', 'none'];
const PORT = /^[0-9]{1,5}(?:-[0-9]{1,5})?(?:\/(?:tcp|udp|sctp))?$/;
/** All of a label's filters must fit; of any other name one is enough. */
const ALL_MUST_FIT: readonly Bytes[] = ['label', 'label!'];

interface Asked {
  readonly name: Bytes;
  readonly value: Bytes;
}

/**
 * Compiles filters for these containers. Throws CaissonError `EUSAGE` in docker's words for an unknown one or a value
 * that is none, `ENOTFOUND` for a container that `before` or `since` name.
 */
export async function compileFilters(
  engine: Engine,
  filters: readonly Bytes[],
  containers: readonly ContainerSummary[],
): Promise<ContainerFilter> {
  const groups = new Map<Bytes, Test[]>();
  const asked = filters.map(splitFilter);
  for (const [index, one] of asked.entries()) {
    const test = one.name === 'ancestor' ? await ancestor(engine, one.value) : testFor(one, containers);
    const key = ALL_MUST_FIT.includes(one.name) ? `${one.name}${index}` : one.name;
    groups.set(key, [...(groups.get(key) ?? []), test]);
  }
  const all = [...groups.values()];
  return {
    fits: (container) => all.every((tests) => tests.some((test) => test(container))),
    all: asked.some(({ name }) => name === 'status'),
  };
}

/** `name=value`. Throws CaissonError `EUSAGE`. */
export function splitFilter(filter: Bytes): Asked {
  const equals = filter.indexOf('=');
  if (equals < 0)
    throw new CaissonError(`invalid argument "${filter}" for "-f, --filter" flag: invalid filter`, {
      code: 'EUSAGE',
    });
  const name = filter.slice(0, equals).trim().toLowerCase();
  return { name, value: filter.slice(equals + 1).trim() };
}

function testFor({ name, value }: Asked, containers: readonly ContainerSummary[]): Test {
  switch (name) {
    case 'id':
      return ({ id }) => id.startsWith(value);
    case 'name':
      return named(value);
    case 'label':
      return hasLabel(value);
    case 'exited':
      return exited(value);
    case 'status': {
      if (!STATUSES.includes(value)) throw invalid(name, value);
      return ({ status }) => status === value;
    }
    case 'health': {
      if (!HEALTH.includes(value)) throw invalid(name, value);
      return ({ health }) => (health ?? 'none') === value;
    }
    case 'before':
    case 'since': {
      const { created } = named1(containers, value);
      return (each) => (name === 'before' ? each.created < created : each.created > created);
    }
    case 'volume':
      return ({ mounts, volumes }) =>
        volumes.includes(value) ||
        mounts.some((mount) => [mount.name, mount.source, mount.destination].includes(value));
    case 'network':
      return ({ network }) => network === value;
    case 'publish':
    case 'expose':
      if (!PORT.test(value)) throw invalid(name, value);
      // Containers have no ports of their own before there are networks: none fits.
      return () => false;
    case 'is-task': {
      if (!/^(?:true|false|0|1)$/.test(value)) throw invalid(name, value);
      // Tasks are Swarm's.
      return () => value === 'false' || value === '0';
    }
    default:
      throw unknownFilter(name);
  }
}

/** docker: a regular expression, or a part of the name. */
function named(value: Bytes): Test {
  const text = value.replace(/^\^?\//, (start) => (start.startsWith('^') ? '^' : ''));
  let pattern: RegExp | undefined;
  try {
    pattern = new RegExp(text);
  } catch {
    pattern = undefined;
  }
  return ({ name }) => name === text || name.includes(text) || pattern?.test(name) === true;
}

/** `key`, or `key=value`. */
export function hasLabel(text: Bytes): (labelled: Pick<ContainerSummary, 'labels'>) => boolean {
  const equals = text.indexOf('=');
  const key = equals < 0 ? text : text.slice(0, equals);
  return ({ labels }) => {
    const found = Object.hasOwn(labels, key) ? labels[key] : undefined;
    return found !== undefined && (equals < 0 || found === text.slice(equals + 1));
  };
}

function exited(value: Bytes): Test {
  if (!/^-?[0-9]{1,9}$/.test(value)) throw invalid('exited', value);
  const code = Number(value);
  return ({ exit, status }) => status === 'exited' && exit?.code === code;
}

function named1(containers: readonly ContainerSummary[], text: Bytes): ContainerSummary {
  const name = text.startsWith('/') ? text.slice(1) : text;
  const found =
    containers.find((each) => each.id === name || each.name === name) ??
    containers.find(({ id }) => name !== '' && id.startsWith(name));
  if (found === undefined) throw noSuchContainer(text);
  return found;
}

/** Those of an image, and of images that were made upon it. One that is in no store is known by its name. */
async function ancestor(engine: Engine, text: Bytes): Promise<Test> {
  const { familiar, parseReference } = await import('../../spec/reference.ts');
  const familiarOrSame = (name: Bytes): Bytes => {
    try {
      return familiar(parseReference(name));
    } catch {
      return name;
    }
  };
  const name = familiarOrSame(text);
  const [{ withShop, imagesOf }, { findImage }, { SILENT }] = await Promise.all([
    import('../images/shop.ts'),
    import('../images/stored-image.ts'),
    import('../images/reporter.ts'),
  ]);
  const { port, dataRoot } = engine;
  const image = await withShop(port, { dataRoot, reporter: SILENT }, async (shop) => {
    try {
      return findImage(await imagesOf(shop), text)?.image;
    } catch (error) {
      if (error instanceof CaissonError && error.code === 'EREFERENCE') return undefined;
      throw error;
    }
  });
  const top = image?.chains.at(-1)?.replace(/^[^:]*:/, '');
  return (container) =>
    familiarOrSame(container.image) === name ||
    (image !== undefined && container.imageId === image.id) ||
    (top !== undefined && container.layers.some((layer) => layer.includes(top)));
}

/** docker's error. */
export function unknownFilter(name: Bytes): CaissonError {
  return new CaissonError(`invalid filter '${name}'`, { code: 'EUSAGE', exitCode: 1 });
}

function invalid(name: Bytes, value: Bytes): CaissonError {
  return new CaissonError(`invalid filter '${name}=[${value}]'`, { code: 'EUSAGE', exitCode: 1 });
}
