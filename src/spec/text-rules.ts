// What Linux allows in paths, names and lists: each rule says what is wrong with a text, or nothing.

import type { Bytes } from '../linux/bytes.ts';
import { quote } from './check.ts';

/** PATH_MAX of <linux/limits.h> counts the NUL at the end. */
const PATH_MAX = 4096;
const NAME_MAX = 255;
const LONG_NAME = /[^/]{256}/;

/** path_resolution(7): 4095 bytes, names of 255. */
export function pathRule(path: Bytes): string | undefined {
  if (path === '') return 'is empty; expected a path';
  if (path.length >= PATH_MAX) return `a path of ${path.length} bytes; Linux has at most ${PATH_MAX - 1}`;
  if (path.length > NAME_MAX && LONG_NAME.test(path))
    return `a name in the path is longer than ${NAME_MAX} bytes`;
  return undefined;
}

/** A path that begins at the root. */
export function absolutePathRule(path: Bytes): string | undefined {
  if (path !== '' && path.charCodeAt(0) !== 47) return `${quote(path)} is not an absolute path`;
  return pathRule(path);
}

/** What is written to a file as one line: labels, profiles, names. */
export function lineRule(text: Bytes): string | undefined {
  return text.includes('\n') ? 'contains a line break' : undefined;
}

/** A list of numbers as the kernel prints and reads it (cpuset(7), List format): `0-3,7`, `0-31:2/8`. */
export function numberListRule(text: Bytes): string | undefined {
  if (text.length > 4096) return 'a list of more than 4096 bytes';
  if (/^\s*(?:\d+(?:-\d+(?::\d+\/\d+)?)?\s*(?:,\s*|$))+\s*$/.test(text)) return undefined;
  return `${quote(text)} is not a list of numbers and ranges such as "0-3,7"`;
}

/** dev_valid_name() of the kernel: 1 to 15 bytes without slash, colon or space. */
export function deviceNameRule(name: Bytes): string | undefined {
  if (name.length >= 1 && name.length <= 15 && name !== '.' && name !== '..' && !/[/:\s]/.test(name))
    return undefined;
  return `${quote(name)} is not a name that a network device can have (1 to 15 bytes, no "/", ":" or space)`;
}

/** utsname of uname(2): 64 bytes. */
export function hostNameRule(name: Bytes): string | undefined {
  return name.length > 64 ? `a name of ${name.length} bytes; Linux has at most 64` : undefined;
}
