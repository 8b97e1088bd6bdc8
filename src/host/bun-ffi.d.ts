// The part of Bun's foreign function interface that host/bun.ts uses, and the programs embedded in the executable.
declare module 'bun:ffi' {
  export interface Signature {
    readonly args: readonly ('i32' | 'u32' | 'u64' | 'i64' | 'ptr')[];
    readonly returns: 'i32' | 'i64' | 'void';
  }
  export function dlopen<Name extends string>(
    library: string,
    symbols: Readonly<Record<Name, Signature>>,
  ): { readonly symbols: Readonly<Record<Name, (...args: unknown[]) => number | bigint>> };
  export function ptr(view: ArrayBufferView): number;
}

declare module '*/build/launcher' {
  const path: string;
  export default path;
}

declare module '*/build/init' {
  const path: string;
  export default path;
}

/** A reader that the event loop drives; `done` at the end of the pipe. */
interface EventReader {
  read(): Promise<{ readonly done: true } | { readonly done: false; readonly value: Uint8Array }>;
}

/** The part of Bun's global object that host/bun.ts uses. */
declare const Bun: {
  file(fd: number): { stream(): { getReader(): EventReader } };
};
