// What keeps this machine from making sandboxes, and what would have to be changed: the findings of `caisson doctor`.
import { doctorFacts } from '../../engine/doctor/facts.ts';
import { findings } from '../../engine/doctor/findings.ts';
import type { Port } from '../../host/port.ts';
import { defaultStateRoot } from '../../runtime/state.ts';
import { CaissonError } from '../../spec/error.ts';

/** Errors about what the caller asked for: nothing on the machine would have to be changed. */
const OF_THE_CALLER = ['EUSAGE', 'ENOTFOUND', 'ECONFLICT', 'EINVALIDSPEC', 'EAUTH'];

/**
 * `error`, with what the machine lacks among its details: the AppArmor rule of Ubuntu about user namespaces, a /proc of
 * which parts are covered, a seccomp filter of an outer container. Unchanged where the machine lacks nothing.
 */
export async function explainRefusal(port: Port, error: unknown): Promise<unknown> {
  if (!(error instanceof CaissonError) || OF_THE_CALLER.includes(error.code)) return error;
  const lacking = await lacks(port);
  if (lacking.length === 0) return error;
  const { code, errno, syscall, provenance, sources, details, exitCode } = error;
  return new CaissonError(error.message, {
    code,
    ...(errno === undefined ? {} : { errno }),
    ...(syscall === undefined ? {} : { syscall }),
    ...{ provenance, sources, exitCode, cause: error },
    details: [...details, ...lacking],
  });
}

async function lacks(port: Port): Promise<string[]> {
  const found = findings(await doctorFacts(port, defaultStateRoot(port)));
  return found
    .filter(({ condition }) => condition === 'missing' || condition === 'limited')
    .flatMap(({ subject, found: what, advice }) => [
      `${subject}: ${what}`,
      ...advice.map((line) => `  - ${line}`),
    ]);
}
