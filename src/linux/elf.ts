// Tells from the first bytes of a file which processor and operating system it is a program for (elf(5)).
import type { Arch } from './abi/index.ts';
import type { Bytes } from './bytes.ts';

/** How many bytes executableFormat looks at: sizeof(Elf64_Ehdr). */
export const HEADER_BYTES = 64;

/** What a file is a program for. */
export type ExecutableFormat =
  | {
      readonly kind: 'elf';
      readonly class: 32 | 64;
      readonly littleEndian: boolean;
      /** e_ident[EI_OSABI]: 0 System V (what Linux programs have), 3 GNU/Linux, 9 FreeBSD. */
      readonly osabi: number;
      /** e_type: 2 ET_EXEC, 3 ET_DYN (position independent), 1 ET_REL, 4 ET_CORE. */
      readonly type: number;
      /** e_machine. */
      readonly machine: number;
      /** The processor as people write it: `x86-64`, `arm64`, `386`, `ppc64le`; `machine 123` when unknown. */
      readonly machineName: string;
    }
  | { readonly kind: 'script' }
  | { readonly kind: 'windows' }
  | { readonly kind: 'macos' }
  | { readonly kind: 'unknown' };

/** Reads an executable's header; fewer than HEADER_BYTES bytes, or anything strange, is `unknown`. */
export function executableFormat(header: Bytes): ExecutableFormat {
  if (header.startsWith('#!')) return { kind: 'script' };
  if (header.startsWith('MZ')) return { kind: 'windows' };
  if (/^(?:\xfe\xed\xfa[\xce\xcf]|[\xce\xcf]\xfa\xed\xfe)/.test(header) || isFatBinary(header))
    return { kind: 'macos' };
  if (header.startsWith('\x7fELF') && header.length >= 20) return elfFormat(header);
  return { kind: 'unknown' };
}

/** CAFEBABE is also a Java class, whose next four bytes are a version of 45 and more; no fat binary has 40 parts. */
function isFatBinary(header: Bytes): boolean {
  return header.startsWith('\xca\xfe\xba\xbe\0\0\0') && header.length > 7 && header.charCodeAt(7) < 40;
}

function elfFormat(header: Bytes): ExecutableFormat {
  const elfClass = header.charCodeAt(4);
  const data = header.charCodeAt(5);
  if ((elfClass !== 1 && elfClass !== 2) || (data !== 1 && data !== 2)) return { kind: 'unknown' };
  const littleEndian = data === 1;
  const half = (at: number): number =>
    littleEndian
      ? header.charCodeAt(at) | (header.charCodeAt(at + 1) << 8)
      : (header.charCodeAt(at) << 8) | header.charCodeAt(at + 1);
  const bits = elfClass === 1 ? 32 : 64;
  const machine = half(18);
  return {
    kind: 'elf',
    class: bits,
    littleEndian,
    osabi: header.charCodeAt(7),
    type: half(16),
    machine,
    machineName: machineName(machine, bits, littleEndian),
  };
}

/** e_machine values of <linux/elf-em.h> for the architectures that container images are made for. */
function machineName(machine: number, bits: 32 | 64, littleEndian: boolean): string {
  switch (machine) {
    case 3:
      return '386';
    case 8:
      return `mips${bits === 64 ? '64' : ''}${littleEndian ? 'le' : ''}`;
    case 20:
      return 'ppc';
    case 21:
      return littleEndian ? 'ppc64le' : 'ppc64';
    case 22:
      return bits === 64 ? 's390x' : 's390';
    case 40:
      return 'arm';
    case 62:
      return bits === 64 ? 'x86-64' : 'x32';
    case 183:
      return 'arm64';
    case 243:
      return `riscv${bits}`;
    case 258:
      return `loong${bits}`;
    default:
      return `machine ${machine}`;
  }
}

/** What each host processor runs: its own, and the 32-bit predecessor that its kernels are commonly built for. */
const NATIVE: Readonly<Record<Arch, readonly string[]>> = {
  x86_64: ['x86-64', '386', 'x32'],
  aarch64: ['arm64', 'arm'],
};

/**
 * Why this host cannot run a program of `format`, as the end of a sentence (`is a program for arm64, and this host's
 * processor is x86-64`); undefined when it can or that cannot be told. binfmt_misc handlers are the caller's to ask.
 */
export function foreignReason(format: ExecutableFormat, host: Arch): string | undefined {
  if (format.kind === 'windows')
    return 'is a Windows program, and containers share the Linux kernel of this host';
  if (format.kind === 'macos')
    return 'is a macOS program, and containers share the Linux kernel of this host';
  if (format.kind !== 'elf' || NATIVE[host].includes(format.machineName)) return undefined;
  return `is a program for ${format.machineName}, and this host's processor is ${NATIVE[host][0]}`;
}
