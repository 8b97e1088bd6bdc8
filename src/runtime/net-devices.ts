// What there is to know about the host's network devices that a container gets: their numbers and their addresses.
import type { Bytes } from '../linux/bytes.ts';
import { AF_NETLINK, NETLINK_ROUTE, SOCK_CLOEXEC, SOCK_RAW } from '../linux/constants/socket.ts';
import { ERRNO } from '../linux/errno.ts';
import * as F from '../linux/flags.ts';
import { addressDump, type DeviceAddress, parseAddresses } from '../linux/rtnetlink-address.ts';
import { call, number, outBuffer, slot } from '../plan/call.ts';
import { type HostNetDevice, interfaceIndex } from '../plan/compile/net-devices.ts';
import { bufferBytes, slotValue } from '../plan/encode.ts';
import { step } from '../plan/step.ts';
import * as sys from '../plan/syscalls.ts';
import { CaissonError } from '../spec/error.ts';
import { pointerOf } from '../spec/pointer.ts';
import type { Spec } from '../spec/runtime-spec.ts';
import type { Player } from './player.ts';

const CAUSE = '/linux/netDevices';

/** What the kernel puts into one answer to a dump at most. */
const ROOM = 32 << 10;

/** Answers of one dump; more devices than that has no host. */
const MOST_ANSWERS = 256;

/**
 * The devices of linux.netDevices by name. Throws CaissonError ENODEVICE for one that the host does not have:
 * config-linux.md has the runtime check that it can be moved.
 */
export async function hostNetDevices(
  player: Player,
  spec: Spec,
): Promise<ReadonlyMap<Bytes, HostNetDevice> | undefined> {
  const names = Object.keys(spec.linux?.netDevices ?? {});
  if (names.length === 0) return undefined;
  const socket = slot('rtnetlink', { reply: true });
  const asked = names.map((name) => ({ name, ...interfaceIndex(socket, name, [ERRNO.ENODEV]) }));
  const { batch, answer } = await player.play([
    step('parent', 'net-devices-find', `find the network devices ${names.join(', ')}`, CAUSE, [
      call(
        'socket',
        [
          number(AF_NETLINK, F.ADDRESS_FAMILIES),
          number(SOCK_RAW | SOCK_CLOEXEC, F.SOCKET_TYPES),
          number(NETLINK_ROUTE, F.NETLINK_PROTOCOLS),
        ],
        { result: socket },
      ),
      ...asked.map((device) => device.call),
      sys.write(socket, addressDump()),
    ]),
  ]);
  const descriptor = slotValue(batch, answer, socket);
  const addresses = await readDump(player, descriptor);
  await player.play([step('parent', 'close', 'close that', CAUSE, [sys.close(descriptor)])]);
  return new Map(
    asked.map(({ name, index: at, found }) => {
      if (slotValue(batch, answer, found) < 0) throw noDevice(name);
      const index = slotValue(batch, answer, at);
      const own = addresses.filter((address) => address.index === index);
      return [name, { index, addresses: own.filter(({ permanent, global }) => permanent && global) }];
    }),
  );
}

function noDevice(name: Bytes): CaissonError {
  return new CaissonError(`there is no network device ${name} on this host`, {
    code: 'ENODEVICE',
    provenance: [pointerOf(['linux', 'netDevices', name])],
    exitCode: 1,
  });
}

async function readDump(player: Player, descriptor: number): Promise<DeviceAddress[]> {
  const found: DeviceAddress[] = [];
  for (let answers = 0; answers < MOST_ANSWERS; answers++) {
    const buffer = outBuffer('addresses', ROOM);
    const length = slot('length', { reply: true });
    const { batch, answer } = await player.play([
      step('parent', 'net-devices-read', 'read their addresses', CAUSE, [
        sys.read(descriptor, buffer, { result: length }),
      ]),
    ]);
    const bytes = bufferBytes(batch, answer, buffer, slotValue(batch, answer, length));
    const { addresses, done } = parseAddresses(Uint8Array.from(bytes, (char) => char.charCodeAt(0)));
    found.push(...addresses);
    if (done) break;
  }
  return found;
}
