// Retries: which failures pass by themselves, and how long to wait for that.

import { CaissonError } from '../spec/error.ts';

export interface RetryPolicy {
  /** How often something is tried in all. */
  readonly attempts: number;
  /** Milliseconds before the second try at most; doubled for each further one. */
  readonly firstWait: number;
  readonly longestWait: number;
  /** Seconds of a Retry-After beyond which one does not wait but says so. */
  readonly longestRetryAfter: number;
}

export const DEFAULT_RETRIES: RetryPolicy = {
  attempts: 5,
  firstWait: 500,
  longestWait: 10_000,
  longestRetryAfter: 60,
};

/** Statuses that may be another after a while (RFC 9110, section 15; RFC 6585, section 4). */
export const PASSING_STATUSES: readonly number[] = [408, 425, 429, 500, 502, 503, 504];

const PASSING_CODES: readonly string[] = [
  ...[
    'ECONNRESET',
    'EPIPE',
    'ETIMEDOUT',
    'ESTALLED',
    'EAI_AGAIN',
    'ENETUNREACH',
    'EHOSTUNREACH',
    'ECONNABORTED',
  ],
];

/** An error that is worth another try, if not before `after` seconds. */
export class PassingError extends CaissonError {
  readonly after: number | undefined;

  constructor(error: CaissonError, after: number | undefined) {
    super(error.message, { ...error, code: error.code, details: error.details, cause: error.cause });
    this.after = after;
  }
}

/** The code of an error of node or of ours. */
export function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}

/** Whether the same request may succeed later. */
export function isPassing(error: unknown): boolean {
  return error instanceof PassingError || PASSING_CODES.includes(codeOf(error));
}

/** The milliseconds before the next try: Retry-After, else full jitter below a limit that doubles; undefined: not at all. */
export function waitBefore(
  policy: RetryPolicy,
  attempt: number,
  error: unknown,
  random: () => number = Math.random,
): number | undefined {
  // Each of those has taken a minute already.
  const attempts = codeOf(error) === 'ETIMEDOUT' ? Math.min(policy.attempts, 2) : policy.attempts;
  if (attempt >= attempts || !isPassing(error)) return undefined;
  const after = error instanceof PassingError ? error.after : undefined;
  const limit = Math.min(policy.longestWait, policy.firstWait * 2 ** (attempt - 1));
  // At least a quarter: a wait of nothing is no wait.
  const jitter = limit * (0.25 + 0.75 * random());
  if (after === undefined) return jitter;
  if (after > policy.longestRetryAfter) return undefined;
  // All clients were told the same second.
  return after * 1000 + jitter;
}

/** A wait that ends early when the registry is closed. */
export class Waits {
  private readonly pending = new Set<() => void>();
  private closed = false;

  wait(milliseconds: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = () => {
        clearTimeout(timer);
        reject(new CaissonError('the connection to the registry has been closed', { code: 'ECANCELED' }));
      };
      const timer = setTimeout(() => {
        this.pending.delete(cancel);
        resolve();
      }, milliseconds);
      this.pending.add(cancel);
      if (this.closed) cancel();
    });
  }

  close(): void {
    this.closed = true;
    for (const cancel of this.pending) cancel();
    this.pending.clear();
  }
}
