// What an image says of its containers -> what the front end reads of it. Everything here is a stranger's word.
//
// Labels stay labels (CVE-2026-53488), volumes and the working directory are paths inside the root and are opened there
// (CVE-2022-23648), the user is looked up in the root's own passwd (CVE-2016-3697), and the environment is the
// container's alone: no helper of the host ever gets it (CVE-2024-0132).

import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import type { ImageProcess } from '../../spec/image-process.ts';
import type { ImageConfig } from './facts.ts';
import { destinationPath } from './mount-paths.ts';
import { type RequestedMount, requestVolume } from './volume-request.ts';

/** The part of an image's configuration that a run reads. */
export function imageConfigOf(process: ImageProcess): ImageConfig {
  const { env, cmd, entrypoint, workingDir, user, stopSignal, labels, volumes } = process;
  const { stopTimeout, healthcheck, exposedPorts } = process;
  return {
    Env: env,
    ...(cmd === undefined ? {} : { Cmd: cmd }),
    ...(entrypoint === undefined ? {} : { Entrypoint: entrypoint }),
    ...(workingDir === '' ? {} : { WorkingDir: workingDir }),
    User: user,
    ...(stopSignal === '' ? {} : { StopSignal: stopSignal }),
    Labels: labels,
    Volumes: Object.fromEntries(volumes.map((path) => [path, {}])),
    ...(exposedPorts.length === 0 ? {} : { ExposedPorts: exposedPorts }),
    ...(stopTimeout === undefined ? {} : { StopTimeout: stopTimeout }),
    ...(healthcheck === undefined ? {} : { Healthcheck: healthcheck }),
  };
}

/**
 * The volumes that the image asks for, an anonymous one each, where nothing else is mounted: `taken` are the
 * destinations of other mounts. Throws CaissonError `EIMAGE` for a path that is none.
 */
export function imageVolumes(image: ImageConfig, taken: ReadonlySet<Bytes>): RequestedMount[] {
  const found = new Map<Bytes, RequestedMount>();
  for (const path of Object.keys(image.Volumes ?? {})) {
    const destination = volumePath(path);
    if (taken.has(destination)) continue;
    found.set(
      destination,
      requestVolume(destination, `volume ${destination} of the image`, { name: undefined }),
    );
  }
  return [...found.values()];
}

function volumePath(path: Bytes): Bytes {
  try {
    return destinationPath(path);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CaissonError(`the image's volume ${JSON.stringify(path)} cannot be mounted: ${error.message}`, {
      code: 'EIMAGE',
    });
  }
}
