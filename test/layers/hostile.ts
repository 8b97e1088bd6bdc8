// Archives that try to reach what is outside of the directory that they are unpacked into (security.md, 4.2).
import { concat, END, header, member, padded, pax } from '../../src/image/tar.testing.ts';

const CAPABILITY = '\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0';

const link = (name: string, linkName: string) => member({ name, type: '2', linkName });
const hard = (name: string, linkName: string) => member({ name, type: '1', linkName });
const file = (name: string, more = {}) => member({ name, mode: 0o666, ...more }, 'overwritten\n');
const directory = (name: string, more = {}) => member({ name, type: '5', mode: 0o700, mtime: 1, ...more });
const upTo = (outside: string) => `../../../../../../../..${outside}`;

type Archives = Record<string, Uint8Array>;

function paths(outside: string): Archives {
  const up = upTo(outside);
  return {
    'dot dot': file('../outside/canary'),
    'dot dot in the middle': file('a/../../outside/canary'),
    'dot dot of a directory': directory('../outside/directory'),
    'absolute name': file(`${outside}/canary`),
    'file through an absolute link': concat(link('l', outside), file('l/canary')),
    'file through a relative link': concat(link('l', up), file('l/canary')),
    'file through two links': concat(link('a', up), link('b', 'a'), file('b/canary')),
    'file over a link': concat(link('canary', `${outside}/canary`), file('canary')),
    'file over a hard link to a link': concat(link('l', `${outside}/canary`), hard('h', 'l'), file('h')),
    'link to the parent, then a hard link': concat(link('l', '..'), hard('h', 'l/outside/canary'), file('h')),
    'hard link to a file outside': concat(hard('h', `${outside}/canary`), file('h')),
    'hard link with dot dot': concat(hard('h', '../outside/canary'), file('h')),
    'hard link by a chain of links': concat(
      link('a', outside),
      link('b', 'a/directory'),
      hard('h', 'b/canary'),
      file('h'),
    ),
    'hard link to a link': concat(link('l', `${outside}/canary`), hard('h', 'l')),
    'directory replaced by a link under another name': concat(
      directory('a'),
      directory('a/d'),
      link('b', 'a'),
      link('b/d', `${outside}/directory`),
    ),
    'hard link to the root': hard('h', '.'),
    'directory over a link': concat(link('l', outside), directory('l'), file('l/canary')),
    'attributes of a directory through a link': concat(
      directory('l'),
      link('l', `${outside}/directory`),
      directory('l/'),
    ),
    'attributes at the end through a link': concat(
      directory('l', { uid: 1 }),
      link('l', `${outside}/directory`),
    ),
    'attributes of a file below a link': concat(link('l', outside), directory('l/directory', { mode: 0 })),
    'directory replaced by a link and back': concat(
      directory('d'),
      link('d', outside),
      directory('d'),
      link('d', outside),
      file('d/canary'),
    ),
    whiteouts: concat(
      link('l', outside),
      file('.wh.l'),
      file('l/.wh.canary'),
      file('.wh..'),
      file('l/.wh..wh..opq'),
      file('.wh.'),
    ),
  };
}

function links(outside: string): Archives {
  const up = upTo(outside);
  return {
    'attributes of overlay': concat(
      pax(
        ['SCHILY.xattr.trusted.overlay.redirect', outside],
        ['SCHILY.xattr.user.overlay.redirect', outside],
      ),
      directory('d'),
    ),
    'xattr through a link': concat(
      link('l', `${outside}/canary`),
      pax(['SCHILY.xattr.user.note', 'x']),
      link('l', `${outside}/canary`),
    ),
    'fifo, then a file through it': concat(member({ name: 'p', type: '6' }), file('p')),
    'fifo as a directory': concat(member({ name: 'p', type: '6' }), file('p/canary')),
    'pax names': concat(pax(['path', `${up}/canary`]), file('harmless')),
    'pax link': concat(pax(['linkpath', `${outside}/canary`]), hard('h', 'harmless'), file('h')),
    'pax size hides a member': concat(
      pax(['size', '512']),
      header({ name: 'a', size: 0 }),
      header({ name: '../outside/canary', size: 0 }),
    ),
    'long names': concat(
      file('n'.repeat(300)),
      concat(pax(['path', `${`${'a'.repeat(250)}/`.repeat(15)}${'n'.repeat(90)}`]), file('x')),
    ),
    'a component that is too long': concat(pax(['path', 'n'.repeat(256)]), file('x')),
    'links in a circle': concat(link('a', 'b'), link('b', 'a'), file('a/canary')),
    'root replaced by a link': link('.', outside),
    'root replaced by a file': file('/'),
    'unicode twins': concat(
      link('caf\xc3\xa9', outside),
      file('cafe\xcc\x81/canary'),
      file('caf\xe9/canary'),
    ),
    'proc links': concat(
      link('l', '/proc/self/root'),
      file(`l${outside}/canary`),
      link('m', '/proc/self/cwd'),
      file('m/canary'),
    ),
    'descriptor links': concat(
      link('l', '/proc/self/fd/4'),
      file('l/canary'),
      link('m', '/dev/fd/3'),
      file('m'),
    ),
    'cut off': concat(link('l', outside), header({ name: 'l/canary', size: 5000 }), padded('x')),
    'device through a link': concat(
      link('l', outside),
      member({ name: 'l/canary', type: '3', device: [1, 3] }),
    ),
  };
}

function replacements(outside: string): Archives {
  return {
    'owner, mode and time of a link': concat(
      member({ name: 'l', type: '2', linkName: `${outside}/canary`, uid: 7, gid: 7, mode: 0, mtime: 7 }),
      pax(['SCHILY.xattr.security.capability', CAPABILITY]),
      member({ name: 'l', type: '2', linkName: `${outside}/canary`, mode: 0 }),
    ),
    'file capabilities through a hard link to a link': concat(
      link('l', `${outside}/canary`),
      pax(['SCHILY.xattr.security.capability', CAPABILITY]),
      hard('h', 'l'),
    ),
    'whiteouts of links, and through them': concat(
      link('l', outside),
      link('f', `${outside}/canary`),
      file('.wh.l'),
      file('.wh.f'),
    ),
    'whiteouts through a link to a directory': concat(
      link('l', outside),
      file('l/.wh.canary'),
      file('l/.wh.directory'),
    ),
    'an opaque directory through a link': concat(link('l', outside), file('l/.wh..wh..opq')),
    'whiteouts of the parent': concat(file('.wh..'), directory('d'), file('d/.wh...')),
    'a whiteout with dot dot': file('../.wh.outside'),
    'long names of GNU, twice': concat(
      member({ name: '././@LongLink', type: 'L' }, `${outside}/canary\0`),
      member({ name: '././@LongLink', type: 'L' }, `l/canary\0`),
      link('harmless', outside),
      member({ name: '././@LongLink', type: 'K' }, `${outside}/canary\0`),
      hard('h', 'harmless'),
      file('h'),
    ),
    'a name with a newline, and one with a NUL': concat(
      pax(['path', `l\n${outside}/canary`]),
      file('x'),
      pax(['path', `x\0/../${outside}/canary`]),
      file('y'),
    ),
    'a size below nothing': header({
      name: 'a',
      patch: { 124: '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff' },
    }),
    'a size of 2^63': header({ name: 'a', patch: { 124: '\x80\0\0\0\x80\0\0\0\0\0\0\0' } }),
  };
}

function marks(outside: string): Archives {
  return {
    'a sparse map that leaves its file': concat(
      link('l', outside),
      pax(
        ['GNU.sparse.major', '0'],
        ['GNU.sparse.minor', '1'],
        ['GNU.sparse.name', 'l/canary'],
        ['GNU.sparse.realsize', '10'],
        ['GNU.sparse.map', '0,5,9000000,5'],
      ),
      member({ name: 'x' }, 'x'.repeat(10)),
    ),
    'a sparse file through a link': concat(
      link('l', outside),
      pax(
        ['GNU.sparse.major', '0'],
        ['GNU.sparse.minor', '1'],
        ['GNU.sparse.name', 'l/canary'],
        ['GNU.sparse.realsize', '10'],
        ['GNU.sparse.map', '0,5'],
      ),
      member({ name: 'x' }, 'xxxxx'),
    ),
    'rubbish behind the end': concat(link('l', outside), END, file('l/canary')),
    'a root that may not be entered': concat(
      directory('./', { mode: 0 }),
      file('a'),
      link('l', outside),
      file('l/canary'),
    ),
    'everything twice': concat(
      link('l', outside),
      link('l', outside),
      directory('l'),
      directory('l'),
      file('l/canary'),
      file('l/canary'),
    ),
  };
}

/** By what they try; `outside` is a directory with canaries. Each is unpacked or refused. */
export function hostile(outside: string): Archives {
  return { ...paths(outside), ...links(outside), ...replacements(outside), ...marks(outside) };
}
