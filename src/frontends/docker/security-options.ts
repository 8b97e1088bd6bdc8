// `--security-opt`: what its many forms say.

import type { Bytes } from '../../linux/bytes.ts';
import { parseBoolean } from '../number.ts';
import { flagRefused, flagSource, invalidArgument } from './flag-error.ts';
import type { Sourced } from './recorder.ts';
import type { RunFlags } from './run-flags.ts';

/** All of `--security-opt` together; an absent part was not asked for. */
export interface SecurityOptions {
  readonly noNewPrivileges?: Sourced<boolean>;
  /** `unconfined`, `builtin`, or the path of a profile. */
  readonly seccomp?: Sourced<Bytes>;
  readonly apparmor?: Sourced<Bytes>;
  /** `label=disable`, or parts of the label to replace: user, role, type, level. */
  readonly labelDisable?: Sourced<true>;
  readonly labelParts: ReadonlyMap<Bytes, Sourced<Bytes>>;
  /** `systempaths=unconfined` or `unmask=ALL`: nothing masked, nothing read-only. */
  readonly systemPathsUnconfined?: Sourced<true>;
  readonly mask: readonly Sourced<Bytes>[];
  readonly unmask: readonly Sourced<Bytes>[];
  readonly writableCgroups?: Sourced<boolean>;
}

const LABEL_PARTS = ['user', 'role', 'type', 'level'];

/** Reads every `--security-opt`, `name=value` or docker's older `name:value`. Throws on an unknown one. */
export function securityOptions(flags: RunFlags): SecurityOptions {
  const options: { -readonly [K in keyof SecurityOptions]: SecurityOptions[K] } & {
    readonly labelParts: Map<Bytes, Sourced<Bytes>>;
    readonly mask: Sourced<Bytes>[];
    readonly unmask: Sourced<Bytes>[];
  } = { labelParts: new Map(), mask: [], unmask: [] };
  for (const text of flags.securityOpt ?? []) {
    const source = flagSource('security-opt', text);
    const [, name, value] = /^([a-z-]+)(?:[=:]([\s\S]*))?$/.exec(text) ?? [];
    switch (name) {
      case 'no-new-privileges':
        options.noNewPrivileges = { value: booleanOption(text, value), source };
        break;
      case 'writable-cgroups':
        options.writableCgroups = { value: booleanOption(text, value), source };
        break;
      case 'seccomp':
        options.seccomp = { value: required(text, value), source };
        break;
      case 'apparmor':
        options.apparmor = { value: required(text, value), source };
        break;
      case 'label':
        readLabel(options, text, required(text, value), source);
        break;
      case 'systempaths':
        if (value !== 'unconfined') throw invalid(text);
        options.systemPathsUnconfined = { value: true, source };
        break;
      case 'mask':
        options.mask.push(...paths(text, required(text, value), source));
        break;
      case 'unmask':
        if (value?.toUpperCase() === 'ALL') options.systemPathsUnconfined = { value: true, source };
        else options.unmask.push(...paths(text, required(text, value), source));
        break;
      default:
        throw invalid(text);
    }
  }
  return options;
}

function readLabel(
  options: { labelDisable?: Sourced<true>; readonly labelParts: Map<Bytes, Sourced<Bytes>> },
  text: Bytes,
  value: Bytes,
  source: string,
): void {
  if (value === 'disable') {
    options.labelDisable = { value: true, source };
    return;
  }
  const [, part, content] = /^([a-z]+):([A-Za-z0-9_.,:-]+)$/.exec(value) ?? [];
  if (part === undefined || content === undefined || !LABEL_PARTS.includes(part)) throw invalid(text);
  options.labelParts.set(part, { value: content, source });
}

function paths(text: Bytes, value: Bytes, source: string): Sourced<Bytes>[] {
  return value.split(':').map((path) => {
    if (!/^\/(?:proc|sys)(?:\/|$)/.test(path))
      throw flagRefused('security-opt', text, `${path} is not below /proc or /sys`);
    return { value: path, source };
  });
}

function booleanOption(text: Bytes, value: Bytes | undefined): boolean {
  if (value === undefined) return true;
  const on = parseBoolean(value);
  if (on === undefined) throw invalid(text);
  return on;
}

function required(text: Bytes, value: Bytes | undefined): Bytes {
  if (value === undefined || value === '') throw invalid(text);
  return value;
}

function invalid(text: Bytes): Error {
  return invalidArgument('security-opt', text, `invalid --security-opt: "${text}"`);
}
