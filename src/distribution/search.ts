// Searching for repositories: Docker Hub's own search, and the catalog of other registries.

import { bytesToUtf8, fromArray } from '../linux/bytes.ts';
import { isObject } from '../spec/check.ts';
import { CaissonError } from '../spec/error.ts';
import { parseJson } from '../spec/json.ts';
import { DEFAULT_DOMAIN } from '../spec/reference.ts';
import type { RegistryConfiguration } from './configuration/configuration.ts';
import { isInsecureHost } from './configuration/places.ts';
import { endpointOf } from './endpoint.ts';
import { EndpointClient } from './endpoint-client.ts';
import { oneLine } from './http/redaction.ts';
import { listRepositories } from './lists.ts';
import type { Progress } from './progress.ts';
import { surroundingsFor } from './registry.ts';

export interface SearchResult {
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly official: boolean;
}

const HUB_SEARCH = 'https://index.docker.io/v1/search';

/**
 * Repositories whose name or description contains `term`, at most `limit` (docker: 1 to 100). Throws CaissonError
 * `ENOTFOUND` for a registry that has no catalog, and what a connection throws.
 */
export async function searchRegistry(
  configuration: RegistryConfiguration,
  host: string,
  term: string,
  limit: number,
  report: Progress,
): Promise<readonly SearchResult[]> {
  const endpoint = endpointOf(host, '', isInsecureHost(configuration.registries, host));
  const around = surroundingsFor(configuration, [endpoint], report);
  const client = new EndpointClient(endpoint, around);
  try {
    if (host === DEFAULT_DOMAIN) return await searchHub(client, term, limit);
    const wanted = term.toLowerCase();
    const names = (await listRepositories(client)).filter((name) => name.includes(wanted));
    return names
      .sort()
      .slice(0, limit)
      .map((name) => ({ name: `${host}/${name}`, description: '', stars: 0, official: false }));
  } finally {
    around.waits.close();
    around.transport.close();
  }
}

async function searchHub(
  client: EndpointClient,
  term: string,
  limit: number,
): Promise<readonly SearchResult[]> {
  const url = new URL(HUB_SEARCH);
  url.searchParams.set('q', term);
  url.searchParams.set('n', String(limit));
  const response = await client.send({
    method: 'GET',
    target: url,
    headers: { Accept: 'application/json' },
    scopes: [],
    what: `search for ${oneLine(term, 80)}`,
    accept: [200],
  });
  const value = parseJson(fromArray(await response.bytes(client.limits.pageBytes)), 'search');
  const results = isObject(value) && Array.isArray(value.results) ? value.results : undefined;
  if (results === undefined)
    throw new CaissonError('docker.io answers something else than results', { code: 'ELIST' });
  return results.slice(0, limit).flatMap((each: unknown) => resultOf(each) ?? []);
}

/** What strangers wrote is shown in a terminal: control characters are taken out. */
function resultOf(value: unknown): SearchResult | undefined {
  if (!isObject(value) || typeof value.name !== 'string') return undefined;
  const description =
    typeof value.description === 'string' ? oneLine(bytesToUtf8(value.description), 1000) : '';
  const stars = typeof value.star_count === 'number' ? value.star_count : 0;
  return {
    name: oneLine(bytesToUtf8(value.name), 255),
    description,
    stars,
    official: value.is_official === true,
  };
}
