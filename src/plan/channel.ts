// The channel's place in a launcher that passes nothing more than 0, 1 and 2.

/** The first descriptor behind the standard ones; behind those that are passed on, where there are some. */
export const CHANNEL = 3;
