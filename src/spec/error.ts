// The one error class of caisson: what failed, which field or flag caused it, and what to do.

/** Where a value came from: a JSON pointer (RFC 6901) into the configuration, or a named default. */
export type Pointer = string;

/** What a CaissonError carries beside its message; every part is optional but `code`. */
export interface ErrorDetail {
  /** Stable, for programs: `EINVALIDSPEC`, `ESYSCALL`, `ENOTFOUND`, `EUSAGE`, ... */
  readonly code: string;
  /** The errno of the failed system call, as a positive number. */
  readonly errno?: number;
  /** The name of the failed system call. */
  readonly syscall?: string;
  /** JSON pointers of the fields that caused this. */
  readonly provenance?: readonly Pointer[];
  /** Sources in the front end's own words (`--volume /x:/y`, `jail.conf:12`). */
  readonly sources?: readonly string[];
  /** Further lines, printed after the first. */
  readonly details?: readonly string[];
  /** What the process should exit with: 125 caisson's own, 126 not executable, 127 not found (docker-run(1)). */
  readonly exitCode?: number;
  readonly cause?: unknown;
}

/** An error that names the field, the system call and the errno. */
export class CaissonError extends Error {
  readonly code: string;
  readonly errno: number | undefined;
  readonly syscall: string | undefined;
  readonly provenance: readonly Pointer[];
  readonly sources: readonly string[];
  readonly details: readonly string[];
  readonly exitCode: number;

  constructor(message: string, detail: ErrorDetail) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'CaissonError';
    this.code = detail.code;
    this.errno = detail.errno;
    this.syscall = detail.syscall;
    this.provenance = detail.provenance ?? [];
    this.sources = detail.sources ?? [];
    this.details = detail.details ?? [];
    this.exitCode = detail.exitCode ?? 125;
  }
}
