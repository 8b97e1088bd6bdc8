// What must be read on the host before compileRun: files and devices that the flags name.

import type { Bytes } from '../../linux/bytes.ts';
import { parseDevice } from './devices.ts';
import type { RunFlags } from './run-flags.ts';
import { securityOptions } from './security-options.ts';

/** Paths as typed, relative to the caller's working directory; contents go into FrontendFacts.files. */
export function neededFiles(flags: RunFlags): Bytes[] {
  const profile = flags.securityOpt === undefined ? undefined : securityOptions(flags).seccomp?.value;
  const named = profile === undefined || profile === 'unconfined' || profile === 'builtin' ? [] : [profile];
  return [...(flags.envFile ?? []), ...(flags.labelFile ?? []), ...named];
}

/** Absolute paths of devices, or of directories of devices, for FrontendFacts.devices. */
export function neededDevices(flags: RunFlags): Bytes[] {
  const throttled = [
    ...(flags.deviceReadBps ?? []),
    ...(flags.deviceWriteBps ?? []),
    ...(flags.deviceReadIops ?? []),
    ...(flags.deviceWriteIops ?? []),
    ...(flags.blkioWeightDevice ?? []),
  ].map((text) => text.split(':')[0] as Bytes);
  return [
    ...(flags.device ?? []).map((text) => parseDevice(text).hostPath),
    ...throttled.filter((path) => path.startsWith('/dev/')),
    ...(flags.privileged === true ? ['/dev'] : []),
  ];
}
