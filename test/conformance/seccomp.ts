// Rows for seccomp: config-linux.md, Seccomp and The Container Process State.
import { oci, patch, type Requirement, rows, unit } from './requirement.ts';

const CHECK = 'src/spec/seccomp-check.ts';
const NOTIFY = 'src/plan/compile/notify.ts';
const CONNECT = 'src/plan/compile/sockets.ts';
const S = 'config-linux.md#configLinuxSeccomp';
const P = 'config-linux.md#containerprocessstate';

const required = (test: string) => unit('spec/requirements', `requirements: ${test} is refused`);
const AGENT = oci('notify', 'run, with no_new_privs: the agent decides');
const HANGS_UP = oci('notify', 'an agent that hangs up, or is not there, ends the start, with no_new_privs');

const ERRNO = patch(
  CHECK,
  `if (action !== 'SCMP_ACT_ERRNO' && action !== 'SCMP_ACT_TRACE')`,
  `if (action === 'SCMP_ACT_NOTIFY')`,
);
const SEND = `call('sendmsg', [value(made.agent), pointer(message, 'fixed'), number(MSG_NOSIGNAL, F.MESSAGE_FLAGS)]),`;

export const SECCOMP: readonly Requirement[] = [
  ...rows(
    { [`${S}.2`]: 'a default errno of an action that has none is an error' },
    required('a default errno of an action without one'),
    ERRNO,
  ),
  ...rows(
    { [`${S}.13`]: 'an errno of an action that has none is an error' },
    required('an errno of an action without one'),
    ERRNO,
  ),
  ...rows(
    { [`${S}.9`]: 'no metadata without a path of the listener' },
    required('metadata for nobody'),
    patch(
      CHECK,
      'if (metadata !== undefined && listener === undefined)',
      `if (metadata === '' && listener === undefined)`,
    ),
  ),
  ...rows(
    { [`${S}.11`]: 'a rule names a system call at least' },
    required('a rule for no call'),
    patch(CHECK, 'if (names?.length === 0) c.fail', 'if (names?.length === -1) c.fail'),
  ),
  ...rows(
    { [`${S}.3`]: 'the socket of the agent is a stream of the UNIX domain' },
    AGENT,
    patch(
      CONNECT,
      'connectCalls(path: Bytes, socket: Slot, type = SOCK_STREAM)',
      'connectCalls(path: Bytes, socket: Slot, type = 2)',
    ),
  ),
  ...rows(
    {
      [`${S}.4`]: 'one state for each connection',
      [`${S}.5`]: 'a connection is not used again',
      [`${P}.3`]: 'the descriptor comes with the first message alone',
    },
    AGENT,
    patch(NOTIFY, SEND, `${SEND} ${SEND}`),
  ),
  ...rows(
    { [`${S}.6`]: 'the connection is closed behind the state' },
    AGENT,
    patch(
      NOTIFY,
      `${SEND} sys.exitGroup(0),`,
      `${SEND} call('ppoll', [NULL, number(0), NULL, NULL, number(0)]),`,
    ),
  ),
  ...rows(
    { [`${S}.7`]: 'a state that cannot be sent is an error' },
    HANGS_UP,
    patch(NOTIFY, SEND, SEND.replace(']),', '], { tolerate: [32, 104, 107] }),')),
  ),
  ...rows(
    { [`${S}.8`]: 'the descriptor is called seccompFd' },
    AGENT,
    patch(NOTIFY, '"fds":["seccompFd"],"pid":`;', '"fds":["seccomp"],"pid":`;'),
  ),
  ...rows(
    { [`${P}.1`]: 'the state is JSON, the payload of the message' },
    AGENT,
    patch(
      NOTIFY,
      'const json = (from: unknown) => stringifyJson(from);',
      'const json = (from: unknown) => String(from);',
    ),
  ),
  ...rows(
    { [`${P}.2`]: 'the descriptor is sent by SCM_RIGHTS' },
    AGENT,
    patch(
      NOTIFY,
      'message: rightsOf(pieces, copy),',
      'message: rightsOf(pieces, slot("listener_none", { width: 4 })),',
    ),
  ),
  ...rows(
    { [`${P}.4`]: 'the process state has ociVersion' },
    AGENT,
    patch(NOTIFY, '`{"ociVersion":${json(ociVersion)},"fds"', '`{"ociVersion":"1.0.0","fds"'),
  ),
  ...rows(
    { [`${P}.5`]: 'the process state has the process id, as the host counts' },
    oci('notify', 'create, start and exec, with no_new_privs'),
    patch(
      NOTIFY,
      `decimalPiece('pid', pid), decimalPiece('state_pid', pid)`,
      `decimalPiece('pid', listener), decimalPiece('state_pid', listener)`,
    ),
  ),
  ...rows(
    { [`${P}.6`]: 'the process state has the state of the container' },
    AGENT,
    patch(NOTIFY, '`,"state":{"ociVersion"', '`,"status":{"ociVersion"'),
  ),
];
