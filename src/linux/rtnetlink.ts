// Builds rtnetlink(7) messages and reads their acknowledgements.
import { AF_UNSPEC, IFF_UP, NLM_F_ACK, NLM_F_REQUEST, NLMSG_ERROR, RTM_NEWLINK } from './constants/socket.ts';

/** sizeof(struct nlmsghdr), <linux/netlink.h>. */
const HEADER_LENGTH = 16;
/** sizeof(struct ifinfomsg), <linux/rtnetlink.h>. */
const LINK_LENGTH = 16;

/** The interface index of `lo`, the first device of every network namespace. */
export const LOOPBACK_INDEX = 1;

/**
 * The RTM_NEWLINK request, 32 bytes, that sets IFF_UP on interface `index` and nothing else; the kernel answers with an
 * acknowledgement. For a NETLINK_ROUTE socket inside the network namespace.
 */
export function linkSetUp(index: number, sequence = 1): Uint8Array {
  const message = new Uint8Array(HEADER_LENGTH + LINK_LENGTH);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length, true);
  view.setUint16(4, RTM_NEWLINK, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK, true);
  view.setUint32(8, sequence, true);
  view.setUint8(HEADER_LENGTH, AF_UNSPEC);
  view.setInt32(HEADER_LENGTH + 4, index, true);
  view.setUint32(HEADER_LENGTH + 8, IFF_UP, true);
  // ifi_change: which flags the kernel takes from ifi_flags.
  view.setUint32(HEADER_LENGTH + 12, IFF_UP, true);
  return message;
}

/**
 * The errno (0 for success) in the acknowledgement (struct nlmsgerr) to request `sequence`, undefined when `answer` is not
 * one.
 */
export function acknowledgedErrno(answer: Uint8Array, sequence = 1): number | undefined {
  if (answer.length < HEADER_LENGTH + 4) return undefined;
  const view = new DataView(answer.buffer, answer.byteOffset, answer.length);
  if (view.getUint16(4, true) !== NLMSG_ERROR || view.getUint32(8, true) !== sequence) return undefined;
  return Math.abs(view.getInt32(HEADER_LENGTH, true));
}
