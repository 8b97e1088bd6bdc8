// `inspect` of a container: what is known of one that runs, in docker's shape.
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { ContainerRecord } from '../../runtime/state.ts';
import type { JsonValue } from '../../spec/json.ts';
import { findContainer } from '../cgroup-target.ts';
import { placesInUse } from './container-place.ts';
import { firstProcess } from './running.ts';

/** undefined where no container has that id or name. */
export function inspectContainer(
  port: Port,
  stateRoot: Bytes,
  root: Bytes,
  text: Bytes,
): JsonValue | undefined {
  const record = findContainer(port, stateRoot, text);
  if (record === undefined) return undefined;
  const owner = placesInUse(port, root).find(({ id }) => id === record.id);
  return {
    Id: record.id,
    Created: owner?.created ?? record.oci?.created ?? '',
    State: stateOf(port, record),
    Image: owner?.imageId ?? '',
    Name: record.name === undefined ? '' : `/${record.name}`,
    Driver: 'overlay2',
    Platform: 'linux',
    GraphDriver: {
      Data:
        owner === undefined ? null : { UpperDir: `${owner.changes}/upper`, WorkDir: `${owner.changes}/work` },
      Name: 'overlay2',
    },
    Config: { Image: owner?.imageName ?? 'host' },
  };
}

function stateOf(port: Port, record: ContainerRecord): JsonValue {
  const pid = processNumber(port, record);
  return { Status: pid === 0 ? 'created' : 'running', Running: pid !== 0, Pid: pid };
}

/** 0 for one that is only about to start. */
function processNumber(port: Port, record: ContainerRecord): number {
  try {
    return firstProcess(port, record).pid;
  } catch {
    return 0;
  }
}
