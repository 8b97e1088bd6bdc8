// The root of a RUN in a stage on `host`: the view that `caisson run host` has, with the stage's changes.
import type { BuildEnvironment } from '../../build/execute/environment.ts';
import type { Port } from '../../host/port.ts';
import { parseMountinfo } from '../../linux/mountinfo.ts';
import { hostRoot, mountsToStat } from '../../snapshot/host-root.ts';

export function stageOnHost(port: Port): BuildEnvironment['hostRoot'] {
  return (upper, { kernel, userNamespace }, label) => {
    const mounts = parseMountinfo(port.readFile('/proc/self/mountinfo') ?? '');
    const fileMounts = new Set(mountsToStat(mounts).filter((path) => port.stat(path)?.type !== 'directory'));
    const facts = { mounts, kernel, userNamespace, listings: new Map(), fileMounts };
    return hostRoot(facts, { cause: 'FROM host', upper, ...(label === '' ? {} : { label }) });
  };
}
