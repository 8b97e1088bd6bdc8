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
caisson run box:1
caisson run -u 0 box:1 sh -c 'rm /etc/motd; echo new > /etc/new; ls /etc/motd /etc/new 2>/dev/null; stat -c %a /'
caisson run many:1 sh -c 'ls /many | wc -l; cat /last'
caisson run --upper /tmp/up -u 0 box:1 touch /kept
caisson run --upper /tmp/up many:1 ls /kept
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
