// A seccomp profile file: docker's form (archMap, includes, excludes, minKernel) or the specification's.

import type { Arch as NativeArch } from '../../linux/abi/index.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { Check, type Fields, isObject } from '../../spec/check.ts';
import { CaissonError } from '../../spec/error.ts';
import { type JsonValue, parseJson } from '../../spec/json.ts';
import type { LinuxSeccomp } from '../../spec/runtime-spec.ts';
import { checkSeccomp } from '../../spec/seccomp-check.ts';

/** What the conditions of docker's form are about. */
export interface SeccompTarget {
  readonly arch: NativeArch;
  readonly kernel: readonly [number, number];
  readonly capabilities: readonly Bytes[];
}

/** docker's names of architectures in includes and excludes (Go's). */
const GO_ARCH: Readonly<Record<NativeArch, Bytes>> = { x86_64: 'amd64', aarch64: 'arm64' };
const SCMP_ARCH: Readonly<Record<NativeArch, Bytes>> = {
  x86_64: 'SCMP_ARCH_X86_64',
  aarch64: 'SCMP_ARCH_AARCH64',
};

/** Reads the profile `text` of file `path` for `target`. Throws CaissonError: `path: /seccomp/...: what`. */
export function readSeccompFile(text: Bytes, path: Bytes, target: SeccompTarget): LinuxSeccomp {
  const document = parseJson(text, path);
  if (!isObject(document)) throw new CaissonError(`${path}: expected an object`, { code: 'EINVALIDSPEC' });
  const fields: Fields = { seccomp: toSpecification(document, target) };
  const check = new Check();
  checkSeccomp(fields, check);
  check.finish(path);
  if (fields.seccomp === undefined) {
    throw new CaissonError(`${path}: the profile is empty; use seccomp=unconfined for none`, {
      code: 'EINVALIDSPEC',
    });
  }
  // checkSeccomp looked at every field.
  return fields.seccomp as LinuxSeccomp;
}

function toSpecification(document: Fields, target: SeccompTarget): Fields {
  const { archMap, syscalls, ...rest } = document;
  const result: Fields = { ...rest };
  if (Array.isArray(archMap)) result.architectures = architectures(archMap, target.arch);
  if (Array.isArray(syscalls)) {
    result.syscalls = syscalls
      .filter((rule) => !isObject(rule) || applies(rule, target))
      .map((rule) => (isObject(rule) ? plainRule(rule) : rule));
  } else if (syscalls !== undefined) {
    result.syscalls = syscalls;
  }
  return result;
}

function architectures(archMap: readonly JsonValue[], arch: NativeArch): Bytes[] {
  const entry = archMap.find((each) => isObject(each) && each.architecture === SCMP_ARCH[arch]);
  const sub = isObject(entry) && Array.isArray(entry.subArchitectures) ? entry.subArchitectures : [];
  return [SCMP_ARCH[arch], ...sub.filter((each): each is Bytes => typeof each === 'string')];
}

/** A rule without docker's own fields; `name` is the oldest form. */
function plainRule(rule: Fields): Fields {
  const { name, includes: _includes, excludes: _excludes, comment: _comment, ...rest } = rule;
  return typeof name === 'string' && name !== '' ? { names: [name], ...rest } : rest;
}

/** Every condition of includes holds, and none of excludes. */
function applies(rule: Fields, target: SeccompTarget): boolean {
  const includes = conditions(rule.includes);
  const excludes = conditions(rule.excludes);
  if (includes.arches.length > 0 && !includes.arches.includes(GO_ARCH[target.arch])) return false;
  if (!includes.caps.every((cap) => target.capabilities.includes(cap))) return false;
  if (includes.minKernel !== undefined && !reaches(target.kernel, includes.minKernel)) return false;
  if (excludes.arches.includes(GO_ARCH[target.arch])) return false;
  if (excludes.caps.some((cap) => target.capabilities.includes(cap))) return false;
  return excludes.minKernel === undefined || !reaches(target.kernel, excludes.minKernel);
}

interface Conditions {
  readonly arches: readonly Bytes[];
  readonly caps: readonly Bytes[];
  readonly minKernel: Bytes | undefined;
}

function conditions(value: unknown): Conditions {
  const fields = isObject(value) ? value : {};
  const { minKernel } = fields;
  return {
    arches: texts(fields.arches),
    caps: texts(fields.caps),
    minKernel: typeof minKernel === 'string' && minKernel !== '' ? minKernel : undefined,
  };
}

function texts(value: unknown): Bytes[] {
  return Array.isArray(value) ? value.filter((item): item is Bytes => typeof item === 'string') : [];
}

function reaches([major, minor]: readonly [number, number], wanted: Bytes): boolean {
  const match = /^(\d{1,4})\.(\d{1,4})/.exec(wanted);
  if (match === null) return false;
  const wantedMajor = Number(match[1]);
  return major > wantedMajor || (major === wantedMajor && minor >= Number(match[2]));
}
