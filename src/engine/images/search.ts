// `search`: repositories by a word, at Docker Hub or in the catalog of another registry.
import { type SearchResult, searchRegistry } from '../../distribution/search.ts';
import type { Port } from '../../host/port.ts';
import { CaissonError } from '../../spec/error.ts';
import { DEFAULT_DOMAIN, isShortName } from '../../spec/reference.ts';
import { loginHost } from './login.ts';
import { progressTo, registryConfiguration } from './registry.ts';
import type { Reporter } from './reporter.ts';

export interface SearchOptions {
  /** 1 to 100. */
  readonly limit: number;
  /** `is-official=true`, `stars=3`. */
  readonly filters: readonly string[];
}

/** `registry/word` asks that registry. Throws CaissonError `EUSAGE` for a filter that there is not. */
export async function searchImages(
  port: Port,
  text: string,
  { limit, filters }: SearchOptions,
  reporter: Reporter,
): Promise<SearchResult[]> {
  const slash = text.indexOf('/');
  const named = slash > 0 && !isShortName(text);
  const host = named ? loginHost(text.slice(0, slash)) : DEFAULT_DOMAIN;
  const tests = filters.map(filterOf);
  const configuration = await registryConfiguration(port);
  const found = await searchRegistry(
    configuration,
    host,
    named ? text.slice(slash + 1) : text,
    limit,
    progressTo(reporter),
  );
  return found.filter((result) => tests.every((test) => test(result)));
}

function filterOf(text: string): (result: SearchResult) => boolean {
  const stars = /^stars=([0-9]{1,9})$/.exec(text)?.[1];
  if (stars !== undefined) return (result) => result.stars >= Number(stars);
  const official = /^is-official=(true|false)$/.exec(text)?.[1];
  if (official !== undefined) return (result) => String(result.official) === official;
  throw new CaissonError(`invalid filter '${text}': there are is-official=true and stars=NUMBER`, {
    code: 'EUSAGE',
    exitCode: 1,
  });
}
