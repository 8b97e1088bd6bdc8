// T28: what is masked cannot be read, what is read-only cannot be written, and neither can be uncovered by a procfs
// or sysfs of the attacker's own (CVE-2018-10892, GHSA-jq35, GHSA-6fw5).
import { readdirSync } from 'node:fs';
import { MASKED_PATHS, READONLY_PATHS } from '../../src/spec/defaults.ts';
import { attack } from './attack.ts';
import { CANARY_SYSCTL } from './oracle.ts';

/** What the field masks today (moby, August 2026), whatever our own list says. */
const FIELD = [
  ...[
    '/proc/acpi',
    '/proc/asound',
    '/proc/interrupts',
    '/proc/kcore',
    '/proc/keys',
    '/proc/latency_stats',
    '/proc/sched_debug',
  ],
  ...[
    '/proc/scsi',
    '/proc/timer_list',
    '/proc/timer_stats',
    '/sys/devices/virtual/powercap',
    '/sys/firmware',
  ],
];

function throttles(): string[] {
  const cpus = readdirSync('/sys/devices/system/cpu').filter((name) => /^cpu\d+$/.test(name));
  return cpus.map((cpu) => `/sys/devices/system/cpu/${cpu}/thermal_throttle`);
}

const MASKED = [...new Set([...FIELD, ...MASKED_PATHS, ...throttles()])];

/** A masked file has no content, a masked directory no entries; what the kernel does not have is as good. */
const READ = `for each in ${MASKED.join(' ')}; do
  if test -d $each; then test -z "$(ls -A $each)" || echo "$each has $(ls -A $each | head -n 3)"
  elif test -e $each; then test -z "$(head -c 64 $each 2>/dev/null | od -c)" || test "$(head -c 64 $each 2>/dev/null | wc -c)" = 0 || echo "$each can be read"; fi
  (echo x > $each/attack-made) 2>/dev/null && echo "wrote into $each"
done
for each in ${READONLY_PATHS.join(' ')}; do
  find $each -type f -perm -u+w 2>/dev/null | head -n 40 | while read -r file; do (: >> $file) 2>/dev/null && echo "$file can be opened for writing"; done
done
(echo 46 > ${CANARY_SYSCTL}) 2>/dev/null && echo "wrote ${CANARY_SYSCTL}"
umount /proc/keys 2>/dev/null && echo "uncovered /proc/keys"
umount /proc/sys 2>/dev/null && echo "uncovered /proc/sys"; true`;

const lines = (output: string) => output.split('\n').filter((line) => line !== '');

attack({
  id: 'T28',
  title: 'masked paths have nothing in them, read-only paths cannot be written',
  modes: ['R', 'L', 'U'],
  caught: [
    ['no masks', 'R'],
    ['no masks', 'L'],
  ],
  run: (arena) => lines(arena.runDefault([], ['/bin/sh', '-c', READ]).stdout),
});

attack({
  id: 'T28',
  title: "a procfs or sysfs in namespaces of the attacker's own is refused",
  modes: ['R', 'L', 'U'],
  caught: [['no masks and no read-only paths', 'R']],
  run: (arena) => {
    const { stdout } = arena.runDefault(
      ['--security-opt', 'seccomp=unconfined'],
      ['/bin/probe', 'nested-proc'],
    );
    const filtered = arena.runDefault([], ['/bin/probe', 'nested-proc']).stdout;
    return [
      ...(/^proc E/m.test(stdout) ? [] : [`unconfined: ${stdout}`]),
      ...(/^unshare EPERM/m.test(filtered) ? [] : [filtered]),
    ];
  },
});
