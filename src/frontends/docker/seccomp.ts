// The seccomp profile of a container: the default, none, or a file in docker's or the specification's form.

import type { Bytes } from '../../linux/bytes.ts';
import { defaultProfile } from '../../seccomp/default-profile.ts';
import { CaissonError } from '../../spec/error.ts';
import type { LinuxSeccomp } from '../../spec/runtime-spec.ts';
import type { FrontendFacts } from './facts.ts';
import { flagRefused } from './flag-error.ts';
import type { Recorder } from './recorder.ts';
import { readSeccompFile } from './seccomp-file.ts';
import type { SecurityOptions } from './security-options.ts';

/** The profile for a process with this bounding set; undefined for none. */
export function compileSeccomp(
  options: SecurityOptions,
  privileged: boolean,
  bounding: readonly Bytes[],
  facts: FrontendFacts,
  recorder: Recorder,
): LinuxSeccomp | undefined {
  const asked = options.seccomp;
  if (asked?.source !== undefined) recorder.noteSource('/linux/seccomp', asked.source);
  if (asked === undefined && privileged) return undefined;
  if (asked === undefined || asked.value === 'builtin') return defaultProfile(facts.arch, bounding);
  if (asked.value === 'unconfined') return undefined;
  const content = facts.files.get(asked.value);
  if (content === undefined) {
    throw flagRefused(
      'security-opt',
      `seccomp=${asked.value}`,
      `opening seccomp profile (${asked.value}) failed: open ${asked.value}: no such file or directory`,
    );
  }
  try {
    return readSeccompFile(content, asked.value, {
      arch: facts.arch,
      kernel: facts.kernel,
      capabilities: bounding,
    });
  } catch (error) {
    if (!(error instanceof CaissonError)) throw error;
    throw new CaissonError(`seccomp profile ${error.message}`, {
      code: error.code,
      sources: [asked.source ?? ''],
    });
  }
}
