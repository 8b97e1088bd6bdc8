// Which of an index's manifests runs on a machine: platforms by name, their variants, and what runs beside what.
//
// Go's names of systems and architectures (image-spec 1.1, image-index.md, "platform"); the order of fallbacks is that
// of containerd's platforms package, so that the same index gives the same image everywhere.

import { quote } from './check.ts';
import type { Descriptor, Platform } from './descriptor.ts';
import { CaissonError } from './error.ts';
import { type ImageIndex, isAttestation } from './image-index.ts';
import { isIndexType, isManifestType } from './media-types.ts';

const COMPONENT = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** What uname(2), Debian and others call what Go calls otherwise. */
const ARCHITECTURES: ReadonlyMap<string, readonly [architecture: string, variant?: string]> = new Map([
  ['x86_64', ['amd64']],
  ['x86-64', ['amd64']],
  ['i386', ['386']],
  ['i486', ['386']],
  ['i586', ['386']],
  ['i686', ['386']],
  ['aarch64', ['arm64']],
  ['armhf', ['arm', 'v7']],
  ['armel', ['arm', 'v6']],
  ['armv6l', ['arm', 'v6']],
  ['armv7l', ['arm', 'v7']],
  ['ppc64el', ['ppc64le']],
  ['loongarch64', ['loong64']],
]);

const SYSTEMS: readonly string[] = [
  ...['aix', 'android', 'darwin', 'dragonfly', 'freebsd', 'illumos', 'ios', 'js', 'linux', 'netbsd'],
  ...['openbsd', 'plan9', 'solaris', 'wasip1', 'windows', 'macos'],
];

/** The variant that an architecture has when none is named. */
const DEFAULT_VARIANT: Readonly<Record<string, string>> = { amd64: 'v1', arm: 'v7', arm64: 'v8' };

/** A platform with one spelling. */
export interface NamedPlatform {
  readonly os: string;
  readonly architecture: string;
  /** Absent where it is the architecture's default, `v1` of amd64, `v7` of arm and `v8` of arm64. */
  readonly variant?: string;
}

/**
 * `linux/arm/v7`, `linux/amd64`, `arm64` (of Linux) or `linux` (of the machine `host`), as `--platform` takes it.
 * Throws CaissonError `EPLATFORM`.
 */
export function parsePlatformName(text: string, host: NamedPlatform): NamedPlatform {
  const parts = text.split('/');
  const [first = '', second, third] = parts;
  if (parts.length > 3 || !parts.every((part) => COMPONENT.test(part))) throw refuse(text);
  if (parts.length === 1) {
    if (SYSTEMS.includes(first.toLowerCase()))
      return normalise({ ...host, os: first, architecture: host.architecture });
    const platform = normalise({ os: host.os, architecture: first });
    if (!KNOWN_ARCHITECTURES.has(platform.architecture)) throw refuse(text);
    return platform;
  }
  return normalise({
    os: first,
    architecture: second ?? '',
    ...(third === undefined ? {} : { variant: third }),
  });
}

/** Architectures of Linux that Go knows, for a name that stands alone. */
const KNOWN_ARCHITECTURES: ReadonlySet<string> = new Set([
  ...['386', 'amd64', 'arm', 'arm64', 'loong64', 'mips', 'mips64', 'mips64le', 'mipsle', 'ppc64', 'ppc64le'],
  ...['riscv64', 's390x', 'wasm'],
]);

function refuse(text: string): CaissonError {
  return new CaissonError(
    `${quote(text)} is not a platform: expected OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT`,
    {
      code: 'EPLATFORM',
      details: ['for example linux/amd64, linux/arm64 or linux/arm/v7'],
    },
  );
}

/** The platform in one spelling: aliases resolved, lower case, no default variant. */
export function normalise(platform: Pick<Platform, 'os' | 'architecture' | 'variant'>): NamedPlatform {
  const os = platform.os.toLowerCase() === 'macos' ? 'darwin' : platform.os.toLowerCase();
  const alias = ARCHITECTURES.get(platform.architecture.toLowerCase());
  const architecture = alias?.[0] ?? platform.architecture.toLowerCase();
  const given = platform.variant?.toLowerCase() ?? '';
  const named = given === '' ? (alias?.[1] ?? '') : /^[0-9]+$/.test(given) ? `v${given}` : given;
  return named === '' || named === DEFAULT_VARIANT[architecture]
    ? { os, architecture }
    : { os, architecture, variant: named };
}

/** `linux/arm/v6` */
export function platformName(platform: Pick<Platform, 'os' | 'architecture' | 'variant'>): string {
  const { os, architecture, variant } = platform;
  return variant === undefined || variant === ''
    ? `${os}/${architecture}`
    : `${os}/${architecture}/${variant}`;
}

/** The platforms whose images run where `wanted` is, the best first. */
function acceptable(wanted: NamedPlatform): NamedPlatform[] {
  const { os, architecture } = wanted;
  const variant = wanted.variant ?? DEFAULT_VARIANT[architecture] ?? '';
  const down = (name: string, from: string, to: number) => downward(os, name, from, to);
  switch (architecture) {
    case 'amd64':
      return [...down('amd64', variant, 1), { os, architecture: '386' }];
    case 'arm':
      return down('arm', variant, 5);
    case 'arm64':
      // Most 64-bit ARM processors run 32-bit programs as well.
      return [...down('arm64', variant, 8), ...down('arm', 'v8', 5)];
    default:
      return [wanted];
  }
}

/** `v7`, `v6`, ... to `v<to>`; a variant that is no such number stands for itself, before the architecture's default. */
function downward(os: string, architecture: string, variant: string, to: number): NamedPlatform[] {
  const match = /^v([0-9]{1,2})(?:\.[0-9]+)?$/.exec(variant);
  const numbered: NamedPlatform[] = [];
  for (let version = Number(match?.[1] ?? to); version >= to; version--)
    numbered.push(normalise({ os, architecture, variant: `v${version}` }));
  const itself = normalise({ os, architecture, variant });
  return isEqual(itself, numbered[0]) ? numbered : [itself, ...numbered];
}

function isEqual(one: NamedPlatform, other: NamedPlatform | undefined): boolean {
  return one.os === other?.os && one.architecture === other.architecture && one.variant === other.variant;
}

/** How well an image of platform `offered` runs where `wanted` is: 0 best, undefined not at all. */
export function platformRank(wanted: NamedPlatform, offered: Platform): number | undefined {
  const named = normalise(offered);
  const rank = acceptable(normalise(wanted)).findIndex((one) => isEqual(one, named));
  return rank < 0 ? undefined : rank;
}

/**
 * The entry of an index to take for `wanted`: the best platform, of equals the first. Attestations are no images. An
 * entry that names no platform is taken only when no other fits, for its own configuration says what it is.
 * undefined when none is for that platform.
 */
export function choosePlatform(index: ImageIndex, wanted: NamedPlatform): Descriptor | undefined {
  let best: { readonly rank: number; readonly entry: Descriptor } | undefined;
  for (const entry of images(index)) {
    const rank =
      entry.platform === undefined ? Number.MAX_SAFE_INTEGER : platformRank(wanted, entry.platform);
    if (rank !== undefined && (best === undefined || rank < best.rank)) best = { rank, entry };
  }
  return best?.entry;
}

/** The entries of an index that are images, or indexes themselves. */
export function images(index: ImageIndex): Descriptor[] {
  return index.manifests.filter(
    (entry) => (isManifestType(entry.mediaType) || isIndexType(entry.mediaType)) && !isAttestation(entry),
  );
}

/** The platforms that an index offers, in its order, each once. */
export function offeredPlatforms(index: ImageIndex): string[] {
  const names = images(index).flatMap(({ platform }) =>
    platform === undefined ? [] : [platformName(normalise(platform))],
  );
  return [...new Set(names)];
}
