// Network devices of the host that a container gets: moved by the launcher, given their addresses by the child.
//
// config-linux.md, Network Devices; rtnetlink(7), netdevice(7), network_namespaces(7). The kernel takes the addresses
// of a device away when it is moved. Physical devices come back by themselves when the namespace ends.
import type { Bytes } from '../../linux/bytes.ts';
import {
  AF_NETLINK,
  AF_UNIX,
  IFF_UP,
  IFLA_IFNAME,
  IFLA_NET_NS_PID,
  NETLINK_ROUTE,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REQUEST,
  RTM_NEWADDR,
  RTM_NEWLINK,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOCK_STREAM,
} from '../../linux/constants/socket.ts';
import { ERRNO } from '../../linux/errno.ts';
import * as F from '../../linux/flags.ts';
import type { DeviceAddress } from '../../linux/rtnetlink-address.ts';
import { pointerOf } from '../../spec/pointer.ts';
import {
  type Call,
  call,
  type Field,
  number,
  outBuffer,
  pointer,
  type Slot,
  slot,
  struct,
  value,
} from '../call.ts';
import { SIOCGIFINDEX } from '../kernel-writes.ts';
import * as sys from '../syscalls.ts';
import { type Context, unsupported } from './context.ts';

/** A device of the host, as it is before the start. */
export interface HostNetDevice {
  readonly index: number;
  /** Those that it keeps: permanent ones of global scope. */
  readonly addresses: readonly DeviceAddress[];
}

interface Moved {
  readonly name: Bytes;
  readonly newName: Bytes;
  readonly cause: string;
  readonly host: HostNetDevice;
}

function devicesOf(c: Context): Moved[] {
  return Object.entries(c.spec.linux?.netDevices ?? {}).map(([name, { name: newName }]) => {
    const cause = pointerOf(['linux', 'netDevices', name]);
    const host = c.options.netDevices?.get(name);
    if (host === undefined) throw unsupported(`there is no network device ${name} on this host`, cause);
    return { name, newName: newName === undefined || newName === '' ? name : newName, cause, host };
  });
}

interface Movement {
  readonly socket: Slot;
  readonly outer: Slot;
  readonly inner: Slot;
}

const movements = new WeakMap<Context, Movement>();

/** Before the launcher joins anything: a socket in the network namespace of the host, and one to speak to the child. */
export function openNetDevices(c: Context): void {
  const devices = devicesOf(c);
  if (devices.length === 0) return;
  const made = {
    socket: slot('host_rtnetlink'),
    outer: slot('devices_outer', { width: 4 }),
    inner: slot('devices_inner', { width: 4 }),
  };
  movements.set(c, made);
  const pair = struct(
    { name: 'outer', width: 4, value: made.outer },
    { name: 'inner', width: 4, value: made.inner },
  );
  c.parent(
    'net-devices-open',
    'a socket of the host for network devices',
    devices.map(({ cause }) => cause),
    [
      netlinkSocket(made.socket),
      call('socketpair', [
        number(AF_UNIX, F.ADDRESS_FAMILIES),
        number(SOCK_STREAM | SOCK_CLOEXEC, F.SOCKET_TYPES),
        number(0),
        pointer(pair, 'fixed'),
      ]),
    ],
  );
}

function netlinkSocket(result: Slot): Call {
  return call(
    'socket',
    [
      number(AF_NETLINK, F.ADDRESS_FAMILIES),
      number(SOCK_RAW | SOCK_CLOEXEC, F.SOCKET_TYPES),
      number(NETLINK_ROUTE, F.NETLINK_PROTOCOLS),
    ],
    { result },
  );
}

/** In the launcher, after the fork: when the child is in its network namespace it gets the devices. */
export function moveNetDevices(c: Context, pid: Slot): void {
  const made = movements.get(c);
  if (made === undefined) return;
  const devices = devicesOf(c);
  const causes = devices.map(({ cause }) => cause);
  c.parent('net-devices-ready', 'wait for the network namespace of the child', causes, [
    sys.close(made.inner),
    ...awaitByte(made.outer, 'namespace'),
  ]);
  for (const device of devices) {
    const title = `move the network device ${device.name} into the container as ${device.newName}`;
    c.parent('net-device', title, device.cause, [
      ...request(made.socket, `${device.name} down`, linkMessage(device.host.index, 0, [])),
      ...moveRequest(made.socket, device, pid),
    ]);
  }
  c.parent('net-devices-moved', 'tell the child that it has its network devices', causes, [
    sys.write(made.outer, 'd'),
    sys.close(made.outer),
    sys.close(made.socket),
  ]);
}

/** In the child, once it is in its network namespace: waits for the devices, and gives them their addresses. */
export function takeNetDevices(c: Context): void {
  const made = movements.get(c);
  if (made === undefined) return;
  const devices = devicesOf(c);
  const socket = slot('devices_rtnetlink');
  const causes = devices.map(({ cause }) => cause);
  c.child('net-devices-socket', 'a socket for network devices', causes, [
    sys.close(made.outer),
    netlinkSocket(socket),
  ]);
  // The kernel moves a device before it finds that its new name is taken, and a virtual one would be lost.
  for (const device of devices) {
    if (givenIndex(device) !== undefined) continue;
    const { call: asked, found } = interfaceIndex(socket, device.newName, [ERRNO.ENODEV]);
    c.child('net-device-free', `see that no network device is named ${device.newName}`, device.cause, [
      asked,
      sys.check(found, 'EQ', -BigInt(ERRNO.ENODEV), ERRNO.EEXIST),
    ]);
  }
  c.child('net-devices-await', 'wait for the network devices', causes, [
    sys.write(made.inner, 'n'),
    ...awaitByte(made.inner, 'devices'),
    sys.close(made.inner),
  ]);
  for (const device of devices) {
    const { calls, index } = indexOf(socket, device);
    for (const [at, address] of device.host.addresses.entries()) {
      const place = copyOf(index, `${device.newName}_${at}`);
      calls.push(
        ...place.calls,
        ...request(socket, `${device.newName} address`, addressMessage(address, place.index)),
      );
    }
    const place = copyOf(index, `${device.newName}_up`);
    calls.push(
      ...place.calls,
      ...request(socket, `${device.newName} up`, linkMessage(place.index, IFF_UP, [])),
    );
    c.child('net-device-up', `addresses of ${device.newName}, and up`, device.cause, calls);
  }
  c.child('net-devices-done', 'close the socket for network devices', 'default: nothing is left open', [
    sys.close(socket),
  ]);
}

function awaitByte(from: Slot, name: string): Call[] {
  const length = slot(`${name}_length`);
  return [
    sys.read(from, outBuffer(`${name}_byte`, 1, false), { result: length }),
    sys.check(length, 'EQ', 1, ERRNO.ECANCELED),
  ];
}

/** A slot that lives in a structure can be in one alone. */
function copyOf(index: Slot | number, name: string): { calls: Call[]; index: Slot | number } {
  if (typeof index === 'number') return { calls: [], index };
  const copy = slot(`index_${name}`, { width: 4 });
  return { calls: [sys.check(index, 'GE', 1, ERRNO.ENODEV, { result: copy })], index: copy };
}

/** A device whose name the kernel makes (`eth%d`) is given a number, by which it is found. */
const GIVEN_INDEX = 1 << 16;

function givenIndex({ newName, host }: Moved): number | undefined {
  return newName.includes('%d') ? GIVEN_INDEX + host.index : undefined;
}

/** Asks for the number of a device by its name: struct ifreq of 40 bytes. `found` is a negative errno that is tolerated. */
export function interfaceIndex(
  socket: Slot,
  name: Bytes,
  tolerate: readonly number[] = [],
): { readonly call: Call; readonly index: Slot; readonly found: Slot } {
  const index = slot(`${name}_index`, { width: 4, reply: tolerate.length > 0 });
  const found = slot(`${name}_found`, { reply: tolerate.length > 0 });
  const ifreq = struct(
    ...fieldsOf(textBytes(name, 16)),
    { name: 'ifr_ifindex', width: 4, value: index },
    { name: 'rest', width: 20, value: 0 },
  );
  return { call: sys.ioctl(socket, SIOCGIFINDEX, ifreq, { result: found, tolerate }), index, found };
}

function indexOf(socket: Slot, device: Moved): { calls: Call[]; index: Slot | number } {
  const given = givenIndex(device);
  if (given !== undefined) return { calls: [], index: given };
  const { call: asked, index } = interfaceIndex(socket, device.newName);
  return { calls: [asked], index };
}

/** IFLA_NEW_IFINDEX of <linux/if_link.h>, taken with a move since 5.13. */
const IFLA_NEW_IFINDEX = 49;

function moveRequest(socket: Slot, device: Moved, pid: Slot): Call[] {
  const target = slot(`${device.name}_target`, { width: 4 });
  const given = givenIndex(device);
  const fields: Field[] = [
    ...attribute(IFLA_NET_NS_PID, [{ name: 'pid', width: 4, value: target }]),
    ...attribute(IFLA_IFNAME, fieldsOf(textBytes(device.newName, (device.newName.length + 4) & ~3))),
    ...(given === undefined ? [] : attribute(IFLA_NEW_IFINDEX, [{ name: 'index', width: 4, value: given }])),
  ];
  return [
    sys.check(pid, 'GE', 1, ERRNO.ESRCH, { result: target }),
    ...request(socket, device.name, linkMessage(device.host.index, undefined, fields)),
  ];
}

function textBytes(text: Bytes, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at < text.length ? text.charCodeAt(at) : 0));
}

/** Bytes as words, so that slots can stand beside them. */
function fieldsOf(bytes: Uint8Array): Field[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 4 }, (_, at) => ({
    name: `bytes${4 * at}`,
    width: 4,
    value: view.getUint32(4 * at, true),
    format: 'hex',
  }));
}

const sizeOf = (fields: readonly Field[]) => fields.reduce((sum, { width }) => sum + width, 0);

/** struct rtattr and its content, a multiple of 4 bytes. */
function attribute(type: number, content: readonly Field[]): Field[] {
  return [
    { name: 'rta_len', width: 2, value: 4 + sizeOf(content) },
    { name: 'rta_type', width: 2, value: type },
    ...content,
  ];
}

function message(type: number, flags: number, body: readonly Field[]): Field[] {
  return [
    { name: 'nlmsg_len', width: 4, value: 16 + sizeOf(body) },
    { name: 'nlmsg_type', width: 2, value: type },
    { name: 'nlmsg_flags', width: 2, value: NLM_F_REQUEST | NLM_F_ACK | flags },
    { name: 'nlmsg_seq', width: 4, value: 1 },
    { name: 'nlmsg_pid', width: 4, value: 0 },
    ...body,
  ];
}

/** RTM_NEWLINK; `flags` is IFF_UP or 0, undefined where the state of the device is left alone. */
function linkMessage(index: number | Slot, flags: number | undefined, attributes: readonly Field[]): Field[] {
  return message(RTM_NEWLINK, 0, [
    { name: 'ifi_family', width: 4, value: 0 },
    { name: 'ifi_index', width: 4, value: index },
    { name: 'ifi_flags', width: 4, value: flags ?? 0 },
    { name: 'ifi_change', width: 4, value: flags === undefined ? 0 : IFF_UP },
    ...attributes,
  ]);
}

function addressMessage({ family, prefixLength, attributes }: DeviceAddress, index: number | Slot): Field[] {
  return message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, [
    { name: 'ifa_family', width: 1, value: family },
    { name: 'ifa_prefixlen', width: 1, value: prefixLength },
    { name: 'ifa_flags', width: 1, value: 0 },
    { name: 'ifa_scope', width: 1, value: 0 },
    { name: 'ifa_index', width: 4, value: index },
    ...fieldsOf(attributes),
  ]);
}

/** What the kernel says most often; any other errno is EIO. */
const REASONS = [
  ERRNO.EPERM,
  ERRNO.ENODEV,
  ERRNO.EBUSY,
  ERRNO.EEXIST,
  ERRNO.EINVAL,
  ERRNO.EOPNOTSUPP,
  ERRNO.ESRCH,
];

/** Sends a message and reads its acknowledgement: struct nlmsghdr, then 0 or a negative errno (netlink(7)). */
function request(socket: Slot, name: string, fields: readonly Field[]): Call[] {
  const error = slot(`${name}_error`, { width: 4 });
  const answer = struct(
    { name: 'header', width: 16, value: 0 },
    { name: 'error', width: 4, value: error },
    { name: 'rest', width: 492, value: 0 },
  );
  return [
    call('write', [value(socket), pointer(struct(...fields), 2), number(sizeOf(fields))]),
    call('read', [value(socket), pointer(answer, 2), number(512)]),
    ...REASONS.map((errno) => sys.check(error, 'NE', 2 ** 32 - errno, errno)),
    sys.check(error, 'EQ', 0, ERRNO.EIO),
  ];
}
