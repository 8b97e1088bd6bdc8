// Combinations of flags that every root is opened and attached with.
import { openFlags } from '../linux/abi/index.ts';
import { O_CLOEXEC, O_PATH } from '../linux/constants/open.ts';

// Plans are written with x86-64's values of these; the encoder translates them.
const { O_DIRECTORY, O_NOFOLLOW } = openFlags('x86_64');

/** A descriptor of a directory that is one and no link to one, for the *at() calls. */
export const DIRECTORY = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/** The same for a path of the caller's, whose links are the caller's own. */
export const DIRECTORY_OR_LINK = O_PATH | O_DIRECTORY | O_CLOEXEC;

/** Both ends of move_mount(2) are descriptors. */
export { ONTO } from '../plan/compile/file-system.ts';

/** A link in the last component of a path is not followed. */
export const NOFOLLOW = O_NOFOLLOW;
