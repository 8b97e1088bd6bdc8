// Times and sizes beyond which an answer is not waited for and not read: what a hostile or broken server can cost.

export interface Limits {
  /** Milliseconds until a connection stands, with name lookup, proxy and TLS. */
  readonly connectTime: number;
  /** Milliseconds from the end of a request to the end of the header of its response. */
  readonly headerTime: number;
  /** Milliseconds of waiting within which `idleBytes` must arrive (or leave); a reader that is slow itself does not count. */
  readonly idleTime: number;
  readonly idleBytes: number;
  /** Bytes of a response's header (node:http's maxHeaderSize). */
  readonly headerBytes: number;
  /** Bytes of an error's text. */
  readonly errorBytes: number;
  /** Bytes of a manifest or an index (distribution-spec: at least 4 MiB; CVE-2023-25153). */
  readonly manifestBytes: number;
  /** Bytes of one page of a list, and of a token. */
  readonly pageBytes: number;
  readonly pages: number;
  readonly redirects: number;
}

export const DEFAULT_LIMITS: Limits = {
  connectTime: 30_000,
  headerTime: 60_000,
  idleTime: 30_000,
  idleBytes: 4096,
  headerBytes: 64 << 10,
  errorBytes: 64 << 10,
  manifestBytes: 4 << 20,
  pageBytes: 4 << 20,
  pages: 1000,
  redirects: 5,
};
