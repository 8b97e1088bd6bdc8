// What an image that is made of a container takes from the container's flags, as docker's does (moby, daemon/commit.go): a
// container's configuration is its image's with what `run` or `create` was told.
import type { DraftConfig } from '../../build/graph/image-draft.ts';
import { setOf } from '../../build/graph/image-draft.ts';
import type { HealthCheck } from '../../frontends/docker/engine-settings.ts';
import { type Bytes, bytesToUtf8 } from '../../linux/bytes.ts';
import type { ContainerFile } from './container-file.ts';
import { entrypointOf, environmentOf } from './inspect.ts';

/** The configuration of the container's image with what its flags say; `image` is left alone. */
export function committedConfig(image: DraftConfig, file: ContainerFile): DraftConfig {
  const { flags, labels, health, mounts, anonymousVolumes } = file;
  const { Entrypoint: _, Cmd: __, ...rest } = image;
  const entrypoint = entrypointOf(file);
  const own = mounts.filter(({ name }) => name !== undefined && anonymousVolumes.includes(name));
  const volumes = [...Object.keys(image.Volumes ?? {}), ...texts(own.map(({ destination }) => destination))];
  return {
    ...rest,
    Env: texts(environmentOf(file)),
    ...(entrypoint === null ? {} : { Entrypoint: texts(entrypoint) }),
    Cmd: texts(file.args.slice(entrypoint?.length ?? 0)),
    ...(flags.user === undefined ? {} : { User: bytesToUtf8(flags.user) }),
    ...(flags.workdir === undefined ? {} : { WorkingDir: bytesToUtf8(flags.workdir) }),
    ...(flags.stopSignal === undefined ? {} : { StopSignal: bytesToUtf8(flags.stopSignal) }),
    ...(volumes.length === 0 ? {} : { Volumes: setOf(volumes) }),
    ...(Object.keys(labels).length === 0 ? {} : { Labels: labelTexts(labels) }),
    ...(health === undefined ? {} : { Healthcheck: healthText(health) }),
    ...(flags.noHealthcheck === true ? { Healthcheck: NO_CHECK } : {}),
  };
}

const NO_CHECK = { Test: ['NONE'] };

const texts = (list: readonly Bytes[]): string[] => list.map(bytesToUtf8);

function labelTexts(labels: ContainerFile['labels']): Record<string, string> {
  const found: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(labels)) found[bytesToUtf8(name)] = bytesToUtf8(value);
  return found;
}

/** In nanoseconds, as in the document. */
function healthText(health: HealthCheck): DraftConfig['Healthcheck'] {
  const nanoseconds = (milliseconds: number): number => Math.round(milliseconds * 1e6);
  return {
    Test: texts(health.test),
    Interval: nanoseconds(health.interval),
    Timeout: nanoseconds(health.timeout),
    StartPeriod: nanoseconds(health.startPeriod),
    StartInterval: nanoseconds(health.startInterval),
    Retries: health.retries,
  };
}
