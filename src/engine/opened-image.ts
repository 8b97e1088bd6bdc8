// The root of an image for one container, as a run sees it. Types alone: a run of `host` loads nothing of images.
import type { IdMaps, ImageConfig, UserDatabase } from '../frontends/docker/facts.ts';
import type { Channel, Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import type { RootPlan } from '../plan/compile/context.ts';
import type { HostFacts } from '../plan/facts.ts';
import type { Player } from '../runtime/player.ts';
import type { Spec } from '../spec/runtime-spec.ts';

/** For whom an image is opened. */
export interface ImageUse {
  readonly port: Port;
  /** The launcher that will start it: it holds the locks of the store, and looks into the image. */
  readonly channel: Channel;
  /** Of the container. */
  readonly id: Bytes;
  /** Where the record of the container is. */
  readonly stateRoot: Bytes;
  /** An absolute host path that keeps the changes; they vanish without one. */
  readonly upper: Bytes | undefined;
  readonly warn: (message: string) => void;
  /** Names of the volumes that the container will mount, given what the image says of itself: they are recorded first. */
  readonly volumes?: (image: ImageConfig) => Promise<readonly Bytes[]>;
}

export interface OpenedImage {
  readonly config: ImageConfig;
  /** What the specification names as root.path. */
  readonly rootfs: Bytes;
  readonly users: UserDatabase;
  /** What `--userns auto` has found. */
  readonly autoIds?: IdMaps;
  /** Whether the ids of its files must be mapped, for which a process of a user namespace with the container's maps is needed. */
  readonly needsIdMap?: (spec: Spec) => boolean;
  /**
   * Compiles the root of this container; `mapper` is the process of `needsIdMap`. Throws CaissonError where the
   * specification cannot have this image.
   */
  root(spec: Spec, mapper?: number): (facts: HostFacts) => RootPlan;
  /**
   * Shows the files of the image to a launcher of the caller's, and gives its descriptor of their root; undefined where
   * there are none. Absent where no volume begins with files of the image.
   */
  view?(player: Player): Promise<number | undefined>;
  /** A failed start with its reason, where that is the platform of the image. */
  explain(error: unknown): unknown;
  /**
   * Takes the container's changes away, and lets the image go. To be called when the container has ended. `channel` is the
   * launcher that it had, where that is still there: root needs no other one.
   */
  close(channel?: Channel): Promise<void>;
}

/** Finds, pulls and unpacks an image. Throws CaissonError. */
export type OpenImage = (use: ImageUse) => Promise<OpenedImage>;
