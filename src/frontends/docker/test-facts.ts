// Facts of an imaginary host, for the tests of this folder.

import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseJson, stringifyJson } from '../../spec/json.ts';
import { lookupPointer } from '../../spec/pointer.ts';
import { validateSpec } from '../../spec/validate.ts';
import { type CompiledRun, compileRun } from './compile-run.ts';
import type { FrontendFacts, ImageConfig } from './facts.ts';
import { requestedVolumes } from './filesystem.ts';
import type { RunFlags } from './run-flags.ts';
import type { VolumeFact } from './volume-request.ts';

/** Root on a cgroup v2 host with two CPUs. */
export const ROOT_HOST: FrontendFacts = {
  id: '0123456789abcdef'.repeat(4),
  rootfs: '/state/root',
  stateDirectory: '/state',
  cwd: '/work',
  environment: ['PATH=/bin', 'LANG=C.UTF-8', 'EMPTY='],
  arch: 'x86_64',
  kernel: [6, 1],
  uid: 0,
  gid: 0,
  rootless: false,
  cgroups: {
    version: 'v2',
    controllers: new Set(['memory', 'cpu', 'cpuset', 'pids', 'io', 'devices']),
    available: true,
    swap: true,
  },
  lastCapability: 40,
  cpuCount: 2,
  apparmor: false,
  hostname: 'harbour',
  resolvConf: 'nameserver 192.0.2.53\nsearch example.org\noptions ndots:2\n',
  hosts: '127.0.0.1 localhost\n192.0.2.7 harbour\n',
  users: {
    passwd: 'root:x:0:0:root:/root:/bin/sh\nana:x:1000:1001::/home/ana:/bin/sh\n1000:x:0:0::/evil:/bin/sh\n',
    group: 'root:x:0:\nana:x:1001:\nwheel:x:10:root,ana\nvideo:x:44:ana\n1001:x:0:\n',
  },
  files: new Map(),
  devices: new Map([
    ['/dev/fuse', [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229, mode: 0o666, uid: 0, gid: 0 }]],
    ['/dev/sda', [{ path: '/dev/sda', type: 'b', major: 8, minor: 0, mode: 0o660, uid: 0, gid: 6 }]],
    [
      '/dev/snd',
      [
        { path: '/dev/snd/seq', type: 'c', major: 116, minor: 1, mode: 0o660, uid: 0, gid: 29 },
        { path: '/dev/snd/timer', type: 'c', major: 116, minor: 33, mode: 0o660, uid: 0, gid: 29 },
      ],
    ],
    [
      '/dev',
      [
        { path: '/dev/null', type: 'c', major: 1, minor: 3, mode: 0o666, uid: 0, gid: 0 },
        { path: '/dev/fuse', type: 'c', major: 10, minor: 229, mode: 0o666, uid: 0, gid: 0 },
        { path: '/dev/pts/0', type: 'c', major: 136, minor: 0, mode: 0o620, uid: 0, gid: 5 },
      ],
    ],
  ]),
};

/** User 1000 with subordinate ids and nothing delegated. */
export const USER_HOST: FrontendFacts = {
  ...ROOT_HOST,
  uid: 1000,
  gid: 1000,
  rootless: true,
  cgroups: { version: 'v2', controllers: new Set(), available: false, swap: true },
  idMaps: {
    uidMappings: [
      { containerID: 0, hostID: 1000, size: 1 },
      { containerID: 1, hostID: 100000, size: 65536 },
    ],
    gidMappings: [
      { containerID: 0, hostID: 1000, size: 1 },
      { containerID: 1, hostID: 100000, size: 65536 },
    ],
    setgroups: true,
  },
};

export const EMPTY_IMAGE: ImageConfig = {};

/** Every volume that is asked for, below `/v` of this host. */
function volumesOf(flags: RunFlags, facts: FrontendFacts, image: ImageConfig): Map<Bytes, VolumeFact> {
  return new Map(
    requestedVolumes(flags, image, facts).map(({ mount: { destination }, volume }) => {
      const name = volume?.name ?? 'anonymous';
      return [
        destination,
        { name, kind: 'directory', path: `/v/${name}${destination}`, options: [], own: true },
      ];
    }),
  );
}

/** Compiles `sh` under the flags, and lets the checks of the runtime specification have their say. */
export function compile(
  flags: RunFlags,
  facts: FrontendFacts = ROOT_HOST,
  image: ImageConfig = EMPTY_IMAGE,
  command: readonly string[] = ['sh'],
): CompiledRun {
  const compiled = compileRun(flags, command, image, { volumes: volumesOf(flags, facts, image), ...facts });
  validateSpec(parseJson(stringifyJson(compiled.spec)));
  return compiled;
}

/** The part of the specification at `pointer` under the flags. */
export function part(pointer: string, flags: RunFlags, facts?: FrontendFacts, image?: ImageConfig): unknown {
  return lookupPointer(compile(flags, facts, image).spec, pointer);
}

/** The first line of the error, or `no error`. */
export function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof CaissonError) return error.message;
    throw error;
  }
  return 'no error';
}
