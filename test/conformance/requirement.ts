// What one row of the specification matrix is: a requirement, the test that shows it, and what makes that test fail.
import { BROKEN, type BrokenName } from '../attack/broken.ts';
import type { Patch } from '../attack/patched-build.ts';

/** A test by the file it is written in and its full name. */
export interface Assertion {
  /** Relative to the repository, below src/ (run on the patched source) or test/ (run on an executable made of it). */
  readonly file: string;
  readonly test: string;
}

export interface Requirement {
  /** `runtime.md#runtimeState.3`: file and anchor of runtime-spec 1.3.0, and the third key word in that section. */
  readonly id: string;
  readonly what: string;
  readonly shownBy: Assertion;
  /** A build with these changes fails the test. */
  readonly mutation: readonly Patch[];
  /** The name of that build, where it is one of test/attack/broken.ts. */
  readonly brokenBuild?: BrokenName;
}

/** A requirement that has no row: its id, and what it asks for or why it has none. */
export type Unproven = readonly [id: string, what: string];

/** One change of the source. */
export function patch(file: string, fragment: string, replacement: string): readonly Patch[] {
  return [{ file, fragment, replacement }];
}

/** The same requirement in several places of the specification, or several that one mutation takes away. */
export function rows(
  requirements: Readonly<Record<string, string>>,
  shownBy: Assertion,
  mutation: readonly Patch[] | BrokenName,
): readonly Requirement[] {
  const how =
    typeof mutation === 'string' ? { mutation: BROKEN[mutation], brokenBuild: mutation } : { mutation };
  return Object.entries(requirements).map(([id, what]) => ({ id, what, shownBy, ...how }));
}

/** A test of the OCI runtime, as its first executable has it: test/oci/FILE.test.ts. */
export function oci(file: string, test: string): Assertion {
  return { file: `test/oci/${file}.test.ts`, test: `caisson oci: ${test}` };
}

/** A test of test/kernel/FILE.test.ts. */
export function kernel(file: string, test: string): Assertion {
  return { file: `test/kernel/${file}.test.ts`, test };
}

/** A unit test: src/FILE.test.ts. */
export function unit(file: string, test: string): Assertion {
  return { file: `src/${file}.test.ts`, test };
}
