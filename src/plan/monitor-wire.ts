// The wire format between TypeScript and the monitor of a detached container: its configuration, and messages of clients.
//
// Declared here once; scripts/generate-wire.ts prints launcher/monitor.h from it. All numbers are little-endian.
//
//   configuration = 64-bit fields | words, each ended by NUL; an empty word ends a list of words
//   message       = 28 bytes of a client, with its descriptors 0, 1 and 2 as SCM_RIGHTS where it attaches
//   answer        = a frame (wire.ts) with the kind of message in `index`

/** Timers that run a command: the health check, and the limit of time. */
export const MONITOR_TIMERS = 2;

/** Fields of the configuration, in order; a command or list is the number of its first word, counted from 1, 0 of none. */
export const MONITOR_FIELDS = [
  'magic',
  /** Which run of the container this is; it comes back in the exit record. */
  'run',
  /** 1: the container has a terminal, whose master is MONITOR_FD_OUTPUT; its other descriptors are then closed. */
  'terminal',
  /** 1: MONITOR_FD_INPUT is there. */
  'input',
  /** Bit 0: a command waits at MONITOR_FD_CLIENT; bits 1 to 3: its descriptors 0, 1 and 2 lie behind that. */
  'attached',
  /** Bytes that detach this command, the first in the lowest one, and how many. */
  'keys',
  'key_count',
  /** 1: the exit record is on the disk before the monitor ends. */
  'durable',
  /** A LOG_ number. */
  'log_driver',
  /** Bytes after which the log is rotated, 0: never. */
  'log_size',
  /** Files, the current one included. */
  'log_files',
  'log_name',
  'environment',
  'exit_command',
  /** Milliseconds between the end of the container and `exit_command`. */
  'exit_delay',
  'text_length',
] as const;

/** Fields of a timer, behind the fields above: milliseconds, and a command. */
export const TIMER_FIELDS = [
  /** Until it runs first, 0: never. */
  'first',
  /** After an exit code of 0, and of anything else; 0: not again. */
  'interval',
  'interval_after_failure',
  'command',
] as const;

/** Numbers shared by both sides; printed with the prefix `MONITOR_`. */
export const MONITOR = {
  /** "CAIM" */
  MAGIC: 0x4d494143,
  /** Bytes and number of all words. */
  TEXT: 8192,
  VECTOR: 128,

  /** The command that started the container, at its channel, and its descriptors 0, 1 and 2 behind it. */
  FD_CLIENT: 3,
  FD_CONFIG: 7,
  /** The directory of the container: exit record and logs. */
  FD_PLACE: 8,
  /** Clients connect here. */
  FD_ATTACH: 9,
  FD_PIDFD: 10,
  /** Standard output, or the terminal. */
  FD_OUTPUT: 11,
  FD_ERROR: 12,
  FD_INPUT: 13,

  LOG_NONE: 0,
  LOG_JSON: 1,
  LOG_K8S: 2,

  /** Messages: `a` keys that detach, `b` whether the end of input ends the container's, `c` bits of the descriptors sent. */
  ATTACH: 1,
  /** `a` rows, `b` columns. */
  RESIZE: 2,
  /** Answers. */
  ATTACHED: 3,
  DETACHED: 4,
  /** `error` is the exit code, `name` the signal. */
  ENDED: 5,
} as const;

/** u32 fields of a message before its 8 bytes of keys. */
export const MESSAGE_FIELDS = ['magic', 'kind', 'a', 'b', 'c'] as const;
/** Bytes of keys in a message. */
export const MESSAGE_KEYS = 8;
