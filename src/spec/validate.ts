// From the bytes of a configuration to a checked Spec: every problem with its JSON pointer, before anything runs.

import type { Bytes } from '../linux/bytes.ts';
import { checkAnnotation } from './annotation-check.ts';
import { Check, type Fields, isObject, quote, type Warning } from './check.ts';
import { CaissonError } from './error.ts';
import { checkHooks } from './hook-check.ts';
import { type JsonValue, parseJson, parseJsonNatively } from './json.ts';
import { checkLinux } from './linux-check.ts';
import type { LinuxResources } from './linux-resources.ts';
import { checkMount } from './mount-check.ts';
import { checkNamespaces, type Namespaces } from './namespace-check.ts';
import { checkProcess } from './process-check.ts';
import { checkResources } from './resource-check.ts';
import type { Process, Spec } from './runtime-spec.ts';
import { hostNameRule, pathRule } from './text-rules.ts';

export type { Warning } from './check.ts';

/** The version of the runtime specification that these checks know. */
export const OCI_VERSION = '1.3.0';

/** semver.org, section 2, without the numbered groups. */
const SEMVER =
  /^(\d+)\.(\d+)\.\d+(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/;
const MINOR = 3;

/** Larger files are refused before they are parsed. */
const BYTES_MAX = 16 << 20;

/** A configuration that passed, and what its author should know (the runtime logs it: runtime.md, Warnings). */
export interface CheckedSpec {
  readonly spec: Spec;
  readonly warnings: readonly Warning[];
}

/**
 * Parses and checks config.json, given as its bytes. Accepts what runc or crun accept (unknown fields, `null`,
 * numbers as -1) and refuses what the specification or the kernel would refuse later, less clearly.
 *
 * Throws CaissonError `EINVALIDSPEC`: the message is the first problem, as `config.json: /process/cwd: ...`;
 * details are the others, provenance the pointers of all. JSON errors begin `config.json:LINE:COLUMN:`.
 */
export function parseSpec(text: Bytes, source = 'config.json'): CheckedSpec {
  return parsed(text, source, checkSpec, checkedSpec);
}

/**
 * Checks a parsed configuration; throws as parseSpec. It takes the value over: `null` and empty optional strings
 * are removed from it, absent process.user and the like are filled in (Go's zero values), nothing is copied.
 */
export function validateSpec(value: unknown, source = 'config.json'): CheckedSpec {
  return checked(value, source, checkSpec, checkedSpec);
}

function checkedSpec(spec: Spec, warnings: readonly Warning[]): CheckedSpec {
  return { spec, warnings };
}

/** Parses and checks a lone `process` object: `exec --process FILE`. Throws as parseSpec; pointers begin at it. */
export function parseProcess(
  text: Bytes,
  source: string,
): { process: Process; warnings: readonly Warning[] } {
  return parsed(text, source, checkProcess, (process: Process, warnings) => ({
    process,
    warnings,
  }));
}

/** Parses and checks a lone `linux.resources` object: `update --resources FILE`. Throws as parseSpec. */
export function parseResources(
  text: Bytes,
  source: string,
): { resources: LinuxResources; warnings: readonly Warning[] } {
  return parsed(text, source, checkResources, (resources: LinuxResources, warnings) => ({
    resources,
    warnings,
  }));
}

function parse(text: Bytes, source: string): JsonValue {
  if (text.length > BYTES_MAX) {
    throw new CaissonError(`${source}: ${text.length} bytes; at most ${BYTES_MAX} are read`, {
      code: 'EINVALIDSPEC',
    });
  }
  try {
    return parseJson(text, source);
  } catch (error) {
    if (!(error instanceof CaissonError)) throw error;
    throw new CaissonError(error.message, { code: 'EINVALIDSPEC', provenance: [''], cause: error });
  }
}

/**
 * Most configurations are right and have no long integers: the quickest parser does for them. Whatever is not so is
 * parsed and checked again, exactly.
 */
function parsed<T, R>(
  text: Bytes,
  source: string,
  check: (fields: Fields, c: Check) => void,
  result: (value: T, warnings: readonly Warning[]) => R,
): R {
  const quick = text.length > BYTES_MAX ? undefined : parseJsonNatively(text);
  if (isObject(quick)) {
    const c = new Check();
    c.names(quick);
    check(quick, c);
    if (!c.isDoubtful) return result(quick as T, c.warnings);
  }
  return checked(parse(text, source), source, check, result);
}

function checked<T, R>(
  value: unknown,
  source: string,
  check: (fields: Fields, c: Check) => void,
  result: (value: T, warnings: readonly Warning[]) => R,
): R {
  const c = new Check();
  if (isObject(value)) {
    c.names(value);
    check(value, c);
  } else c.fail(undefined, 'expected an object');
  c.finish(source);
  // Every field of T was looked at; what the checks let through has T's shape.
  return result(value as T, c.warnings);
}

function checkSpec(spec: Fields, c: Check): void {
  checkVersion(spec, c);
  const linux = spec.linux;
  let namespaces: Namespaces = { own: new Set(), joined: new Set() };
  c.object(spec, 'linux', (fields) => {
    namespaces = checkNamespaces(fields, c);
    checkLinux(fields, namespaces, c);
  });
  if (linux === undefined || linux === null)
    c.warn('linux', 'is absent: the container shares all namespaces of the host');
  c.object(spec, 'process', checkProcess);
  checkRoot(spec, c);
  for (const key of ['hostname', 'domainname']) {
    const name = c.textOrNothing(spec, key, hostNameRule);
    if (name !== undefined && !namespaces.own.has('uts'))
      c.fail(key, 'needs a uts namespace in /linux/namespaces');
  }
  c.objects(spec, 'mounts', (mount) => checkMount(mount, namespaces, c));
  c.object(spec, 'hooks', checkHooks);
  c.entries(spec, 'annotations', (map, key) => checkAnnotation(map, key, c));
}

function checkVersion(spec: Fields, c: Check): void {
  c.require(spec, 'ociVersion');
  const version = c.text(spec, 'ociVersion');
  if (version === undefined) return;
  const match = SEMVER.exec(version);
  if (match === null) {
    c.fail('ociVersion', `${quote(version)} is not a version such as "${OCI_VERSION}"`);
  } else if (match[1] !== '1') {
    c.fail('ociVersion', `${quote(version)} is not a version 1 of the runtime specification`);
  } else if (Number(match[2]) > MINOR) {
    c.warn('ociVersion', `${quote(version)} is newer than ${OCI_VERSION}: what is new in it is ignored`);
  }
}

function checkRoot(spec: Fields, c: Check): void {
  c.require(spec, 'root');
  c.object(spec, 'root', (root) => {
    c.require(root, 'path');
    c.text(root, 'path', pathRule);
    c.boolean(root, 'readonly');
  });
}
