// The control group part of the OCI runtime configuration (config-linux.md, Control groups) as types.

import type { Bytes } from '../linux/bytes.ts';
import type { Int64 } from './runtime-spec.ts';

/** `linux.resources`; also the body of `update`. */
export interface LinuxResources {
  readonly devices?: readonly LinuxDeviceCgroup[];
  readonly memory?: LinuxMemory;
  readonly cpu?: LinuxCPU;
  readonly pids?: LinuxPids;
  readonly blockIO?: LinuxBlockIO;
  readonly hugepageLimits?: readonly LinuxHugepageLimit[];
  readonly network?: LinuxNetwork;
  /** Keyed by the name of the RDMA device. */
  readonly rdma?: Readonly<Record<Bytes, LinuxRdma>>;
  /** cgroup v2 files and what is written to them. */
  readonly unified?: Readonly<Record<Bytes, Bytes>>;
}

/** One rule of the device list; absent type is `a`, absent numbers are any, absent access is `rwm`. */
export interface LinuxDeviceCgroup {
  readonly allow: boolean;
  readonly type?: 'a' | 'b' | 'c';
  /** -1 is any, as an absent number. */
  readonly major?: number;
  readonly minor?: number;
  readonly access?: Bytes;
}

/** Bytes, signed 64-bit, -1 is unlimited; `swap` is memory plus swap; swappiness 0..100. */
export interface LinuxMemory {
  readonly limit?: Int64;
  readonly reservation?: Int64;
  readonly swap?: Int64;
  readonly kernel?: Int64;
  readonly kernelTCP?: Int64;
  readonly swappiness?: Int64;
  readonly disableOOMKiller?: boolean;
  readonly useHierarchy?: boolean;
  readonly checkBeforeUpdate?: boolean;
}

/** Times in microseconds; shares, burst and periods unsigned, quota and realtimeRuntime signed. */
export interface LinuxCPU {
  readonly shares?: Int64;
  readonly quota?: Int64;
  readonly burst?: Int64;
  readonly period?: Int64;
  readonly realtimeRuntime?: Int64;
  readonly realtimePeriod?: Int64;
  readonly cpus?: Bytes;
  readonly mems?: Bytes;
  readonly idle?: Int64;
}

/** 0 leaves the limit alone in runc before 1.4; below 0 is unlimited. */
export interface LinuxPids {
  readonly limit?: Int64;
}

/** Weights 10..1000 (0 is unset); rates per second, unsigned 64-bit. */
export interface LinuxBlockIO {
  readonly weight?: number;
  readonly leafWeight?: number;
  readonly weightDevice?: readonly LinuxWeightDevice[];
  readonly throttleReadBpsDevice?: readonly LinuxThrottleDevice[];
  readonly throttleWriteBpsDevice?: readonly LinuxThrottleDevice[];
  readonly throttleReadIOPSDevice?: readonly LinuxThrottleDevice[];
  readonly throttleWriteIOPSDevice?: readonly LinuxThrottleDevice[];
}

export interface LinuxBlockIODevice {
  readonly major: number;
  readonly minor: number;
}

export interface LinuxWeightDevice extends LinuxBlockIODevice {
  readonly weight?: number;
  readonly leafWeight?: number;
}

export interface LinuxThrottleDevice extends LinuxBlockIODevice {
  readonly rate: Int64;
}

/** `pageSize` as `2MB`; `limit` in bytes, unsigned 64-bit. */
export interface LinuxHugepageLimit {
  readonly pageSize: Bytes;
  readonly limit: Int64;
}

export interface LinuxNetwork {
  readonly classID?: number;
  readonly priorities?: readonly LinuxInterfacePriority[];
}

export interface LinuxInterfacePriority {
  readonly name: Bytes;
  readonly priority: number;
}

export interface LinuxRdma {
  readonly hcaHandles?: number;
  readonly hcaObjects?: number;
}
