// Whether a container of a test lives and dies with its command.

/** A container of these tests lives and dies with its command, unless the test says otherwise. */
export function boundFlags(given: readonly string[]): string[] {
  return given.some((word) => ['--rm', '--rm=false', '-d', '--detach'].includes(word)) ? [] : ['--rm'];
}
