// What a registry client tells while it works: for progress bars, plain lines and logs.

import type { Digest } from '../spec/digest.ts';
import type { RateLimit } from './http/response-headers.ts';

export type ProgressEvent =
  /** A request failed and is tried again after a while. */
  | {
      readonly kind: 'retry';
      /** `manifest 12 of library/debian from docker.io` */
      readonly what: string;
      readonly why: string;
      readonly seconds: number;
      readonly attempt: number;
      readonly attempts: number;
    }
  /** A mirror failed and the next place is asked. */
  | { readonly kind: 'next'; readonly failed: string; readonly next: string; readonly why: string }
  /** Something that a person should know, one line. */
  | { readonly kind: 'warning'; readonly text: string }
  /** So many bytes of a blob have come or gone; less than before after a new beginning. */
  | { readonly kind: 'bytes'; readonly digest: Digest; readonly at: number; readonly size: number }
  | { readonly kind: 'rate-limit'; readonly host: string; readonly limit: RateLimit };

export type Progress = (event: ProgressEvent) => void;

/** Tells nobody. */
export const silent: Progress = () => undefined;
