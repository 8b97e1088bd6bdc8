// A container as `state` and `list` print it: the specification's state, and what runc adds.

import type { Bytes } from '../linux/bytes.ts';
import { type Container, ociState } from '../runtime/container.ts';
import { sorted } from './go-json.ts';

export interface ContainerState {
  readonly ociVersion: Bytes;
  readonly id: Bytes;
  /** 0 for a stopped one. */
  readonly pid: number;
  readonly status: Bytes;
  readonly bundle: Bytes;
  readonly rootfs: Bytes;
  readonly created: Bytes;
  readonly annotations?: Readonly<Record<Bytes, Bytes>>;
  /** Empty in `state`. */
  readonly owner: Bytes;
}

/** In the order of runc's fields. */
export function containerState(container: Container, owner: Bytes): ContainerState {
  const { ociVersion, id, status, bundle, pid } = ociState(container);
  const { rootfs, created, annotations } = container.record.oci;
  return {
    ociVersion,
    id,
    pid: pid ?? 0,
    status,
    bundle,
    rootfs,
    created,
    ...(annotations === undefined || Object.keys(annotations).length === 0
      ? {}
      : { annotations: sorted(annotations) }),
    owner,
  };
}
