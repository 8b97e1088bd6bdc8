// Unpacking tar archives through the launcher: faithful for good ones, and nothing outside the root for hostile ones.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ExtractSummary } from '../../src/image/extract.ts';
import { Conversation } from '../../src/image/layer/conversation.ts';
import { type ImportOptions, importRootfsTar } from '../../src/image/rootfs-tar.ts';
import { concat, END, header, member } from '../../src/image/tar.testing.ts';
import { enterOwnUserNamespace } from '../../src/image/user-namespace.ts';
import { hostile } from '../layers/hostile.ts';
import { Launcher, ORDINARY } from './rootfs-play.ts';

const missing = process.getuid?.() === 0 ? false : 'needs root';

type Mode = 'root' | 'root, not confined' | 'user namespace' | 'ordinary user';
const MODES: readonly Mode[] = ['root', 'root, not confined', 'user namespace', 'ordinary user'];

const optionsOf = (mode: Mode): ImportOptions => ({
  cause: '--rootfs-tar',
  owners: { kind: mode.startsWith('root') ? 'keep' : 'squash' },
  devices: mode.startsWith('root'),
  confine: mode === 'root' || mode === 'user namespace',
});

interface Place {
  /** Removed after the test; everybody may write here, so that only the extractor's care keeps the canaries. */
  readonly base: string;
  readonly root: string;
  readonly outside: string;
}

function place(t: { after(done: () => void): void }, mode: Mode): Place {
  const base = mkdtempSync('/tmp/caisson-tar-');
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const owner = mode.startsWith('root') ? 0 : ORDINARY;
  chmodSync(base, 0o777);
  for (const name of ['root', 'outside', 'outside/directory']) {
    mkdirSync(join(base, name));
    chownSync(join(base, name), owner, owner);
  }
  for (const name of ['outside/canary', 'outside/directory/canary', 'canary']) {
    writeFileSync(join(base, name), 'untouched\n');
    chownSync(join(base, name), owner, owner);
  }
  return { base, root: join(base, 'root'), outside: join(base, 'outside') };
}

async function* inChunks(archive: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < archive.length; at += size) yield archive.subarray(at, at + size);
}

async function unpack(
  archive: Uint8Array,
  root: string,
  mode: Mode,
  more: Partial<ImportOptions> = {},
  { chunk = 65536, prepare = ':' } = {},
) {
  const uid = mode.startsWith('root') ? 0 : ORDINARY;
  const launcher = new Launcher(uid, prepare);
  let batches = 0;
  const conversation = new Conversation(launcher.line, 'test', () => {
    batches++;
  });
  try {
    if (mode === 'user namespace') {
      const { failure } = await launcher.play(enterOwnUserNamespace(uid, uid, 'test'));
      assert.equal(failure, undefined);
    }
    const options = { ...optionsOf(mode), ...more };
    const chunks = inChunks(archive, chunk);
    const summary: ExtractSummary = await importRootfsTar(conversation, 'x86_64', chunks, root, options);
    return { ...summary, batches };
  } finally {
    await launcher.close();
  }
}

/** Everything about the files outside the root that an extraction could change. */
function outsideOf({ base }: Place): string {
  const list =
    'find . -path ./root -prune -o -printf "%p %y %m %U:%G %s %n %T@ %l\\n" | sort; cat canary outside/canary; getfattr -Rhd -m - outside 2>/dev/null || true';
  return execFileSync('sh', ['-c', list], { cwd: base, encoding: 'latin1' });
}

for (const mode of MODES) {
  test(`${mode}: what tar(1) packs comes out the same`, { skip: missing }, async (t) => {
    const { base, root } = place(t, mode);
    const source = join(base, 'source');
    const owned = mode.startsWith('root');
    execFileSync('sh', [
      '-c',
      `
      mkdir -p "$0/etc/empty" "$0/usr/bin" "$0/tmp" && cd "$0" && chmod 1777 tmp && chmod 0555 etc/empty
      echo hello > etc/motd && ln etc/motd motd && ln -s usr/bin bin && ln -s /nowhere dangling && mkfifo pipe
      head -c 3000000 /dev/urandom > large && printf 'x' > "$(printf 'latin\\351')" && chmod 4755 large && chmod 0 etc/motd
      truncate -s 5000000 sparse && printf data | dd of=sparse bs=1 seek=4000000 conv=notrunc status=none
      : > empty; for i in $(seq 1200); do echo $i > usr/bin/f$i; done; mkdir -p ${'d'.repeat(90)}/${'e'.repeat(90)}; echo deep > ${'d'.repeat(90)}/${'e'.repeat(90)}/f
      touch -d '2001-02-03 04:05:06.789012345' large; touch -h -d '2002-02-02 02:02:02' bin; touch -d '1999-01-01' etc/empty tmp
      ${owned ? 'mknod null c 1 3; chown 123:456 etc/motd; chown -h 7:8 bin; setcap cap_net_raw+ep empty 2>/dev/null || true' : `chown -R ${ORDINARY}:${ORDINARY} .; chmod 4755 large`}
    `,
      source,
    ]);
    const list = (directory: string) =>
      execFileSync(
        'sh',
        [
          '-c',
          'find . -printf "%p %y %m %U:%G %n %T@ %l %b\\n" | grep -av "^./sparse " | sed "s/ [0-9]*$//" | sort; find . -type f -exec sha256sum {} + | sort; getcap -r . 2>/dev/null || true',
        ],
        { cwd: directory, encoding: 'latin1' },
      );
    for (const format of ['gnu', 'pax']) {
      rmSync(root, { recursive: true, force: true });
      mkdirSync(root);
      if (!owned) chownSync(root, ORDINARY, ORDINARY);
      const xattrs = format === 'pax' ? ['--xattrs', '--xattrs-include=*'] : [];
      const archive = execFileSync('tar', ['-c', '-S', `--format=${format}`, ...xattrs, '-C', source, '.'], {
        maxBuffer: 1 << 26,
      });
      const { batches, members } = await unpack(new Uint8Array(archive), root, mode);
      const trim = (text: string) =>
        format === 'gnu' ? text.replace(/(\d+)\.\d+ /g, '$1 ').replace(/\.\/empty cap.*\n/, '') : text;
      assert.equal(trim(list(root)), trim(list(source)), format);
      assert.ok(lstatSync(join(root, 'sparse')).blocks < 100, 'holes stay holes');
      assert.ok(members > 1200 && batches < 60, `${batches} batches`);
    }
  });
}

for (const mode of MODES) {
  test(`${mode}: hostile archives change nothing outside the root`, { skip: missing }, async (t) => {
    const at = place(t, mode);
    const before = outsideOf(at);
    assert.ok(before.includes('untouched'));
    let refusals = 0;
    for (const [name, archive] of Object.entries(hostile(at.outside))) {
      execFileSync('sh', ['-c', 'find . -mindepth 1 -delete'], { cwd: at.root });
      const result = await unpack(concat(archive, END), at.root, mode, {}, { chunk: 700 }).catch(
        (error: unknown) => String(error),
      );
      if (typeof result === 'string') {
        refusals++;
        assert.ok(
          /tar archive|\((ENOENT|EEXIST|ENOTDIR|EISDIR|EINVAL|ENAMETOOLONG|ELOOP)\)/.test(result),
          `${name}: ${result}`,
        );
      }
      assert.equal(outsideOf(at), before, name);
    }
    assert.ok(refusals >= 10, `${refusals} refused`);
    // The second archive of a root does not trust the links of the first (CVE-2025-45582).
    execFileSync('sh', ['-c', 'find . -mindepth 1 -delete'], { cwd: at.root });
    await unpack(concat(member({ name: 'l', type: '2', linkName: at.outside }), END), at.root, mode);
    await unpack(concat(member({ name: 'l/canary' }, 'overwritten'), END), at.root, mode).catch(
      () => undefined,
    );
    assert.equal(outsideOf(at), before);
  });
}

test('a file through an absolute link lands inside the root', { skip: missing }, async (t) => {
  const { root } = place(t, 'root, not confined');
  const archive = concat(
    member({ name: 'lib', type: '2', linkName: '/usr/lib' }),
    member({ name: 'usr/lib/', type: '5' }),
    member({ name: 'lib/x' }, 'in'),
    END,
  );
  await unpack(archive, root, 'root, not confined');
  assert.equal(readFileSync(join(root, 'usr/lib/x'), 'utf8'), 'in');
  assert.equal(readlinkSync(join(root, 'lib')), '/usr/lib');
});

test('an ordinary user gets no devices and owns everything; ids beyond the map are refused with a reason', {
  skip: missing,
}, async (t) => {
  const { root } = place(t, 'ordinary user');
  const archive = concat(
    member({ name: 'null', type: '3', device: [1, 3] }),
    member({ name: 'a', uid: 5, mode: 0o4755 }),
    END,
  );
  const summary = await unpack(archive, root, 'ordinary user');
  assert.equal(summary.devices, 1);
  assert.ok(!existsSync(join(root, 'null')));
  assert.equal(lstatSync(join(root, 'a')).uid, ORDINARY);
  const mapped = unpack(archive, root, 'ordinary user', { owners: { kind: 'keep', ids: 5 } });
  await assert.rejects(mapped, /a belongs to 5:0, and 5 ids are mapped here/);
});

test('bounds on what an archive may hold, and compressed archives', { skip: missing }, async (t) => {
  const { root } = place(t, 'root');
  const huge = header({ name: 'a', size: 0, patch: { 124: '\x80\0\0\0\0\x08\0\0\0\0\0\0' } });
  await assert.rejects(unpack(concat(huge, END), root, 'root'), /too large/);
  const two = concat(member({ name: 'a' }), member({ name: 'b' }), END);
  await assert.rejects(unpack(two, root, 'root', { memberLimit: 1 }), /one too many/);
  await assert.rejects(unpack(new Uint8Array([0x1f, 0x8b, 8, 0]), root, 'root'), /gzip file.*gunzip/);
  await assert.rejects(
    unpack(two, join(root, 'missing'), 'root'),
    /^CaissonError: open .*missing: no such file.*ENOENT/,
  );
});

test('a full disk is told', { skip: missing }, async (t) => {
  const { root } = place(t, 'root');
  const archive = concat(member({ name: 'a' }, 'x'.repeat(3_000_000)), END);
  const prepare = `mount -t tmpfs -o size=1m tmpfs ${root}`;
  await assert.rejects(
    unpack(archive, root, 'root', {}, { prepare }),
    /write \/a: no space left on device \(ENOSPC\)/,
  );
});
