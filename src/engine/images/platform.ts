// Why an image cannot run here: containers share this machine's kernel and processor.
import type { Port } from '../../host/port.ts';
import { ERRNO } from '../../linux/errno.ts';
import { CaissonError } from '../../spec/error.ts';
import type { ImageIndex } from '../../spec/image-index.ts';
import {
  type NamedPlatform,
  normalise,
  offeredPlatforms,
  platformName,
  platformRank,
} from '../../spec/platform-match.ts';
import type { StoredImage } from './stored-image.ts';

/** QEMU's names of user-mode emulators, where they differ from Go's of processors. */
const QEMU: Readonly<Record<string, string>> = {
  arm64: 'aarch64',
  amd64: 'x86_64',
  '386': 'i386',
  loong64: 'loongarch64',
  mipsle: 'mipsel',
  mips64le: 'mips64el',
};

function qemuName({ architecture }: NamedPlatform): string {
  return QEMU[architecture] ?? architecture;
}

/** Whether the kernel hands programs of that processor to an emulator (binfmt_misc). */
export function isEmulated(port: Pick<Port, 'readFile'>, platform: NamedPlatform): boolean {
  const entry = `/proc/sys/fs/binfmt_misc/qemu-${qemuName(platform)}`;
  return (port.readFile(entry) ?? '').startsWith('enabled');
}

function hintFor(platform: NamedPlatform): string {
  return `to run it, register an emulator with the kernel: qemu-${qemuName(platform)} by binfmt_misc (Debian: apt install qemu-user-static)`;
}

/** The error for an index that has nothing for `wanted`. */
export function noMatch(
  index: ImageIndex,
  wanted: NamedPlatform,
  host: NamedPlatform,
  what: string,
): CaissonError {
  const offered = offeredPlatforms(index);
  const list = offered.length === 0 ? 'it names none' : `it has ${offered.join(', ')}`;
  const own = platformName(host);
  const hints = offered.includes(own)
    ? [`--platform ${own} is what runs here`]
    : offered
        .filter((name) => name.startsWith('linux/'))
        .slice(0, 1)
        .map(
          (name) => `an image for another processor is pulled with --platform ${name}, and needs an emulator`,
        );
  return new CaissonError(
    `no matching manifest for ${platformName(wanted)} in the manifest list entries of ${what}: ${list}`,
    {
      code: 'EPLATFORM',
      exitCode: 1,
      details: [sharesKernel(host), ...hints],
    },
  );
}

function sharesKernel(host: NamedPlatform): string {
  return `containers share this host's kernel and processor (${platformName(host)})`;
}

/**
 * Looks at the platform of an image before it runs. Throws CaissonError `EPLATFORM` for another operating system; the
 * result is a warning for another processor, undefined where all is well.
 */
export function checkRunnable(
  port: Pick<Port, 'readFile'>,
  image: StoredImage,
  host: NamedPlatform,
  asked: boolean,
): string | undefined {
  const platform = normalise(image.config);
  if (platform.os !== '' && platform.os !== host.os) {
    throw new CaissonError(`this image is for ${platformName(platform)}, and ${sharesKernel(host)}`, {
      code: 'EPLATFORM',
      exitCode: 125,
      details: [
        `an image for ${platform.os} runs only on a ${platform.os} kernel: use one for ${platformName(host)}`,
      ],
    });
  }
  if (platform.architecture === '' || platformRank(host, platform) !== undefined) return undefined;
  if (asked && isEmulated(port, platform)) return undefined;
  return (
    `The requested image's platform (${platformName(platform)}) does not match the detected host platform ` +
    `(${platformName(host)})${asked ? '' : ' and no specific platform was requested'}`
  );
}

/** Why a command of a build for `platform` cannot run here; undefined where it can. */
export function foreignRun(
  port: Pick<Port, 'readFile'>,
  platform: NamedPlatform,
  host: NamedPlatform,
): CaissonError | undefined {
  if (platformRank(host, platform) !== undefined) return undefined;
  const same = platform.os === host.os;
  if (same && isEmulated(port, platform)) return undefined;
  return new CaissonError(`the command is for ${platformName(platform)}, and ${sharesKernel(host)}`, {
    code: 'EPLATFORM',
    exitCode: 1,
    details: [
      ...(same ? [hintFor(platform)] : []),
      'or let this machine make the files: FROM --platform=$BUILDPLATFORM, and COPY --from',
    ],
  });
}

/** A start that failed because the program is for another processor, with that as the reason. */
export function explainForeignImage(
  port: Pick<Port, 'readFile'>,
  error: unknown,
  image: StoredImage,
  host: NamedPlatform,
): unknown {
  if (!(error instanceof CaissonError) || error.syscall !== 'execve' || error.errno !== ERRNO.ENOEXEC)
    return error;
  const platform = normalise(image.config);
  if (platform.architecture === '' || platformRank(host, platform) !== undefined) return error;
  return new CaissonError(`${sharesKernel(host)}, and this image is for ${platformName(platform)}`, {
    code: 'EPLATFORM',
    exitCode: 126,
    details: [
      isEmulated(port, platform)
        ? `the emulator that is registered, qemu-${qemuName(platform)}, could not execute the program`
        : hintFor(platform),
    ],
    cause: error,
  });
}
