// The log that a monitor writes: docker's json-file and Kubernetes' format, pieces of long lines, rotation, lost disks.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Containers, failed, rootOnly, skip } from './containers.ts';

const box = new Containers();
after(() => box.close());

interface Entry {
  readonly log: string;
  readonly stream: string;
}

function entries(text: string): Entry[] {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Entry);
}

/** Go's encoding/json, which docker's daemon logs by: what is no UTF-8 is U+FFFD. */
function asGo(bytes: Buffer): string {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  return JSON.stringify(text)
    .replace(
      /[<>&\u2028\u2029]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    )
    .replace(/\\b/g, '\\u0008')
    .replace(/\\f/g, '\\u000c')
    .slice(1, -1);
}

test('every byte as docker writes it', { skip }, () => {
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 10));
  const text = Buffer.from('plain <b>&"\\ \u00e9\u20ac\u{1f600}\u2028\u2029 \u0000\u007f\t\r');
  const cut = Buffer.from([0xe2, 0x82, 0x20, 0xf0, 0x9f, 0x98, 0x20, 0xed, 0xa0, 0x80, 0x20, 0xc0, 0xaf]);
  writeFileSync(
    `${box.harness.rootfs}/bytes`,
    Buffer.concat([all, Buffer.from('\n'), text, Buffer.from('\n')]),
  );
  const name = box.detached([], 'cat /bytes');
  box.output(['wait', name]);
  const lines = box.log(name).trim().split('\n');
  assert.equal(lines[1]?.split('","stream"')[0], `{"log":"${asGo(text)}\\n`);
  // Bytes that are no UTF-8 stand one by one in Go; TextDecoder may fold them, so that only their place is compared.
  assert.equal(lines[0]?.split('\\ufffd').length, 129);
  writeFileSync(`${box.harness.rootfs}/bytes`, cut);
  const second = box.detached([], 'cat /bytes');
  box.output(['wait', second]);
  assert.equal(
    entries(box.log(second))[0]?.log,
    '\ufffd\ufffd \ufffd\ufffd\ufffd \ufffd\ufffd\ufffd \ufffd\ufffd',
  );
  box.clear();
});

test('a long line is written in pieces of 16 KiB, whole when it is joined', { skip }, () => {
  const script = "head -c 40000 /dev/zero | tr '\\0' x; echo; echo short";
  const name = box.detached([], script);
  box.output(['wait', name]);
  const logs = entries(box.log(name)).map(({ log }) => log);
  assert.deepEqual(
    logs.map(({ length }) => length),
    [16384, 16384, 7233, 6],
  );
  assert.equal(logs.join(''), `${'x'.repeat(40000)}\nshort\n`);
  const kube = box.detached(['--log-driver', 'k8s-file'], script);
  box.output(['wait', kube]);
  const lines = readFileSync(`${box.disk(kube).place}/ctr.log`, 'utf8')
    .trim()
    .split('\n');
  assert.deepEqual(
    lines.map((line) => [line.split(' ')[1], line.split(' ')[2], line.split(' ')[3]?.length]),
    [
      ['stdout', 'P', 16384],
      ['stdout', 'P', 16384],
      ['stdout', 'F', 7232],
      ['stdout', 'F', 5],
    ],
  );
  box.clear();
});

test('rotation keeps so many files of so many bytes, and loses no line between them', { skip }, () => {
  const flags = ['--log-opt', 'max-size=20k', '--log-opt', 'max-file=100'];
  const name = box.detached(flags, 'seq 1 5000');
  box.output(['wait', name]);
  const { place } = box.disk(name);
  const files = readdirSync(place).filter((file) => file.includes('-json.log'));
  assert.ok(files.length > 10, `${files.length} files`);
  const ordered = files.sort((a, b) => Number(b.split('.log.')[1] ?? 0) - Number(a.split('.log.')[1] ?? 0));
  const texts = ordered.map((file) => readFileSync(`${place}/${file}`, 'utf8'));
  for (const text of texts) assert.ok(text.length <= 20 * 1024, `${text.length} bytes`);
  const numbers = texts.flatMap(entries).map(({ log }) => Number(log));
  assert.deepEqual(
    numbers,
    Array.from({ length: 5000 }, (_, index) => index + 1),
  );
  const few = box.detached(['--log-opt', 'max-size=20k', '--log-opt', 'max-file=2'], 'seq 1 5000');
  box.output(['wait', few]);
  assert.equal(readdirSync(box.disk(few).place).filter((file) => file.includes('-json.log')).length, 2);
  box.clear();
});

test('none; options that do not exist', { skip }, () => {
  const name = box.detached(['--log-driver', 'none'], 'echo lost');
  box.output(['wait', name]);
  assert.deepEqual(
    readdirSync(box.disk(name).place).filter((file) => file.includes('log')),
    [],
  );
  failed(box.call(['create', '--log-driver', 'syslog', 'host', 'true']), 125, /unknown log driver/);
  failed(box.call(['create', '--log-opt', 'colour=red', 'host', 'true']), 125, /unknown log opt 'colour'/);
  failed(box.call(['create', '--log-opt', 'max-file=3', 'host', 'true']), 125, /max-file needs max-size/);
  box.clear();
});

test('F21: the disk of the log is full: the container goes on, its exit code is kept', {
  skip: rootOnly,
}, () => {
  const small = new Containers();
  const mounted = `${small.directory}/small`;
  spawnSync('mkdir', ['-p', mounted]);
  assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mounted]).status, 0);
  try {
    const script =
      'i=0; while [ $i -lt 40 ]; do head -c 50000 /dev/zero | tr "\\0" y; echo; i=$((i+1)); done; exit 6';
    const options = ['--cgroup-parent', `/${small.harness.cgroup}`, '--rootfs', small.harness.rootfs];
    const [program = '', ...words] = small.harness.commandLine(['x']).slice(0, -1);
    const direct = (args: readonly string[]) =>
      spawnSync(program, [...words, '--data-root', mounted, ...args], { encoding: 'utf8', timeout: 30_000 });
    const run = ['run', '-d', '--name', 'full', ...options, '/bin/sh', '-c', script];
    const started = direct(run);
    assert.equal(started.status, 0, started.stderr);
    assert.equal(direct(['wait', 'full']).stdout, '6\n');
    assert.equal(direct(['rm', 'full']).status, 0);
  } finally {
    spawnSync('umount', [mounted]);
    small.harness.close();
  }
});
