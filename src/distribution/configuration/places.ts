// Where a reference is looked for, by registries.conf: mirrors first, then the registry; and what a short name may mean.

import { CaissonError } from '../../spec/error.ts';
import {
  canonical,
  DEFAULT_DOMAIN,
  isShortName,
  parseNamed,
  parseReference,
  type Reference,
} from '../../spec/reference.ts';
import { type Endpoint, endpointOf } from '../endpoint.ts';
import type { RegistriesConf, RegistryRule } from './registries-conf.ts';

/** The rule with the longest matching prefix; undefined where there is none. */
export function ruleFor(conf: RegistriesConf, name: string): RegistryRule | undefined {
  let best: { rule: RegistryRule; length: number } | undefined;
  for (const rule of conf.rules) {
    const length = matchLength(rule.prefix, name);
    if (length !== undefined && length > (best?.length ?? 0)) best = { rule, length };
  }
  return best?.rule;
}

/** How much of `name` the prefix covers; it ends where a part of the name ends. */
function matchLength(prefix: string, name: string): number | undefined {
  if (!prefix.startsWith('*.')) {
    const next = name.charAt(prefix.length);
    return name.startsWith(prefix) && (next === '' || '/:@'.includes(next)) ? prefix.length : undefined;
  }
  const host = /^[^/:@]*/.exec(name)?.[0] ?? '';
  const domain = prefix.slice(1);
  return host.length > domain.length && host.endsWith(domain) ? host.length : undefined;
}

/**
 * The places from which a reference is read, in their order. Throws CaissonError `EBLOCKED` for a registry that the
 * configuration blocks.
 */
export function placesToPull(conf: RegistriesConf, ref: Reference): readonly Endpoint[] {
  const rule = ruleFor(conf, canonical(ref));
  if (rule === undefined) return [endpointOf(ref.domain, ref.path, isInsecureHost(conf, ref.domain))];
  refuseBlocked(rule, ref);
  const use = ref.digest === undefined ? 'tag-only' : 'digest-only';
  const mirrors = rule.mirrors
    .filter((mirror) => mirror.use === 'all' || mirror.use === use)
    .map(({ location, insecure }) => relocated(rule, ref, location, insecure, true));
  return [...mirrors, relocated(rule, ref, rule.location, rule.insecure, false)];
}

/** The place to which a reference is written: the registry itself, without mirrors or another location. */
export function placeToPush(conf: RegistriesConf, ref: Reference): Endpoint {
  const rule = ruleFor(conf, canonical(ref));
  if (rule !== undefined) refuseBlocked(rule, ref);
  return endpointOf(ref.domain, ref.path, rule?.insecure ?? false);
}

/** Whether TLS to a registry (`host[:port]`) is not checked, for requests that concern no repository. */
export function isInsecureHost(conf: RegistriesConf, host: string): boolean {
  return ruleFor(conf, host)?.insecure ?? false;
}

function relocated(
  rule: RegistryRule,
  ref: Reference,
  location: string,
  insecure: boolean,
  isMirror: boolean,
): Endpoint {
  const name = canonical(ref);
  const covered = matchLength(rule.prefix, name) ?? 0;
  const moved = location === '' ? name : location + name.slice(covered);
  // Not by the grammar of references, for which a host without a dot would be a user of docker.io.
  const slash = moved.indexOf('/');
  if (slash < 0) throw unusable(rule, location);
  const path = moved
    .slice(slash + 1)
    .replace(/@.*$/, '')
    .replace(/:[^/]*$/, '');
  return endpointOf(moved.slice(0, slash), path, insecure, isMirror);
}

function unusable(rule: RegistryRule, location: string): CaissonError {
  return new CaissonError(
    `registries.conf: ${location} in place of ${rule.prefix} leaves no name of a repository`,
    {
      code: 'EREGISTRIESCONF',
    },
  );
}

function refuseBlocked(rule: RegistryRule, ref: Reference): void {
  if (!rule.blocked) return;
  throw new CaissonError(`${canonical(ref)}: registries.conf blocks ${rule.prefix}`, { code: 'EBLOCKED' });
}

/** What a name may mean. */
export interface Candidates {
  /** To be tried in this order. */
  readonly references: readonly Reference[];
  /** More than one registry is searched and the mode wants a person to choose. */
  readonly isAmbiguous: boolean;
}

/**
 * The references that a name stands for. One with a registry is itself; a short name is its alias, else a name at each of
 * the unqualified-search-registries, else docker.io's. Throws CaissonError `EREFERENCE`, `ESHORTNAME`.
 */
export function candidatesOf(conf: RegistriesConf, text: string): Candidates {
  const plain = parseReference(text);
  if (!isShortName(text)) return { references: [plain], isAmbiguous: false };
  const { tag, digest } = plain;
  const target = { ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
  const name = text.replace(/@.*$/, '').replace(/:[^/]*$/, '');
  const alias = conf.aliases.get(name);
  if (alias !== undefined && alias !== '') {
    const { domain, path } = parseNamed(alias);
    return { references: [{ domain, path, ...target }], isAmbiguous: false };
  }
  const registries = conf.search ?? [DEFAULT_DOMAIN];
  if (registries.length === 0) {
    throw new CaissonError(`${text}: the name has no registry, and registries.conf searches none`, {
      code: 'ESHORTNAME',
      details: [`write it with its registry, as in docker.io/${name}`],
    });
  }
  const references = registries.map((registry) => ({
    domain: registry,
    path: registry === DEFAULT_DOMAIN ? plain.path : name,
    ...target,
  }));
  return { references, isAmbiguous: registries.length > 1 && conf.shortNameMode === 'enforcing' };
}
