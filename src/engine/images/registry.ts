// The registries that commands speak to: configuration, short names, and what they tell on the way.
import {
  loadRegistryConfiguration,
  type RegistryConfiguration,
} from '../../distribution/configuration/configuration.ts';
import { candidatesOf } from '../../distribution/configuration/places.ts';
import { rateLimitText } from '../../distribution/http/response-headers.ts';
import type { Progress } from '../../distribution/progress.ts';
import { openRegistry, type Registry } from '../../distribution/registry.ts';
import type { Port } from '../../host/port.ts';
import { CaissonError } from '../../spec/error.ts';
import { canonical, parseReference, type Reference } from '../../spec/reference.ts';
import type { Reporter } from './reporter.ts';

/** Throws CaissonError `EREGISTRIESCONF` where registries.conf is wrong. */
export async function registryConfiguration(port: Port): Promise<RegistryConfiguration> {
  return await loadRegistryConfiguration(port);
}

/** Fewer requests than these are worth a word. */
const FEW_LEFT = 10;

/** What the client tells, as warnings; bytes are counted where they are stored. */
export function progressTo(reporter: Reporter): Progress {
  return (event) => {
    switch (event.kind) {
      case 'retry': {
        const tries = `attempt ${event.attempt + 1} of ${event.attempts}`;
        reporter.warn(`${event.what}: ${event.why}; ${tries} in ${event.seconds.toFixed(1)} s`);
        break;
      }
      case 'next':
        reporter.warn(`${event.failed}: ${event.why}; trying ${event.next}`);
        break;
      case 'warning':
        reporter.warn(event.text);
        break;
      case 'rate-limit':
        if ((event.limit.remaining ?? FEW_LEFT) < FEW_LEFT)
          reporter.warn(`rate limit of ${event.host}: ${rateLimitText(event.limit)}`);
        break;
      case 'bytes':
        break;
    }
  };
}

/** Does `work` with the registry of a reference. */
export async function withRegistry<T>(
  configuration: RegistryConfiguration,
  reference: Reference,
  access: 'pull' | 'push',
  reporter: Reporter,
  work: (registry: Registry) => Promise<T>,
): Promise<T> {
  const registry = openRegistry(configuration, reference, access, progressTo(reporter));
  try {
    return await work(registry);
  } finally {
    registry.close();
  }
}

/** Errors after which the next registry of a short name is asked. */
const NOT_HERE = ['ENOTFOUND', 'EDENIED'];

/**
 * Does `work` with the first registry that has what a person named: a short name may mean several (registries.conf).
 * Throws what the last one answers, `ESHORTNAME` where a person must choose.
 */
export async function atItsRegistry<T>(
  configuration: RegistryConfiguration,
  text: string,
  reporter: Reporter,
  work: (registry: Registry, reference: Reference) => Promise<T>,
): Promise<T> {
  const { references, isAmbiguous } = candidatesOf(configuration.registries, text);
  if (isAmbiguous) {
    throw new CaissonError(`${text} may be ${references.map(canonical).join(' or ')}`, {
      code: 'ESHORTNAME',
      details: ['write the name with its registry; registries.conf says short-name-mode = "enforcing"'],
    });
  }
  for (const [at, reference] of references.entries()) {
    try {
      return await withRegistry(configuration, reference, 'pull', reporter, (registry) =>
        work(registry, reference),
      );
    } catch (error) {
      const last = at === references.length - 1;
      if (last || !(error instanceof CaissonError) || !NOT_HERE.includes(error.code)) throw error;
    }
  }
  throw new CaissonError(`${text}: no registry to ask`, { code: 'ESHORTNAME' });
}

/** The reference that is pushed: a short name is docker.io's, whatever is searched for pulls. */
export function pushReference(text: string): Reference {
  return parseReference(text);
}
