// Unix sockets of the host by path: those of engines that want the terminal or a pidfd, and the start barrier's.
//
// unix(7): sun_path has 108 bytes, and state directories of engines are longer; so the launcher changes into the
// directory, names the last component alone, and goes back.
import type { Bytes } from '../../linux/bytes.ts';
import { O_CLOEXEC, O_PATH } from '../../linux/constants/open.ts';
import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from '../../linux/constants/socket.ts';
import * as F from '../../linux/flags.ts';
import { type Call, call, number, pointer, type Slot, slot, value } from '../call.ts';
import * as sys from '../syscalls.ts';
import { O_DIRECTORY } from './destination.ts';

/** Connects `socket` to a path of the host, or to an abstract name, which begins with a NUL (unix(7)). */
export function connectCalls(path: Bytes, socket: Slot, type = SOCK_STREAM): Call[] {
  return inDirectory(path, socket, type, 'connect');
}

/** Binds `socket` to a path of the host. */
export function bindCalls(path: Bytes, socket: Slot, type = SOCK_STREAM): Call[] {
  return inDirectory(path, socket, type, 'bind');
}

function inDirectory(path: Bytes, socket: Slot, type: number, name: 'bind' | 'connect'): Call[] {
  const made = call(
    'socket',
    [number(AF_UNIX, F.ADDRESS_FAMILIES), number(type | SOCK_CLOEXEC, F.SOCKET_TYPES), number(0)],
    { result: socket },
  );
  if (path.startsWith('\0'))
    return [made, call(name, [value(socket), ...address(path, '')], { retry: true })];
  const cut = path.lastIndexOf('/');
  const back = slot('working_directory');
  const directory = cut < 0 ? '.' : path.slice(0, cut + 1);
  return [
    made,
    sys.openat(sys.AT_FDCWD, '.', O_PATH | O_DIRECTORY | O_CLOEXEC, 0, { result: back }),
    sys.chdir(directory),
    call(name, [value(socket), ...address(path.slice(cut + 1))], { retry: true }),
    sys.fchdir(back),
    sys.close(back),
  ];
}

/** struct sockaddr_un, little-endian, and its length, the NUL that ends a path included. */
function address(name: Bytes, end = '\0') {
  const bytes = `${String.fromCharCode(AF_UNIX)}\0${name}${end}`;
  const text = `{sun_family=AF_UNIX, sun_path="${name}"}`;
  return [pointer({ kind: 'buffer', bytes, text }, 2), number(bytes.length)] as const;
}
