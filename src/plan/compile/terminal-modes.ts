// The modes of a container's terminal: those of a new one, but for line feeds that nobody sits in front of.
import * as tty from '../../linux/constants/terminal.ts';
import { type Call, type Slot, struct } from '../call.ts';
import * as sys from '../syscalls.ts';
import type { Context } from './context.ts';

/** B38400 of <asm-generic/termbits.h>: the speed of every new terminal. */
const SPEED = 0o17;

const { ISIG, ICANON, ECHO, ECHOE, ECHOK, ECHOCTL, ECHOKE, IEXTEN } = tty;
const LOCAL = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;

/** A new pseudo-terminal (tty_std_termios and INIT_C_CC of the kernel) without ONLCR: struct termios of TCSETS. */
const WITHOUT_ONLCR = struct(
  { name: 'c_iflag', width: 4, value: tty.ICRNL | tty.IXON },
  { name: 'c_oflag', width: 4, value: tty.OPOST },
  { name: 'c_cflag', width: 4, value: SPEED | tty.CS8 | tty.CREAD },
  { name: 'c_lflag', width: 4, value: LOCAL },
  // c_line 0, then VINTR ^C, VQUIT ^\\, VERASE DEL, VKILL ^U, VEOF ^D, VTIME 0, VMIN 1.
  { name: 'c_line, c_cc', width: 8, value: 0x0100_0415_7f1c_0300n },
  // VSWTC 0, VSTART ^Q, VSTOP ^S, VSUSP ^Z, VEOL 0, VREPRINT ^R, VDISCARD ^O, VWERASE ^W.
  { name: 'c_cc', width: 8, value: 0x170f_1200_1a13_1100n },
  // VLNEXT ^V.
  { name: 'c_cc', width: 4, value: 0x16 },
);

/** runc's own terminals, of attached programs, are without ONLCR: their output is copied, not shown. */
export function lineFeeds(c: Context, peer: Slot): Call[] {
  return c.options.plainLineFeeds === true ? [sys.ioctl(peer, tty.TCSETS, WITHOUT_ONLCR)] : [];
}
