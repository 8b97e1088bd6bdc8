// Addresses of network devices in rtnetlink(7) messages: the dump, and the request that gives one to a device.
import {
  NLM_F_DUMP,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  RTM_GETADDR,
  RTM_NEWADDR,
} from './constants/socket.ts';

/** sizeof(struct nlmsghdr), <linux/netlink.h>. */
const HEADER_LENGTH = 16;
/** sizeof(struct ifaddrmsg), <linux/if_addr.h>. */
const ADDRESS_LENGTH = 8;

/** <linux/if_addr.h>, <linux/rtnetlink.h>. */
const IFA_F_PERMANENT = 0x80;
const RT_SCOPE_UNIVERSE = 0;
const [IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST] = [1, 2, 4];

/** An address of a device: what can be given to it again in another network namespace. */
export interface DeviceAddress {
  /** The index of the device. */
  readonly index: number;
  /** AF_INET or AF_INET6. */
  readonly family: number;
  readonly prefixLength: number;
  /** IFA_F_PERMANENT: somebody has configured it, and it does not expire. */
  readonly permanent: boolean;
  /** RT_SCOPE_UNIVERSE: it means the same everywhere. */
  readonly global: boolean;
  /** IFA_ADDRESS, IFA_LOCAL and IFA_BROADCAST, as the kernel wrote them, each padded to 4 bytes. */
  readonly attributes: Uint8Array;
}

/** The request for the addresses of all devices. */
export function addressDump(): Uint8Array {
  const message = new Uint8Array(HEADER_LENGTH + ADDRESS_LENGTH);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length, true);
  view.setUint16(4, RTM_GETADDR, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_DUMP, true);
  view.setUint32(8, 1, true);
  return message;
}

const align = (length: number) => (length + 3) & ~3;

/** The addresses in one answer to a dump, and whether it was the last. Throws RangeError for what is no such answer. */
export function parseAddresses(answer: Uint8Array): { addresses: DeviceAddress[]; done: boolean } {
  const view = new DataView(answer.buffer, answer.byteOffset, answer.length);
  const addresses: DeviceAddress[] = [];
  for (let at = 0; at + HEADER_LENGTH <= answer.length; ) {
    const length = view.getUint32(at, true);
    const type = view.getUint16(at + 4, true);
    if (length < HEADER_LENGTH || at + length > answer.length)
      throw new RangeError('a netlink message that is cut');
    if (type === NLMSG_DONE || type === NLMSG_ERROR) return { addresses, done: true };
    if (type === RTM_NEWADDR && length >= HEADER_LENGTH + ADDRESS_LENGTH)
      addresses.push(parseAddress(answer.subarray(at + HEADER_LENGTH, at + length)));
    at += align(length);
  }
  return { addresses, done: false };
}

/** struct ifaddrmsg and its attributes. */
function parseAddress(message: Uint8Array): DeviceAddress {
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const kept: number[] = [];
  for (let at = ADDRESS_LENGTH; at + 4 <= message.length; ) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > message.length) throw new RangeError('an attribute that is cut');
    if ([IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST].includes(view.getUint16(at + 2, true))) {
      for (let byte = 0; byte < align(length); byte++)
        kept.push(byte < length ? (message[at + byte] ?? 0) : 0);
    }
    at += align(length);
  }
  return {
    index: view.getUint32(4, true),
    family: message[0] ?? 0,
    prefixLength: message[1] ?? 0,
    permanent: ((message[2] ?? 0) & IFA_F_PERMANENT) !== 0,
    global: message[3] === RT_SCOPE_UNIVERSE,
    attributes: Uint8Array.from(kept),
  };
}
