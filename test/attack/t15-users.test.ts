// T15: strings that name users: digits are ids and never names, nothing wraps (CVE-2016-3697, CVE-2024-40635,
// CVE-2026-30892). Written for `run`; `exec` has the same table when it comes.
import { writeFileSync } from 'node:fs';
import { type Arena, refusedClearly } from './arena.ts';
import { attack } from './attack.ts';

const PASSWD = [
  'root:x:0:0::/root:/bin/sh',
  '1000:x:0:0:a name of digits:/:/bin/sh',
  '1:x:0:0::/:/bin/sh',
  'alice:x:1001:1002::/:/bin/sh',
  '4294967296:x:7:7::/:/bin/sh',
  '',
];
const GROUP = ['root:x:0:', '1000:x:0:', 'alice:x:1002:', ''];

/** What is asked for, and `uid:gid`, or undefined where it must be refused. */
const TABLE: readonly (readonly [string, string | undefined])[] = [
  ['0', '0:0'],
  ['1', '1:0'],
  ['1:1', '1:1'],
  ['1000', '1000:0'],
  ['1000:1000', '1000:1000'],
  ['001000', '1000:0'],
  ['alice', '1001:1002'],
  ['alice:1000', '1001:1000'],
  ['2147483647', '2147483647:0'],
  ['2147483648', '2147483648:0'],
  ['4294967294', '4294967294:0'],
  ['4294967295', undefined],
  ['4294967296', undefined],
  ['4294967297', undefined],
  ['18446744073709551616', undefined],
  ['1:4294967295', undefined],
  ['1:4294967296', undefined],
  ['-1', undefined],
  ['+1', undefined],
  ['0x0', undefined],
  ['0x3e8', undefined],
  [' 1', undefined],
  ['1 ', undefined],
  ['1e3', undefined],
  ['1.0', undefined],
  ['١', undefined],
  ['１', undefined],
  ['1:1:1', undefined],
  ['nobody-here', undefined],
];

/** Ids that the user namespace of this mode has; others are refused there. */
function mapped(arena: Arena, ids: string): boolean {
  const size = { R: 2 ** 32, L: 65537, U: 65536 }[arena.mode];
  return ids.split(':').every((id) => Number(id) < size);
}

attack({
  id: 'T15',
  title: 'strings of users',
  modes: ['R', 'L', 'U'],
  caught: [
    ['digits that may be names', 'R'],
    ['ids that wrap', 'R'],
  ],
  run: (arena) => {
    const image = arena.image((root) => {
      writeFileSync(`${root}/etc/passwd`, PASSWD.join('\n'));
      writeFileSync(`${root}/etc/group`, GROUP.join('\n'));
    });
    const evidence: string[] = [];
    for (const [text, wanted] of TABLE) {
      const ended = arena.run(
        [...arena.flags, '--rootfs', image, `--user=${text}`],
        'echo $(id -u):$(id -g)',
      );
      const found = ended.code === 0 ? ended.stdout.trim() : undefined;
      if (found === undefined && !refusedClearly(ended))
        evidence.push(`"${text}": exit ${ended.code}: ${ended.stderr}`);
      else if (found !== undefined && found !== wanted)
        evidence.push(`"${text}" became ${found}, not ${wanted}`);
      else if (found === undefined && wanted !== undefined && mapped(arena, wanted))
        evidence.push(`"${text}" was refused: ${ended.stderr}`);
    }
    return evidence;
  },
});
