// Lists of a registry, page by page: tags of a repository, repositories of a registry.

import { bytesToUtf8, fromArray } from '../linux/bytes.ts';
import { isObject } from '../spec/check.ts';
import { CaissonError } from '../spec/error.ts';
import { type JsonValue, parseJson } from '../spec/json.ts';
import type { EndpointClient } from './endpoint-client.ts';
import type { Response } from './http/response.ts';
import { nextLink } from './http/response-headers.ts';

export interface ListRequest {
  /** Below `/v2/`. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly scopes: readonly string[];
  readonly what: string;
  /** 404 is an empty list: the first page is undefined then. */
  readonly mayBeMissing?: boolean;
}

export interface Page {
  readonly value: JsonValue;
  readonly response: Response;
}

const PAGE_SIZE = 1000;

/** Names beyond this are not asked for: nobody reads them, and a hostile registry has no end. */
export const NAMES_LIMIT = 100_000;

const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*$/;

/**
 * The pages of a list: `Link` headers of the relation `next` are followed at the registry's own origin only. Throws
 * CaissonError `EREDIRECT` for one that leads elsewhere, `ELIST` for a list without an end.
 */
export async function* pagesOf(
  client: EndpointClient,
  list: ListRequest,
): AsyncGenerator<Page, void, undefined> {
  const seen = new Set<string>();
  let target: string | URL = list.target;
  for (let count = 0; count < client.limits.pages; count++) {
    const response = await client.send({
      method: 'GET',
      target,
      headers: { Accept: 'application/json', ...list.headers },
      scopes: list.scopes,
      what: list.what,
      accept: list.mayBeMissing === true && count === 0 ? [200, 404] : [200],
    });
    if (response.status === 404) {
      await response.discard();
      return;
    }
    const text = fromArray(await response.bytes(client.limits.pageBytes));
    yield { value: parseJson(text, list.what), response };
    const next = nextLink(response.headers('link'));
    if (next === undefined) return;
    target = client.follow(next, response, 'next page');
    if (seen.has(target.href)) throw endless(client, list);
    seen.add(target.href);
  }
  throw endless(client, list);
}

/** The tags of a repository, in the registry's order. What is no tag is left out. */
export async function listTags(client: EndpointClient): Promise<string[]> {
  const { repository } = client.endpoint;
  return names(client, 'tags', TAG, {
    target: `${repository}/tags/list?n=${PAGE_SIZE}`,
    scopes: [`repository:${repository}:pull`],
    what: `tags of ${repository}`,
  });
}

/** The repositories of a registry that gives such a list (its catalog is no part of the OCI specification). */
export async function listRepositories(client: EndpointClient): Promise<string[]> {
  return names(client, 'repositories', REPOSITORY, {
    target: `_catalog?n=${PAGE_SIZE}`,
    scopes: ['registry:catalog:*'],
    what: 'catalog',
  });
}

async function names(
  client: EndpointClient,
  field: string,
  grammar: RegExp,
  list: ListRequest,
): Promise<string[]> {
  const found = new Set<string>();
  for await (const { value } of pagesOf(client, list)) {
    const items = isObject(value) ? value[field] : undefined;
    if (items !== null && items !== undefined && !Array.isArray(items)) {
      throw new CaissonError(`${list.what} (${client.endpoint.host}): the list is malformed`, {
        code: 'ELIST',
      });
    }
    for (const item of (items ?? []) as readonly JsonValue[]) {
      if (typeof item === 'string' && item.length <= 255 && grammar.test(item)) found.add(bytesToUtf8(item));
      if (found.size > NAMES_LIMIT) throw endless(client, list);
    }
  }
  return [...found];
}

function endless(client: EndpointClient, list: ListRequest): CaissonError {
  return new CaissonError(`${list.what} (${client.endpoint.host}): the list has no end`, { code: 'ELIST' });
}
