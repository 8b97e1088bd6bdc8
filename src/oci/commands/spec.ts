// `spec`: the configuration to begin with, the one that runc writes.

import { boolean, value } from '../../frontends/flag.ts';
import { exampleSpec } from '../../spec/defaults.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Spec } from '../../spec/runtime-spec.ts';
import { absolute, type OciCommand } from '../command.ts';
import { goJson } from '../go-json.ts';

/** What umask(2) takes is not known here: a configuration is for everybody to read, and for its owner to write. */
const FILE_MODE = 0o644;

export const command: OciCommand = {
  name: 'spec',
  summary: 'Create a new specification file',
  usage: '',
  description: `Writes config.json, a configuration that runs "sh" on a terminal with the root file system in the directory
rootfs beside it. Edit it for what the container is to do. With --rootless it is one for an ordinary user, with a
user namespace.`,
  flags: [
    value('bundle', 'Directory to write it to', { short: 'b', takes: 'DIR', completes: 'directory' }),
    boolean('rootless', 'For an ordinary user'),
  ],
  arguments: [0, 0],
  run: ({ parsed, port }) => {
    const bundle = absolute(port, parsed.text('bundle') ?? '.');
    if (port.stat(bundle)?.type !== 'directory') {
      throw new CaissonError(`chdir ${parsed.text('bundle') ?? bundle}: no such file or directory`, {
        code: 'ENOBUNDLE',
      });
    }
    const path = `${bundle}/config.json`;
    if (port.stat(path) !== undefined) {
      throw new CaissonError('File config.json exists. Remove it first', { code: 'EEXIST' });
    }
    const spec = exampleSpec(parsed.on('rootless') ? { uid: port.uid, gid: port.gid } : undefined);
    const unified = port.stat('/sys/fs/cgroup/cgroup.controllers') !== undefined;
    port.replaceFile(path, goJson(unified ? withCgroupNamespace(spec) : spec, '\t'), FILE_MODE);
    return 0;
  },
};

/** Where the host has cgroup v2 alone, runc's example has a cgroup namespace, before one of users. */
export function withCgroupNamespace(spec: Spec): Spec {
  const own = spec.linux?.namespaces ?? [];
  const namespaces = own.filter(({ type }) => type !== 'user');
  const user = own.filter(({ type }) => type === 'user');
  return { ...spec, linux: { ...spec.linux, namespaces: [...namespaces, { type: 'cgroup' }, ...user] } };
}
