// Images on Linux 6.1, whose overlay takes all layers in one text: by links and mount(2), more than a hundred of them too.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { busyboxLayer, layer, oldArchive } from '../images/image.ts';
import { runInUml, umlMissing } from './harness.ts';

const SCRIPT = `
export CAISSON_DATA_ROOT=/tmp/data
caisson() { "$CAISSON_ROOT/dist/caisson" "$@"; }
uname -r | grep -q '^6\\.[1-4]\\.' || echo "another kernel: $(uname -r)"
caisson load -q -i "$ARCHIVE"
caisson run --rm box:1
caisson run --rm -u 0 box:1 sh -c 'rm /etc/motd; echo new > /etc/new; ls /etc/motd /etc/new 2>/dev/null; stat -c %a /'
caisson run --rm many:1 sh -c 'ls /many | wc -l; cat /last'
caisson run --rm --upper /tmp/up -u 0 box:1 touch /kept
caisson run --rm --upper /tmp/up many:1 ls /kept
ls /tmp/data/containers
`;

test('images on a kernel whose overlay takes its layers in one text', {
  skip: umlMissing() ?? false,
  timeout: 180_000,
}, async () => {
  const directory = mkdtempSync(`${tmpdir()}/caisson-uml-images-`);
  // /tmp is the machine's own there; build/ is the host's.
  const archive = `${process.cwd()}/build/uml-images-${process.pid}.tar`;
  try {
    const base = busyboxLayer(directory);
    const config = { User: 'alice', Cmd: ['sh', '-c', 'id -u; cat /etc/motd; ls /etc/group 2>&1'] };
    const second = layer(['etc/motd', 'second\n'], ['etc/.wh.group']);
    const many = Array.from({ length: 118 }, (_, at) => layer([`many/${at}`, ''], ['last', `${at}\n`]));
    const images = [
      { name: 'box:1', layers: [base, second], config },
      { name: 'many:1', layers: [base, ...many] },
    ];
    writeFileSync(archive, oldArchive(...images));
    const ended = await runInUml({
      script: SCRIPT,
      modules: ['overlay'],
      timeout: 150,
      env: { ARCHIVE: archive },
    });
    const expected =
      '1000\nsecond\nls: /etc/group: No such file or directory\n/etc/new\n755\n118\n117\n/kept\n';
    assert.equal(ended.output, expected, ended.log);
  } finally {
    rmSync(archive, { force: true });
    rmSync(directory, { recursive: true, force: true });
  }
});

const MAPPED = `
caisson() { "$CAISSON_ROOT/dist/caisson" "$@"; }
# tmpfs maps no ids before Linux 6.3, ext4 does.
truncate -s 64M /tmp/disk && mkfs.ext4 -q /tmp/disk && mount -o loop /tmp/disk /mnt || exit 1
export CAISSON_DATA_ROOT=/mnt/data
caisson load -q -i "$ARCHIVE"
for map in 0:700000:65536 0:900000:65536; do
  caisson run --rm --upper /mnt/up --uidmap $map -u 0 box:1 sh -c 'stat -c %u:%g:%n / /srv/file; echo more >> /srv/file; pwd'
  stat -c %u:%g /mnt/up/upper /mnt/up/upper/srv/file
  rm -rf /mnt/up
done
caisson run --rm --uidmap 0:700000:65536 many:1 sh -c 'ls /many | wc -l'
ls /mnt/data/containers; grep overlay /proc/mounts
export CAISSON_DATA_ROOT=/tmp/data
caisson load -q -i "$ARCHIVE"
caisson run --rm --uidmap 0:700000:65536 box:1 true 2>&1 | grep -o 'is on tmpfs; .* needs a file system whose mounts can map ids'
`;

test('images in user namespaces on a kernel whose overlay takes attached layers only', {
  skip: umlMissing() ?? false,
  timeout: 180_000,
}, async () => {
  const directory = mkdtempSync(`${tmpdir()}/caisson-uml-images-`);
  const archive = `${process.cwd()}/build/uml-mapped-${process.pid}.tar`;
  try {
    const base = busyboxLayer(directory);
    const second = layer([{ name: 'srv/file', uid: 1000, gid: 1001 }, 'x\n']);
    const many = Array.from({ length: 118 }, (_, at) => layer([`many/${at}`, '']));
    const images = [
      { name: 'box:1', layers: [base, second] },
      { name: 'many:1', layers: [base, ...many] },
    ];
    writeFileSync(archive, oldArchive(...images));
    const ended = await runInUml({
      script: MAPPED,
      modules: ['overlay', 'loop'],
      timeout: 150,
      env: { ARCHIVE: archive },
    });
    const of = (id: number) => `0:0:/\n1000:1001:/srv/file\n/\n${id}:${id}\n${id + 1000}:${id + 1001}\n`;
    const told = 'is on tmpfs; a user namespace of root needs a file system whose mounts can map ids\n';
    assert.equal(ended.output, `${of(700_000)}${of(900_000)}118\n${told}`, ended.log);
  } finally {
    rmSync(archive, { force: true });
    rmSync(directory, { recursive: true, force: true });
  }
});
