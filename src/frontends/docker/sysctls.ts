// `--sysctl key=value`: only what belongs to a namespace of the container.

import type { Bytes } from '../../linux/bytes.ts';
import { escapePointer } from '../../spec/pointer.ts';
import { sysctlNamespace, sysctlPath } from '../../spec/sysctl.ts';
import { flagRefused, invalidArgument } from './flag-error.ts';
import type { NamespaceModes } from './namespaces.ts';
import type { Recorder } from './recorder.ts';
import type { RunFlags } from './run-flags.ts';

/** `linux.sysctl`; undefined when no flag asks for it (T25, CVE-2022-0811: one key, one value, no separators). */
export function compileSysctls(
  flags: RunFlags,
  modes: NamespaceModes,
  recorder: Recorder,
): Readonly<Record<Bytes, Bytes>> | undefined {
  const entries = (flags.sysctl ?? []).map((text): [Bytes, Bytes] => {
    const equals = text.indexOf('=');
    const key = equals < 0 ? text : text.slice(0, equals);
    const value = text.slice(equals + 1);
    const path = sysctlPath(key);
    const namespace = path === undefined ? undefined : sysctlNamespace(path);
    if (equals < 0 || path === undefined || namespace === undefined || path === 'kernel/hostname') {
      throw invalidArgument('sysctl', text, `sysctl '${text}' is not allowed`);
    }
    if (/[\n\r\0]/.test(value)) throw invalidArgument('sysctl', text, 'a value of one line is wanted');
    if (modes[namespace].value === 'host') {
      throw flagRefused(
        'sysctl',
        text,
        `not allowed in the host's ${namespace} namespace: it would change the host`,
      );
    }
    recorder.note(`/linux/sysctl/${escapePointer(key)}`, 'sysctl', text);
    return [key, value];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
