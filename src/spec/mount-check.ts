// Checks of `mounts` (config.md, Mounts) that need no look at the host.

import type { Bytes } from '../linux/bytes.ts';
import { type Check, type Fields, quote } from './check.ts';
import { checkIDMappings } from './id-mapping-check.ts';
import { type MountOptions, parseMountOptions } from './mount-options.ts';
import type { Namespaces } from './namespace-check.ts';
import { lineRule, pathRule } from './text-rules.ts';

/** Checks one entry of `mounts`. */
export function checkMount(mount: Fields, namespaces: Namespaces, c: Check): void {
  c.require(mount, 'destination');
  const destination = c.text(mount, 'destination', pathRule);
  if (destination !== undefined && !destination.startsWith('/')) {
    c.warn('destination', `${quote(destination)} is relative, which is deprecated: taken from /`);
  }
  const type = c.textOrNothing(mount, 'type', lineRule);
  const source = c.textOrNothing(mount, 'source', sourceRule);
  const names = c.texts(mount, 'options', optionRule) ?? [];
  const options = parseMountOptions(names, type);
  if (options.bind) checkBind(source, options, c);
  else if (type === undefined && needsType(options)) {
    c.fail('type', 'is required: the file system, or the option bind or rbind');
  }
  if (options.tmpcopyup && type !== 'tmpfs') c.warn('options', 'tmpcopyup acts on a tmpfs only: ignored');
  for (const [first, second] of options.undone)
    c.warn('options', `${first} and then ${second}: the last one holds`);
  checkIDMap(mount, options, namespaces, c);
}

/** A network file system's source may be longer than a path; a page is what mount(2) copies. */
function sourceRule(source: Bytes): string | undefined {
  return source.length >= 4096 ? `${source.length} bytes; Linux has at most 4095` : undefined;
}

/** Options are joined by commas for mount(2): an empty one would be lost, and no option has a line break. */
function optionRule(option: Bytes): string | undefined {
  if (option === '') return 'is empty';
  return lineRule(option);
}

function checkBind(source: Bytes | undefined, options: MountOptions, c: Check): void {
  if (source === undefined) {
    if (!options.remount) c.fail('source', 'is required for a bind mount');
  } else {
    const objection = pathRule(source);
    if (objection !== undefined) c.fail('source', objection);
  }
  if (options.data.length > 0) {
    c.warn(
      'options',
      `a bind mount takes no options of the file system: ${options.data.map(quote).join(', ')} ignored`,
    );
  }
}

/** A change of an existing mount, or of its propagation alone, mounts no file system. */
function needsType(options: MountOptions): boolean {
  return !options.remount && options.propagation.length === 0;
}

function checkIDMap(mount: Fields, options: MountOptions, namespaces: Namespaces, c: Check): void {
  const uids = checkIDMappings(mount, 'uidMappings', c);
  const gids = checkIDMappings(mount, 'gidMappings', c);
  if (uids > 0 && gids === 0 && mount.gidMappings === undefined)
    c.fail('gidMappings', 'is required beside uidMappings');
  if (gids > 0 && uids === 0 && mount.uidMappings === undefined)
    c.fail('uidMappings', 'is required beside gidMappings');
  const mapped = options.idmap !== undefined;
  if (!mapped && uids + gids === 0) return;
  if (!options.bind) c.fail(mapped ? 'options' : 'uidMappings', 'only a bind mount can be id-mapped');
  if (mapped && uids + gids === 0 && !namespaces.own.has('user')) {
    c.fail(
      'options',
      `${options.idmap} needs uidMappings and gidMappings here, or a user namespace to take them from`,
    );
  }
}
