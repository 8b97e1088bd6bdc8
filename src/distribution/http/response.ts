// Responses: status, headers, and a body that is read with limits of size and of patience.

import type { IncomingMessage } from 'node:http';
import { CaissonError } from '../../spec/error.ts';
import type { Limits } from './limits.ts';
import { shownUrl } from './origin.ts';

/** Milliseconds for which the rest of an answer that nobody wants is read. */
const DISCARD_TIME = 2000;

export class Response {
  readonly status: number;
  readonly url: URL;
  private readonly message: IncomingMessage;
  private readonly limits: Limits;
  private readonly isHead: boolean;
  private readonly finished: () => void;

  /** `finished` is called when the body has been read or given up. */
  constructor(
    message: IncomingMessage,
    sent: { url: URL; method: string },
    limits: Limits,
    finished: () => void,
  ) {
    this.status = message.statusCode ?? 0;
    this.isHead = sent.method === 'HEAD';
    this.message = message;
    this.url = sent.url;
    this.limits = limits;
    this.finished = finished;
    // An error while nobody reads is told to the next reader.
    message.on('error', () => undefined);
  }

  /** The value of a header, the first of several. Names in lower case. */
  header(name: string): string | undefined {
    return this.headers(name)[0];
  }

  /** All values of a header, as they came. */
  headers(name: string): readonly string[] {
    const raw = this.message.rawHeaders;
    const values: string[] = [];
    for (let i = 0; i + 1 < raw.length; i += 2)
      if (raw[i]?.toLowerCase() === name) values.push(raw[i + 1] ?? '');
    return values;
  }

  /** Content-Length, where it is one number. */
  get length(): number | undefined {
    const text = this.header('content-length');
    const length = text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : undefined;
    return length !== undefined && Number.isSafeInteger(length) ? length : undefined;
  }

  /** The whole body, or CaissonError `ETOOLARGE` beyond `limit` bytes. */
  async bytes(limit: number): Promise<Uint8Array> {
    if (!this.isBodiless && (this.length ?? 0) > limit) {
      this.discard();
      throw tooLarge(this.url, limit);
    }
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of this.chunks()) {
      size += chunk.length;
      if (size > limit) throw tooLarge(this.url, limit);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks, size);
  }

  /**
   * The body piece by piece, as quickly as it is taken. Leaving early closes the connection. Throws CaissonError
   * `ESTALLED` when less than `idleBytes` come in `idleTime` of waiting, and node's error when the connection is lost.
   */
  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const source: AsyncIterator<Uint8Array> = this.message[Symbol.asyncIterator]();
    const patience = new Patience(this.limits, this.url);
    let ended = false;
    try {
      for (;;) {
        const { done, value } = await patience.within(source.next());
        if (done === true) break;
        patience.moved(value.length);
        yield value;
      }
      ended = true;
      if (!this.message.complete) throw Object.assign(new Error('connection lost'), { code: 'ECONNRESET' });
    } finally {
      if (!ended || !this.message.complete) this.message.destroy();
      this.finished();
    }
  }

  /**
   * Gives the body up. A short one is read to its end, which keeps the connection for the next request; resolves when
   * it is free. Nobody has to wait for that.
   */
  discard(): Promise<void> {
    const message = this.message;
    let left = this.limits.errorBytes;
    const free = new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        // node:http gives the connection back after its events.
        setImmediate(resolve);
      };
      const give = () => {
        message.destroy();
        done();
      };
      const timer = setTimeout(give, DISCARD_TIME);
      message.on('data', (chunk: Uint8Array) => {
        left -= chunk.length;
        if (left < 0) give();
      });
      message.once('end', done);
      message.once('close', done);
      const isLong = !this.isBodiless && (this.length ?? 0) > left;
      if (isLong || message.destroyed || message.readableEnded) give();
    });
    this.finished();
    return free;
  }

  /** Content-Length is then that of what another request would bring (RFC 9110, section 8.6). */
  private get isBodiless(): boolean {
    return this.isHead || this.status === 204 || this.status === 304;
  }
}

/** Watches how long one has waited for how many bytes. Time in which nobody waits does not count. */
export class Patience {
  private waited = 0;
  private bytes = 0;
  private readonly limits: Limits;
  private readonly url: URL;

  constructor(limits: Limits, url: URL) {
    this.limits = limits;
    this.url = url;
  }

  moved(bytes: number): void {
    this.bytes += bytes;
  }

  async within<T>(pending: Promise<T>): Promise<T> {
    for (;;) {
      const began = performance.now();
      const result = await raceTimer(pending, this.limits.idleTime - this.waited);
      this.waited += performance.now() - began;
      // A timer may be early by a part of a millisecond.
      if (this.waited >= this.limits.idleTime - 1) {
        if (this.bytes < this.limits.idleBytes) {
          pending.catch(() => undefined);
          throw stalled(this.url, this.limits.idleTime);
        }
        this.waited = 0;
        this.bytes = 0;
      }
      if (result !== LATE) return result;
    }
  }
}

const LATE = Symbol('late');

function raceTimer<T>(pending: Promise<T>, milliseconds: number): Promise<T | typeof LATE> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(() => resolve(LATE), Math.max(0, milliseconds));
  });
  return Promise.race([pending, late]).finally(() => clearTimeout(timer));
}

function stalled(url: URL, milliseconds: number): CaissonError {
  return new CaissonError(`${shownUrl(url)}: nearly nothing has come for ${milliseconds / 1000} s`, {
    code: 'ESTALLED',
  });
}

function tooLarge(url: URL, limit: number): CaissonError {
  return new CaissonError(`${shownUrl(url)}: the answer is longer than ${limit} bytes`, {
    code: 'ETOOLARGE',
  });
}
