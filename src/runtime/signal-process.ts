// A signal to exactly the process that was meant, by its descriptor (pidfd_open(2), pidfd_send_signal(2)).
import { pidfdOpen, pidfdSendSignal } from '../cgroups/calls.ts';
import type { Port } from '../host/port.ts';
import { ERRNO } from '../linux/errno.ts';
import { slot } from '../plan/call.ts';
import { slotValue } from '../plan/encode.ts';
import { step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import type { Player } from './player.ts';
import { isAlive, type ProcessIdentity } from './state.ts';

/** Whether the process was there and has got the signal. */
export async function signalProcess(
  port: Port,
  player: Player,
  identity: ProcessIdentity,
  signal: number,
): Promise<boolean> {
  const opened = slot('process', { reply: true });
  const { batch, answer } = await player.play([
    step('parent', 'find', `find process ${identity.pid}`, 'default: no other process is hit', [
      pidfdOpen(identity.pid, { result: opened, tolerate: [ERRNO.ESRCH, ERRNO.EINVAL] }),
    ]),
  ]);
  const process = slotValue(batch, answer, opened);
  if (process < 0) return false;
  const alive = isAlive(port, identity);
  const sent = slot('sent', { reply: true });
  const send = alive ? [pidfdSendSignal(process, signal, { result: sent, tolerate: [ERRNO.ESRCH] })] : [];
  const played = await player.play([
    step('parent', 'signal', `send signal ${signal} to process ${identity.pid}`, 'default: kill', [
      ...send,
      sys.close(process),
    ]),
  ]);
  return alive && slotValue(played.batch, played.answer, sent) === 0;
}
