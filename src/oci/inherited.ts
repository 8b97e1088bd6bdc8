// What a service manager hands to the runtime by its environment: sockets to listen on, and where to say "ready".

import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import type { Target } from '../runtime/container.ts';
import { withNotifySocket } from '../runtime/notify-socket.ts';
import type { Spec } from '../spec/runtime-spec.ts';

function variable({ environment }: Port, name: string): Bytes | undefined {
  const entry = environment.find((each) => each.startsWith(`${name}=`));
  const text = entry?.slice(name.length + 1);
  return text === '' ? undefined : text;
}

/** How many sockets begin at descriptor 3 (sd_listen_fds(3)): only where they are meant for this very process. */
export function listenFds(port: Port): number {
  if (variable(port, 'LISTEN_PID') !== String(port.pid)) return 0;
  const text = variable(port, 'LISTEN_FDS') ?? '';
  return /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
}

/** The service manager's socket (sd_notify(3)): a path, or a name that begins with `@`. */
export function notifySocket(port: Port): Bytes | undefined {
  const text = variable(port, 'NOTIFY_SOCKET');
  return text?.startsWith('/') || text?.startsWith('@') ? text : undefined;
}

/** Where a container's own socket lies; beside its state, which does not exist yet when this is made. */
export function notifyDirectory({ stateRoot, id }: Target): Bytes {
  return `${stateRoot}/.${id}.notify`;
}

/** What that adds to a configuration: undefined where it is nothing. */
export function amendment(port: Port, target: Target): ((spec: Spec) => Spec) | undefined {
  const count = listenFds(port);
  const manager = notifySocket(port);
  if (count === 0 && manager === undefined) return undefined;
  return (spec) => {
    const named = count === 0 ? spec : withVariables(spec, [`LISTEN_FDS=${count}`, 'LISTEN_PID=1']);
    return manager === undefined ? named : withNotifySocket(named, notifyDirectory(target));
  };
}

function withVariables(spec: Spec, variables: readonly Bytes[]): Spec {
  const { process } = spec;
  return process === undefined
    ? spec
    : { ...spec, process: { ...process, env: [...(process.env ?? []), ...variables] } };
}
