// `--hostname` and `--domainname`.

import type { Bytes } from '../../linux/bytes.ts';
import type { FrontendFacts } from './facts.ts';
import { conflictingFlags, flagSource, invalidArgument } from './flag-error.ts';
import type { NamespaceModes } from './namespaces.ts';
import type { Recorder } from './recorder.ts';
import type { RunFlags } from './run-flags.ts';

/** What the container is called, and what of it the specification says. */
export interface HostNames {
  /** For HOSTNAME and /etc/hostname: the host's own where its UTS namespace is kept. */
  readonly name: Bytes;
  readonly hostname?: Bytes;
  readonly domainname?: Bytes;
}

/** docker's: the first twelve digits of the id unless told. */
export function hostNames(
  flags: RunFlags,
  modes: NamespaceModes,
  facts: FrontendFacts,
  recorder: Recorder,
): HostNames {
  const uts = modes.uts;
  for (const name of ['hostname', 'domainname'] as const) {
    const text = flags[name];
    if (text === undefined) continue;
    // __NEW_UTS_LEN of uname(2).
    if (!/^[^\0\s/]{1,64}$/.test(text))
      throw invalidArgument(name, text, `invalid ${name}: at most 64 bytes, no blanks`);
    if (uts.value !== 'new')
      throw conflictingFlags(flagSource(name, text), uts.source ?? "the host's UTS namespace");
    recorder.note(`/${name}`, name, text);
  }
  if (uts.value !== 'new') return { name: facts.hostname };
  const hostname = flags.hostname ?? facts.id.slice(0, 12);
  return flags.domainname === undefined
    ? { name: hostname, hostname }
    : { name: hostname, hostname, domainname: flags.domainname };
}
