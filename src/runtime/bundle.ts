// An OCI bundle: a directory with config.json, and a root that is relative to it (runtime-spec bundle.md).
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';
import type { Spec } from '../spec/runtime-spec.ts';
import { parseSpec } from '../spec/validate.ts';
import { readGivenFile } from './given-file.ts';

export interface Bundle {
  readonly directory: Bytes;
  /** Paths in it are absolute. */
  readonly spec: Spec;
  readonly warnings: readonly string[];
  /** config.json as it was read. */
  readonly text: Bytes;
}

/** Reads and checks a bundle. Throws CaissonError ENOBUNDLE without a config.json, EINVALIDSPEC for a bad one. */
export function readBundle(port: Port, directory: Bytes): Bundle {
  const path = `${directory}/config.json`;
  const text = readGivenFile(port, path);
  if (text === undefined) {
    throw new CaissonError(
      `${path}: no such file: a bundle has a config.json (make one with \`caisson oci spec\`)`,
      {
        code: 'ENOBUNDLE',
      },
    );
  }
  return { directory, text, ...parseBundleConfiguration(text, directory) };
}

/** The text of a config.json in `directory`, an absolute path. Throws CaissonError EINVALIDSPEC. */
export function parseBundleConfiguration(text: Bytes, directory: Bytes): Pick<Bundle, 'spec' | 'warnings'> {
  const { spec, warnings } = parseSpec(text);
  const given = spec.root?.path ?? 'rootfs';
  const absolute = given.startsWith('/') ? given : `${directory}/${given}`;
  return {
    spec: { ...spec, root: { ...spec.root, path: absolute }, ...relativeMounts(spec, directory, absolute) },
    warnings: warnings.map(({ pointer, message }) => `${pointer}: ${message}`),
  };
}

/**
 * Sources of bind mounts are relative to the bundle too (config.md, Mounts). A destination that begins with the root's
 * own path on the host is what is behind it, as in runc.
 */
function relativeMounts(spec: Spec, directory: Bytes, root: Bytes): { mounts?: Spec['mounts'] } {
  if (spec.mounts === undefined) return {};
  const isBind = (options: readonly Bytes[] = []) => options.includes('bind') || options.includes('rbind');
  return {
    mounts: spec.mounts.map((mount) => {
      const { source, options, destination } = mount;
      const relative = source !== undefined && isBind(options) && !source.startsWith('/');
      const doubled = root !== '/' && destination.startsWith(`${root}/`);
      if (!relative && !doubled) return mount;
      return {
        ...mount,
        ...(relative ? { source: `${directory}/${source}` } : {}),
        ...(doubled ? { destination: destination.slice(root.length) } : {}),
      };
    }),
  };
}
