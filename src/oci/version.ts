// The version of caisson, and the version of runc whose command line this is.

/** package.json has the same (a test compares them). */
export const VERSION = '0.1.0';

/** runc's releases whose command line, texts and files this runtime follows. */
export const RUNC_VERSION = '1.4.0';
