// T04: a working directory that is a descriptor of the host (CVE-2024-21626).
import { symlinkSync } from 'node:fs';
import { rounds, sung } from './arena.ts';
import { attack } from './attack.ts';

/** Few descriptors exist; all 256 numbers are tried in the long run. */
const DAILY = 16;

attack({
  id: 'T04',
  title: 'a working directory by way of /proc/self/fd is refused or inside the root',
  modes: ['R', 'L', 'U'],
  caught: [['a working directory by path', 'R']],
  run: (arena) => {
    const evidence: string[] = [];
    const prefix = [arena.probe, 'leak', '30', arena.canary];
    const links = arena.image((root) => {
      for (let n = 0; n < 256; n++) symlinkSync(`/proc/self/fd/${n}`, `${root}/cwd-${n}`);
      symlinkSync('/proc/self/cwd', `${root}/cwd-self`);
      symlinkSync('/proc/self/root', `${root}/cwd-root`);
    });
    const script = 'pwd -P; cat secret ../secret ./canary/secret 2>/dev/null; ls -ld .';
    const names = Array.from({ length: rounds(DAILY, 256) }, (_, n) => String(n));
    const directories = [
      ...names.map((n) => [arena.rootfs, `/proc/self/fd/${n}`] as const),
      ...names.map((n) => [links, `/cwd-${n}`] as const),
      ...['/proc/self/cwd', '/proc/1/cwd', '/proc/self/root/proc/self/fd/7'].map(
        (path) => [arena.rootfs, path] as const,
      ),
      ...['/cwd-self', '/cwd-root/../..'].map((path) => [links, path] as const),
    ];
    for (const [path, cwd] of directories) {
      if (evidence.length > 0) break;
      const { code, stdout, stderr } = arena.oci({ process: { cwd }, root: { path } }, script, { prefix });
      evidence.push(...sung(stdout));
      if (stdout.includes('unreachable') || (code === 0 && !stdout.startsWith('/')))
        evidence.push(`${cwd}: ${stdout}`);
      if (/unexpected|internal/.test(stderr)) evidence.push(`${cwd}: ${stderr}`);
    }
    return evidence;
  },
});
