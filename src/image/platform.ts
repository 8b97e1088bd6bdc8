// Says why a root cannot run here: its programs are for another processor, or another operating system.
import { type Arch, openFlags } from '../linux/abi/index.ts';
import type { Bytes } from '../linux/bytes.ts';
import { O_CLOEXEC, O_NONBLOCK, O_PATH, O_RDONLY } from '../linux/constants/open.ts';
import { executableFormat, HEADER_BYTES } from '../linux/elf.ts';
import { ERRNO } from '../linux/errno.ts';
import { type OutBuffer, outBuffer, type Slot, slot } from '../plan/call.ts';
import { IN_ROOT } from '../plan/compile/destination.ts';
import { type Step, step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import { CaissonError, type Pointer } from '../spec/error.ts';
import { regularFile } from './regular-file.ts';

/** Programs that nearly every root has, beside the one that is to run. */
const WITNESSES: readonly Bytes[] = [
  'bin/sh',
  'bin/busybox',
  'usr/bin/env',
  'sbin/init',
  'lib/ld-linux.so.2',
];

/** Directories that only the root of another operating system has. */
const FOREIGN: readonly (readonly [Bytes, string])[] = [
  ['Windows/System32', 'Windows'],
  ['Files/Windows/System32', 'Windows'],
  ['System/Library/CoreServices', 'macOS'],
  ['libexec/ld-elf.so.1', 'FreeBSD'],
];

/** The first bytes of one file of the root. */
export interface Witness {
  readonly path: Bytes;
  readonly header: Bytes;
}

/** What is known about the programs of a root. */
export interface PlatformFindings {
  readonly witnesses: readonly Witness[];
  /** The operating system whose directories are there. */
  readonly system: string | undefined;
}

export interface PlatformProbe {
  readonly steps: readonly Step[];
  /** `length` is negative where there is no such file. */
  readonly witnesses: readonly { readonly path: Bytes; readonly length: Slot; readonly content: OutBuffer }[];
  /** `opened` is negative where there is no such directory. */
  readonly systems: readonly { readonly name: string; readonly opened: Slot }[];
}

const { O_DIRECTORY } = openFlags('x86_64');
const ABSENT = [ERRNO.ENOENT, ERRNO.ENOTDIR, ERRNO.ELOOP, ERRNO.EACCES];
const UNOPENED = { tolerate: [ERRNO.EBADF] };

/**
 * Parent steps that look at `program` (an absolute path inside the root, where known) and at other programs of the
 * root directory `rootDir`, a host path. Links are followed inside the root. They fail with EINVAL where one is a
 * device or the like: a caller that only wants to explain another failure then has no explanation.
 */
export function platformProbe(rootDir: Bytes, program: Bytes | undefined, cause: Pointer): PlatformProbe {
  const root = slot('probe_root');
  const paths = [...(program?.startsWith('/') ? [program.slice(1)] : []), ...WITNESSES];
  const witnesses = paths.map((path) => ({
    path,
    length: slot(`${path}_length`, { reply: true }),
    content: outBuffer(path, HEADER_BYTES),
  }));
  const systems = FOREIGN.map(([path, name]) => ({ path, name, opened: slot(path, { reply: true }) }));
  const calls = [sys.openat(sys.AT_FDCWD, rootDir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, { result: root })];
  for (const { path, length, content } of witnesses) {
    const there = slot(`${path}_there`);
    const file = slot(path);
    calls.push(
      sys.openat2(root, path, O_PATH | O_CLOEXEC, IN_ROOT, { result: there, tolerate: ABSENT }),
      ...regularFile(there).calls,
      sys.close(there, UNOPENED),
      sys.openat2(root, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, IN_ROOT, { result: file, tolerate: ABSENT }),
      sys.read(file, content, { result: length, ...UNOPENED }),
      sys.close(file, UNOPENED),
    );
  }
  for (const { path, opened } of systems) {
    calls.push(sys.openat2(root, path, O_PATH | O_CLOEXEC, IN_ROOT, { result: opened, tolerate: ABSENT }));
    calls.push(sys.close(opened, UNOPENED));
  }
  calls.push(sys.close(root));
  return {
    steps: [step('parent', 'platform', `look at the programs of ${rootDir}`, cause, calls)],
    witnesses,
    systems,
  };
}

/** What the answer to a probe says: `value` reads a reply slot, `bytes` the start of a reply buffer. */
export function platformFindings(
  probe: PlatformProbe,
  value: (of: Slot) => number,
  bytes: (of: OutBuffer, length: number) => Bytes,
): PlatformFindings {
  const there = probe.witnesses.filter(({ length }) => value(length) > 0);
  return {
    witnesses: there.map(({ path, length, content }) => ({ path, header: bytes(content, value(length)) })),
    system: probe.systems.find(({ opened }) => value(opened) >= 0)?.name,
  };
}

const HOST: Readonly<Record<Arch, string>> = { x86_64: 'x86-64', aarch64: 'arm64' };

/** What each kernel runs beside its own: the 32-bit programs of the same family. */
const NATIVE: Readonly<Record<Arch, readonly string[]>> = {
  x86_64: ['x86-64', '386', 'x32'],
  aarch64: ['arm64', 'arm'],
};

/** QEMU's names of user-mode emulators, where they differ. */
const QEMU: Readonly<Record<string, string>> = {
  arm64: 'aarch64',
  'x86-64': 'x86_64',
  '386': 'i386',
  loong64: 'loongarch64',
};

/**
 * The error for a root that is for another platform than `host`; undefined when nothing speaks against it. `program`
 * counts first: a root may well hold a foreign program that is not the one to run.
 */
export function foreignPlatform(
  found: PlatformFindings,
  host: Arch,
  cause: Pointer,
): CaissonError | undefined {
  const shared = `containers share this host's kernel (Linux ${HOST[host]})`;
  if (found.system !== undefined) {
    return wrongPlatform(`${shared}; this root is a ${found.system} system`, cause);
  }
  for (const { path, header } of found.witnesses) {
    const format = executableFormat(header);
    if (format.kind === 'windows' || format.kind === 'macos') {
      const system = format.kind === 'windows' ? 'a Windows' : 'a macOS';
      return wrongPlatform(`${shared}; this root's /${path} is ${system} program`, cause);
    }
    if (format.kind !== 'elf') continue;
    if (format.osabi === ELFOSABI_FREEBSD) {
      return wrongPlatform(`${shared}; this root's /${path} is a FreeBSD program`, cause);
    }
    if (NATIVE[host].includes(format.machineName)) return undefined;
    const article =
      /^(?:arm|x86|386|x32)/.test(format.machineName) && format.machineName !== '386' ? 'an' : 'a';
    return wrongPlatform(
      `${shared}; this root's /${path} is ${article} ${format.machineName} program`,
      cause,
      [
        'use a root made for this processor, or register an emulator with the kernel: ' +
          `qemu-${QEMU[format.machineName] ?? format.machineName} by binfmt_misc (Debian: apt install qemu-user-static)`,
      ],
    );
  }
  return undefined;
}

/** e_ident[EI_OSABI], elf(5). */
const ELFOSABI_FREEBSD = 9;

/** 126, as for every command that is there and cannot be executed (docker-run(1)). */
function wrongPlatform(message: string, cause: Pointer, details: readonly string[] = []): CaissonError {
  return new CaissonError(message, { code: 'EPLATFORM', provenance: [cause], details, exitCode: 126 });
}
