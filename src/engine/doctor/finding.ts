// One line of the doctor's report: what was looked at, what was found, and what to do about it.

/**
 * `ok`: works. `note`: worth knowing. `limited`: containers run, but not with everything. `missing`: containers do
 * not run.
 */
export type Condition = 'ok' | 'note' | 'limited' | 'missing';

export interface Finding {
  /** Stable, for programs. */
  readonly id: string;
  readonly condition: Condition;
  readonly subject: string;
  readonly found: string;
  /** What a person can do. */
  readonly advice: readonly string[];
}

export function finding(
  id: string,
  subject: string,
  condition: Condition,
  found: string,
  ...advice: string[]
): Finding {
  return { id, condition, subject, found, advice };
}
