// The options of docker's local driver: `--opt type=tmpfs --opt o=size=100m`, `--opt type=none --opt o=bind --opt device=/x`.
import { bindOptions } from '../../frontends/docker/bind-options.ts';
import { tmpfsOptions } from '../../frontends/docker/tmpfs-flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';

/** What a volume is made of. */
export type Backing =
  /** Its own directory. */
  | { readonly kind: 'directory' }
  /** A directory of the host, with options of the mount. */
  | { readonly kind: 'bind'; readonly device: Bytes; readonly options: readonly Bytes[] }
  /** A memory file system that lives as long as its container. */
  | { readonly kind: 'tmpfs'; readonly options: readonly Bytes[] };

const KNOWN: readonly Bytes[] = ['type', 'o', 'device', 'size'];
const NETWORK: readonly Bytes[] = ['nfs', 'nfs4', 'cifs', 'smb3', 'ceph', '9p', 'glusterfs'];
/** Words of `o` that mean what happens anyway. */
const SILENT: readonly Bytes[] = ['bind', 'rbind', 'rw', 'defaults'];

/** The backing that `options` ask for. Throws CaissonError `EUSAGE` in docker's words. */
export function backingOf(options: Readonly<Record<Bytes, Bytes>>): Backing {
  for (const name of Object.keys(options))
    if (!KNOWN.includes(name)) throw refused(`invalid option: "${name}"`);
  const { type = '', o = '', device = '', size } = options;
  const words = o.split(',').filter((word) => word !== '');
  if (NETWORK.includes(type)) {
    throw refused(
      `volumes of type ${type} are not supported: mount the ${type} share on the host, and use --opt type=none --opt o=bind --opt device=DIR`,
    );
  }
  if (type === 'tmpfs') return tmpfs(words, size);
  const isBind = words.includes('bind') || words.includes('rbind');
  if (isBind && ['', 'none', 'bind'].includes(type)) return bind(words, device, size);
  if (type !== '' && type !== 'none') {
    throw refused(
      `volumes of type ${type} are not supported: mount the file system on the host, and use --opt type=none --opt o=bind --opt device=DIR`,
    );
  }
  if (type === 'none' || device !== '') throw refused('missing option: "o=bind"');
  refuseOnDirectory(words, size);
  return { kind: 'directory' };
}

function bind(words: readonly Bytes[], device: Bytes, size: Bytes | undefined): Backing {
  if (device === '') throw refused('missing device in volume options');
  if (!device.startsWith('/')) throw refused(`invalid device "${device}": must be an absolute path`);
  if (size !== undefined) throw refused('a bind has the size of the file system that its directory is on');
  const options = words.filter((word) => !SILENT.includes(word) || word === 'bind');
  try {
    bindOptions(options, device);
  } catch (error) {
    if (error instanceof RangeError) throw refused(`invalid option "o=${words.join(',')}": ${error.message}`);
    throw error;
  }
  return {
    kind: 'bind',
    device,
    options: words.includes('rbind') ? options.filter((word) => word !== 'bind') : options,
  };
}

function tmpfs(words: readonly Bytes[], size: Bytes | undefined): Backing {
  const all = [...words, ...(size === undefined ? [] : [`size=${size}`])].filter(
    (word) => word !== 'defaults',
  );
  try {
    // What a mount of docker's local driver does not have: a volume may hold programs.
    const options = tmpfsOptions(all).filter((word) => word !== 'noexec' || words.includes('noexec'));
    return { kind: 'tmpfs', options: options.filter((word) => word !== 'rw') };
  } catch (error) {
    if (error instanceof RangeError) throw refused(error.message);
    throw error;
  }
}

/** A directory is as large as its file system: project quotas, which could limit it, are not set by caisson. */
function refuseOnDirectory(words: readonly Bytes[], size: Bytes | undefined): void {
  const sized = size !== undefined || words.some((word) => word.startsWith('size='));
  if (sized) {
    throw new CaissonError('quota size requested but no quota support', {
      code: 'EUNSUPPORTED',
      exitCode: 1,
      details: [
        'a directory is as large as its file system: use --opt type=tmpfs, or bind a file system of that size',
      ],
    });
  }
  const unknown = words.find((word) => word !== 'defaults' && word !== 'rw');
  if (unknown !== undefined) throw refused(`invalid option "o=${unknown}": it needs a type`);
}

function refused(message: string): CaissonError {
  return new CaissonError(message, { code: 'EUSAGE', exitCode: 1 });
}
