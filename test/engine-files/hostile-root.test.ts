// Containers whose root turns against the engine: programs and libraries that it could run by mistake (T31), links at the
// places of the files that it injects (T34), a passwd that leads away, blocks, or never ends (T35).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Containers, rounds } from '../engine/containers.ts';
import type { Ended } from '../harness/caisson.ts';
import { CALLERS } from '../images/callers.ts';
import { busyboxLayer, layer, type Member, oldArchive } from '../images/image.ts';

/** What a careless engine has run or loaded from a container (CVE-2019-14271, CVE-2022-1227, CVE-2026-41567). */
const PROGRAMS = [
  ...['xz', 'unxz', 'pigz', 'unpigz', 'gzip', 'gunzip', 'zstd', 'unzstd', 'bzip2', 'tar', 'cp', 'ps', 'top'],
  ...[
    'nsenter',
    'chroot',
    'getent',
    'ldconfig',
    'mount',
    'umount',
    'setpriv',
    'newuidmap',
    'newgidmap',
    'iptables',
  ],
];
const TROJANS: readonly Member[] = PROGRAMS.flatMap((name) =>
  ['bin', 'usr/bin', 'sbin', 'usr/sbin'].map(
    (directory): Member => [
      { name: `${directory}/${name}`, mode: 0o755 },
      `#!/bin/sh\necho ${name} >> /trojan\n`,
    ],
  ),
);
const LIBRARIES: readonly Member[] = ['files', 'dns', 'compat', 'systemd'].flatMap((name) =>
  ['lib', 'lib64', 'lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu', 'usr/lib'].map(
    (directory): Member => [{ name: `${directory}/libnss_${name}.so.2`, mode: 0o755 }, 'no library\n'],
  ),
);

/** The largest resident size of a command in the background, in MiB, and how it ended. */
async function measured(
  box: Containers,
  args: readonly string[],
): Promise<Ended & { readonly peak: number }> {
  const command = box.start(args);
  let peak = 0;
  const looking = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${command.child.pid}/status`, 'utf8');
      peak = Math.max(peak, Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) >> 10);
    } catch {
      // It has ended.
    }
  }, 5);
  const ended = await command.end();
  clearInterval(looking);
  return { ...ended, peak };
}

for (const { who, caller, skip } of CALLERS) {
  if (skip !== false) {
    test(`hostile roots of ${who}`, { skip }, () => undefined);
    continue;
  }
  const box = new Containers(caller);
  const canary = `${box.directory}/canary`;
  mkdirSync(canary);
  writeFileSync(`${canary}/file`, 'canary:x:4242:4242::/canary:/bin/sh\n');
  box.harness.own(canary);
  after(() => {
    assert.deepEqual(readdirSync(canary), ['file']);
    assert.equal(readFileSync(`${canary}/file`, 'utf8'), 'canary:x:4242:4242::/canary:/bin/sh\n');
    box.close();
  });
  const base = busyboxLayer(box.directory);
  const load = (name: string, ...members: Member[]): void => {
    const archive = oldArchive({ name, layers: [base, layer(...members)], config: { Env: ['PATH=/bin'] } });
    box.output(['load', '-q', '-i', box.file('image.tar', archive)]);
  };

  test(`${who}: T31: no command runs a program or loads a library of a container`, () => {
    load('trojan:1', ...TROJANS, ...LIBRARIES, ['etc/ld.so.preload', '/lib/libnss_files.so.2\n']);
    box.output(['run', '-d', '--name', 'trojan', '-v', 'data:/data', 'trojan:1', 'sleep', '1000']);
    const trace = `${box.directory}/trace`;
    writeFileSync(trace, '', { mode: 0o666 });
    const traced = (args: readonly string[], input?: string): void => {
      const calls = 'execve,execveat,open,openat,openat2';
      const prefix = ['strace', '-f', '-qq', '-A', '-s', '300', '-e', `trace=${calls}`, '-o', trace];
      const options = { prefix, ...(input === undefined ? {} : { input }) };
      const { code, stderr } = box.call(args, options);
      assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
    };
    const given = box.file('given', 'given\n');
    const packed = (flag: string) =>
      execFileSync('tar', ['c', flag, '-C', box.directory, 'given']).toString('latin1');
    const commands = (): void => {
      traced(['cp', given, 'trojan:/']);
      traced(['cp', 'trojan:/given', `${box.directory}/back`]);
      traced(['cp', '-a', 'trojan:/etc', '-']);
      traced(['cp', '-', 'trojan:/'], packed('--format=gnu'));
      traced(['export', '-o', `${box.directory}/export.tar`, 'trojan']);
      traced(['diff', 'trojan']);
      traced(['commit', 'trojan', 'trojan:2']);
      traced(['volume', 'export', '-o', `${box.directory}/volume.tar`, 'data']);
      traced(['volume', 'import', 'data', `${box.directory}/volume.tar`]);
    };
    commands();
    for (const words of [
      ['top', 'trojan'],
      ['stats', '--no-stream', 'trojan'],
      ['inspect', 'trojan'],
      ['logs', 'trojan'],
    ])
      traced(words);
    // Compressed archives, which others have unpacked with what they found in the container.
    for (const flag of ['-z', '-J']) box.call(['cp', '-', 'trojan:/'], { input: packed(flag) });
    box.output(['stop', '-t', '0', 'trojan']);
    commands();
    box.output(['start', 'trojan']);
    assert.equal(box.call(['exec', 'trojan', 'ls', '/trojan']).code, 1, 'none of them has run');
    const lines = readFileSync(trace, 'utf8').split('\n');
    assert.ok(lines.length > 100, 'there is a trace');
    const executed = lines.flatMap((line) => /execve\("([^"]*)"/.exec(line)?.[1] ?? []);
    const bad = executed.filter((path) =>
      PROGRAMS.some((name) => path.endsWith(`/${name}`) || path === name),
    );
    // The host's own setpriv, by which the test becomes the user, and the helpers that map a user's ids.
    assert.deepEqual(
      bad.filter((path) => !/^\/usr\/s?bin\/(?:setpriv|new[ug]idmap)$/.test(path)),
      [],
    );
    box.output(['rm', '-f', 'trojan']);
    box.output(['volume', 'rm', 'data']);
  });

  const KINDS: readonly (readonly [string, (name: string) => Member])[] = [
    ['a link to the host', (name) => [{ name, type: '2', linkName: `${canary}/file` }]],
    ['a link upwards', (name) => [{ name, type: '2', linkName: `../../../../../..${canary}/file` }]],
    ['a link to what is not there', (name) => [{ name, type: '2', linkName: `${canary}/new` }]],
    ['a FIFO', (name) => [{ name, type: '6' }]],
    ['a directory', (name) => [{ name: `${name}/`, type: '5' }]],
  ];
  for (const [what, member] of KINDS) {
    test(`${who}: T34: ${what} at the places of injected files`, () => {
      const places = ['etc/hosts', 'etc/resolv.conf', 'etc/hostname'];
      load('places:1', ...places.map(member));
      const begun = Date.now();
      for (const round of [1, 2]) {
        const words =
          round === 1 ? ['run', '-d', '--name', 'placed', '--add-host', 'own:10.9.8.7'] : ['start', 'placed'];
        const { code, stderr } = box.call(round === 1 ? [...words, 'places:1', 'sleep', '100'] : words);
        if (code !== 0) {
          assert.doesNotMatch(stderr, /unexpected/);
          break;
        }
        const shown = box.call(['exec', 'placed', 'cat', '/etc/hosts']);
        if (shown.code === 0) assert.match(shown.stdout, /10\.9\.8\.7\s+own/);
        box.output(['stop', '-t', '0', 'placed']);
      }
      assert.ok(Date.now() - begun < 20_000, 'nothing was waited for');
      box.output(['rm', '-f', 'placed']);
    });
  }

  const yes = (lines: number): string => `yes x:x:1:1::/:/bin/sh | head -n ${lines} > $f`;
  const PASSWD: readonly (readonly [string, string])[] = [
    ['a link to the host', `ln -s ${canary}/file $f`],
    ['a link upwards', `ln -s ../../../../../../../..${canary}/file $f`],
    ['a link to a process of the host', 'ln -s /proc/1/root/etc/passwd $f'],
    ['a FIFO', 'mkfifo $f'],
    ['a directory', 'mkdir $f'],
    ['a device that never ends', 'mknod $f c 1 5 || ln -s /dev/zero $f'],
    ['a sparse file of 10 GiB', 'dd if=/dev/zero of=$f bs=1 count=1 seek=10G 2> /dev/null'],
    ['a file of very many lines', yes(rounds(1_000_000, 10_000_000))],
  ];
  test(`${who}: T35: whatever passwd and group have become, exec as a user of them ends soon and small`, async () => {
    load('plain:1', ['data/file']);
    box.output(['run', '-d', '--name', 'plain', 'plain:1', 'sleep', '1000']);
    const usual = await measured(box, ['exec', '-u', '7:7', 'plain', 'true']);
    assert.equal(usual.code, 0, usual.stderr);
    for (const [what, script] of PASSWD) {
      const change = `set -e; for f in /etc/passwd /etc/group; do rm -rf $f; ${script}; done`;
      assert.equal(box.call(['exec', 'plain', 'sh', '-c', change]).code, 0, what);
      for (const user of ['canary', '7:canary', 'canary:canary']) {
        const begun = Date.now();
        const { code, stderr, peak } = await measured(box, ['exec', '-u', user, 'plain', 'id']);
        assert.ok(code !== 0, `${what}, ${user}`);
        assert.doesNotMatch(stderr, /unexpected|4242/, what);
        assert.ok(Date.now() - begun < 10_000, `${what}: ${Date.now() - begun} ms`);
        assert.ok(peak < 128, `${what}: ${peak} MiB`);
      }
      // Its own user is known already; a file that is none is refused even for a number, whose groups it may hold.
      assert.equal(box.call(['exec', 'plain', 'true']).code, 0, what);
      box.output(['restart', '-t', '0', 'plain']);
    }
    box.output(['rm', '-f', 'plain']);
    assert.ok(!existsSync(`${canary}/new`));
  });
}
