// The part of Bun's foreign function interface that host/libc.ts uses, and the programs embedded in the executable.
declare module 'bun:ffi' {
  export interface Signature {
    readonly args: readonly ('i32' | 'u32' | 'u64' | 'i64' | 'ptr')[];
    readonly returns: 'i32' | 'i64' | 'i64_fast' | 'ptr' | 'void';
  }
  export function dlopen<Name extends string>(
    library: string,
    symbols: Readonly<Record<Name, Signature>>,
  ): { readonly symbols: Readonly<Record<Name, (...args: unknown[]) => number | bigint>> };
  export function ptr(view: ArrayBufferView): number;
  export const read: { i32(pointer: number, offset: number): number };
}

declare module '*/build/launcher.base64' {
  const text: string;
  export default text;
}

declare module '*/build/init.base64' {
  const text: string;
  export default text;
}

/** A reader that the event loop drives; `done` at the end of the pipe. */
interface EventReader {
  read(): Promise<{ readonly done: true } | { readonly done: false; readonly value: Uint8Array }>;
}

/** ECMAScript 2026, which Bun has. */
interface Uint8ArrayConstructor {
  fromBase64(text: string): Uint8Array;
}

/** The part of Bun's global object that host/bun.ts uses. */
declare const Bun: {
  file(fd: number): { stream(): { getReader(): EventReader } };
};

/** Methods of Node's Buffer that @types/node leaves out; they take any Uint8Array. */
interface Buffer {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  latin1Write(this: Uint8Array, text: string, offset: number, length: number): number;
}

declare module '*/build/monitor.base64' {
  const text: string;
  export default text;
}
