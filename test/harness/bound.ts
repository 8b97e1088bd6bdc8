// How a container of a test is bound to its command: it lives and dies with it, and a signal is an exit code of it.

/** A container of these tests lives and dies with its command, unless the test says otherwise. */
export function boundFlags(given: readonly string[]): string[] {
  return given.some((word) => ['--rm', '--rm=false', '-d', '--detach'].includes(word)) ? [] : ['--rm'];
}

/** What a shell adds to 128. */
export const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGKILL: 9,
  SIGTERM: 15,
};
