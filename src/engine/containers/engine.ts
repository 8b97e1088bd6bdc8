// What every operation on containers needs: the port, and where containers and their state are.
import type { Port } from '../../host/port.ts';
import { storeLocation } from '../../image/store/location.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { defaultStateRoot } from '../../runtime/state.ts';

/** An opened engine. It holds nothing but paths: whatever is true lies on disk. */
export interface Engine {
  readonly port: Port;
  /** Images, containers and volumes; outlives the machine's restart. Absolute. */
  readonly dataRoot: Bytes;
  /** Records of what runs, in a runtime directory. Absolute. */
  readonly stateRoot: Bytes;
  /** Whether exit records and containers are on the disk before they count. */
  readonly durable: boolean;
  readonly warn: (message: string) => void;
}

export interface EngineOptions {
  /** `--data-root` */
  readonly dataRoot?: Bytes | undefined;
  /** `--runtime-root` */
  readonly stateRoot?: Bytes | undefined;
  readonly warn?: (message: string) => void;
}

/** Throws CaissonError `EUSAGE` or `ECONFIG` for a location that is wrong. */
export async function openEngine(port: Port, options: EngineOptions = {}): Promise<Engine> {
  const { root, durability } = await storeLocation(port, options.dataRoot);
  return {
    port,
    dataRoot: root,
    stateRoot: options.stateRoot ?? defaultStateRoot(port),
    durable: durability !== 'off',
    warn: options.warn ?? (() => undefined),
  };
}

/** The directory of all containers. */
export function containersOf({ dataRoot }: Pick<Engine, 'dataRoot'>): Bytes {
  return `${dataRoot}/containers`;
}

/** The directory of a container: its file, records of its runs, its changes, its log. */
export function placeOf(engine: Pick<Engine, 'dataRoot'>, id: Bytes): Bytes {
  return `${containersOf(engine)}/${id}`;
}

/** The directory whose symbolic links are names, each to the id of its container. */
export function namesOf({ dataRoot }: Pick<Engine, 'dataRoot'>): Bytes {
  return `${dataRoot}/names`;
}

/** The state directory of a run: its record, its configuration, the files that are mounted into it. */
export function stateOf({ stateRoot }: Pick<Engine, 'stateRoot'>, id: Bytes): Bytes {
  return `${stateRoot}/${id}`;
}

/** Where clients of the monitor connect. */
export function attachSocket(engine: Pick<Engine, 'stateRoot'>, id: Bytes): Bytes {
  return `${stateOf(engine, id)}/attach`;
}
