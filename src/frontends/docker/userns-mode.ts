// `--userns MODE[:OPTIONS]` as podman spells it (podman-run(1)): host, private, keep-id, nomap, auto, ns:PATH.

import type { Bytes } from '../../linux/bytes.ts';
import { ID_MAX } from '../../linux/passwd.ts';
import { parseId } from '../users.ts';
import { flagRefused } from './flag-error.ts';

/** A mode that makes maps of its own. */
export interface UsernsMode {
  readonly mode: 'auto' | 'keep-id' | 'nomap';
  /** `keep-id`: who the caller is inside; as outside when absent. */
  readonly uid?: number;
  readonly gid?: number;
  /** How many ids there are inside. */
  readonly size?: number;
  /** `auto`: lines that stand beside the range which is found, CONTAINER:HOST:COUNT. */
  readonly uidmapping: readonly Bytes[];
  readonly gidmapping: readonly Bytes[];
}

const OPTIONS: Readonly<Record<UsernsMode['mode'], readonly string[]>> = {
  auto: ['size', 'uidmapping', 'gidmapping'],
  'keep-id': ['uid', 'gid', 'size'],
  nomap: [],
};

function isMode(name: Bytes): name is UsernsMode['mode'] {
  return name === 'auto' || name === 'keep-id' || name === 'nomap';
}

/** The mode; undefined for one that is none of these. Throws CaissonError `EUSAGE` for options that it does not have. */
export function usernsMode(text: Bytes | undefined): UsernsMode | undefined {
  if (text === undefined) return undefined;
  const colon = text.indexOf(':');
  const mode = colon < 0 ? text : text.slice(0, colon);
  if (!isMode(mode)) return undefined;
  const numbers: { uid?: number; gid?: number; size?: number } = {};
  const lines = { uidmapping: [] as Bytes[], gidmapping: [] as Bytes[] };
  for (const option of colon < 0 ? [] : text.slice(colon + 1).split(',')) {
    const equals = option.indexOf('=');
    const [key, value] = [option.slice(0, Math.max(equals, 0)), option.slice(equals + 1)];
    if (!OPTIONS[mode].includes(key))
      throw flagRefused('userns', text, `unknown option ${key === '' ? option : key} of ${mode}`);
    if (key === 'uidmapping' || key === 'gidmapping') lines[key].push(value);
    else if (key === 'uid' || key === 'gid' || key === 'size') numbers[key] = numberOf(text, key, value);
  }
  return { mode, ...numbers, ...lines };
}

function numberOf(text: Bytes, key: 'uid' | 'gid' | 'size', value: Bytes): number {
  const id = parseId(value, key === 'gid' ? 'group' : 'user');
  if (id === undefined || (key === 'size' && id === 0))
    throw flagRefused('userns', text, `${key} is a number from ${key === 'size' ? 1 : 0} to ${ID_MAX}`);
  return id;
}
