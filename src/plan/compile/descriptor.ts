// Passing one descriptor over a unix socket (unix(7), SCM_RIGHTS; cmsg(3)).
import type { Bytes } from '../../linux/bytes.ts';
import { MSG_CMSG_CLOEXEC, SCM_RIGHTS, SOL_SOCKET } from '../../linux/constants/socket.ts';
import { ERRNO } from '../../linux/errno.ts';
import * as F from '../../linux/flags.ts';
import {
  type Call,
  call,
  type Field,
  type Memory,
  number,
  outBuffer,
  pointer,
  type Slot,
  slot,
  struct,
  value,
} from '../call.ts';
import * as sys from '../syscalls.ts';

/** struct msghdr with some bytes of data and one descriptor; `fd` lives inside the control message. */
function message(fd: Slot, data: Memory, length: number): Memory {
  const control = struct(
    { name: 'cmsg_len', width: 8, value: 20 },
    { name: 'cmsg_level', width: 4, value: SOL_SOCKET },
    { name: 'cmsg_type', width: 4, value: SCM_RIGHTS },
    { name: 'fd', width: 4, value: fd },
    { name: 'padding', width: 4, value: 0 },
  );
  const iovec = struct(
    { name: 'iov_base', width: 8, value: data },
    { name: 'iov_len', width: 8, value: length },
  );
  const fields: Field[] = [
    { name: 'msg_name', width: 8, value: 0 },
    { name: 'msg_namelen', width: 8, value: 0 },
    { name: 'msg_iov', width: 8, value: iovec },
    { name: 'msg_iovlen', width: 8, value: 1 },
    { name: 'msg_control', width: 8, value: control },
    { name: 'msg_controllen', width: 8, value: 24 },
    { name: 'msg_flags', width: 8, value: 0 },
  ];
  return struct(...fields);
}

/** Sends `fd` over the socket. The number is copied into the message by CHECK, whose result is its left side. */
export function sendDescriptor(socket: sys.Fd, fd: Slot, data: Bytes = 'x'): Call[] {
  const copy = slot(`${fd.name}_sent`, { width: 4 });
  return [
    sys.check(fd, 'GE', 0, ERRNO.EBADF, { result: copy }),
    call('sendmsg', [
      value(socket),
      pointer(message(copy, { kind: 'string', bytes: data }, data.length), 'fixed'),
      number(0),
    ]),
  ];
}

/** Receives one descriptor into `fd`, a slot of 4 bytes. */
export function receiveDescriptor(socket: sys.Fd, fd: Slot): Call[] {
  const byte = outBuffer('message_byte', 1, false);
  const length = slot('message_length');
  const received = message(fd, { kind: 'out', buffer: byte }, 1);
  return [
    call('recvmsg', [value(socket), pointer(received, 'fixed'), number(MSG_CMSG_CLOEXEC, F.MESSAGE_FLAGS)], {
      result: length,
    }),
    sys.check(length, 'EQ', 1, ERRNO.ECANCELED),
  ];
}
