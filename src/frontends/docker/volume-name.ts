// Names of volumes: docker's rules and words.

import type { Bytes } from '../../linux/bytes.ts';

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
/** NAME_MAX of <linux/limits.h>: a volume is a directory of its name. */
const LONGEST = 255;

/** Why `name` cannot be the name of a volume, in docker's words; undefined when it can. */
export function volumeNameProblem(name: Bytes): string | undefined {
  if (name.length === 1)
    return 'volume name is too short, names should be at least two alphanumeric characters';
  if (!NAME.test(name)) {
    return (
      `"${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. ` +
      'If you intended to pass a host directory, use absolute path'
    );
  }
  return name.length > LONGEST ? `volume name is too long, at most ${LONGEST} characters` : undefined;
}
