// `caisson volume ...`, as root and as an ordinary user: docker's words, codes, filters and formats; backup and restore.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { CALLERS } from '../images/callers.ts';
import { busyboxLayer, layer, oldArchive } from '../images/image.ts';
import { World } from '../images/world.ts';

for (const { who, caller, skip } of CALLERS) {
  if (skip !== false) {
    test(`commands about volumes of ${who}`, { skip }, () => undefined);
    continue;
  }
  const world = new World(caller);
  after(() => {
    world.close();
  });
  const volume = (...args: string[]) => world.output(['volume', ...args]);
  const failed = (...args: string[]) => {
    const { code, stderr, stdout } = world.call(['volume', ...args]);
    return `${code} ${stdout}${stderr}`.trim();
  };
  const directory = () => `${world.dataRoot}/volumes`;

  test(`${who}: create, ls and inspect`, () => {
    assert.equal(volume('ls'), 'DRIVER    VOLUME NAME');
    assert.equal(volume('create', '--label', 'a=1', '--label', 'b', 'data'), 'data');
    assert.equal(volume('create', 'data'), 'data');
    assert.equal(volume('create', '-d', 'local', 'other.volume_2'), 'other.volume_2');
    const anonymous = volume('create');
    assert.match(anonymous, /^[0-9a-f]{64}$/);
    assert.equal(volume('ls', '-q'), [anonymous, 'data', 'other.volume_2'].sort().join('\n'));
    assert.match(volume('ls'), /^DRIVER {4}VOLUME NAME\n(?:local {5}\S+\n){2}local {5}\S+$/);
    const [shown] = JSON.parse(volume('inspect', 'data'));
    assert.match(shown.CreatedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.deepEqual(shown, {
      CreatedAt: shown.CreatedAt,
      Driver: 'local',
      Labels: { a: '1', b: '' },
      Mountpoint: `${directory()}/data/_data`,
      Name: 'data',
      Options: null,
      Scope: 'local',
    });
    assert.equal(
      volume('inspect', '-f', '{{.Name}} {{.Labels}}', 'other.volume_2', 'data'),
      'other.volume_2 map[]\ndata map[a:1 b:]',
    );
    assert.equal(
      volume('ls', '--format', '{{.Name}}|{{.Labels}}|{{.Scope}}', '-f', 'label=a'),
      'data|a=1,b=|local',
    );
    assert.equal(JSON.parse(volume('ls', '--format', 'json', '-f', 'name=other')).Name, 'other.volume_2');
    assert.equal(
      spawnSync('stat', ['-c', '%a', directory(), `${directory()}/data`]).stdout.toString(),
      '700\n700\n',
    );
  });

  test(`${who}: filters`, () => {
    const names = (...filters: string[]) =>
      volume('ls', '-q', ...filters.flatMap((filter) => ['-f', filter])).split('\n');
    assert.deepEqual(names('label=a=1'), ['data']);
    assert.deepEqual(names('label=a=2'), ['']);
    assert.deepEqual(names('label=a', 'label=b', 'name=at'), ['data']);
    assert.deepEqual(names('name=dat', 'name=other'), ['data', 'other.volume_2']);
    assert.equal(names('dangling=true').length, 3);
    assert.deepEqual(names('dangling=false'), ['']);
    assert.equal(names('driver=local').length, 3);
    assert.deepEqual(names('driver=nfs'), ['']);
    assert.match(failed('ls', '-f', 'what=x'), /^1 .*invalid filter 'what'/);
    assert.match(failed('ls', '-f', 'dangling=perhaps'), /^1 .*invalid filter 'dangling=\[perhaps\]'/);
  });

  test(`${who}: what cannot be made`, () => {
    assert.match(
      failed('create', 'a/b'),
      /^1 .*create a\/b: "a\/b" includes invalid characters for a local volume name/,
    );
    assert.match(failed('create', '../x'), /^1 .*includes invalid characters/);
    assert.match(failed('create', 'x'), /^1 .*volume name is too short/);
    assert.match(
      failed('create', '-d', 'nfs', 'net'),
      /^1 .*error looking up volume plugin nfs: plugin "nfs" not found/,
    );
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['type=nfs', 'o=addr=1.2.3.4', 'device=:/x'], /volumes of type nfs are not supported/],
      [['type=ext4', 'device=/dev/sda'], /volumes of type ext4 are not supported/],
      [['type=none', 'device=/x'], /missing option: "o=bind"/],
      [['type=none', 'o=bind'], /missing device in volume options/],
      [['type=none', 'o=bind', 'device=x'], /must be an absolute path/],
      [['type=none', 'o=bind,what', 'device=/x'], /invalid mode: what/],
      [['type=tmpfs', 'o=context=x'], /invalid tmpfs option/],
      [['what=1'], /invalid option: "what"/],
      [['size=1g'], /quota size requested but no quota support/],
      [['o=size=1g'], /quota size requested but no quota support/],
      [['o=ro'], /invalid option "o=ro"/],
    ];
    for (const [words, expected] of cases)
      assert.match(
        failed('create', ...words.flatMap((word) => ['-o', word]), 'wrong'),
        expected,
        words.join(),
      );
    assert.match(failed('inspect', 'wrong'), /get wrong: no such volume/);
    const again = world.call(['volume', 'create', '-o', 'type=tmpfs', 'data']);
    assert.equal(again.code, 0);
    assert.match(again.stderr, /volume data is there already, with other options/);
  });

  test(`${who}: rm and prune`, () => {
    assert.equal(failed('inspect', 'data', 'absent').slice(0, 3), '1 [');
    assert.equal(failed('rm', 'absent'), '1 caisson: get absent: no such volume');
    assert.equal(volume('rm', '-f', 'absent'), 'absent');
    assert.match(failed('rm', '..', 'other.volume_2'), /^1 other.volume_2\n.*get \.\.: no such volume/s);
    assert.equal(volume('prune', '-f').split('\n')[0], 'Deleted Volumes:');
    assert.equal(volume('ls', '-q'), 'data');
    volume('create', '--label', 'keep', 'kept');
    assert.equal(
      world
        .call(['volume', 'prune', '-a'], { input: 'n\n' })
        .stdout.includes('WARNING! This will remove all local volumes not used by at least one container.'),
      true,
    );
    assert.equal(
      volume('prune', '-f', '--filter', 'all=true', '--filter', 'label!=keep').split('\n')[1],
      'data',
    );
    assert.equal(volume('prune', '-f', '--filter', 'label=none'), 'Total reclaimed space: 0B');
    assert.equal(volume('prune', '-af').split('\n')[1], 'kept');
    assert.deepEqual(
      readdirSync(directory()).filter((name) => name !== '.lock'),
      [],
    );
  });

  test(`${who}: a damaged record is reported, and can be taken away`, () => {
    volume('create', 'good');
    volume('create', 'bad');
    writeFileSync(`${directory()}/bad/volume.json`, '{"Name":');
    const listed = world.call(['volume', 'ls', '-q']);
    assert.equal(listed.stdout, 'good\n');
    assert.match(listed.stderr, /the record of volume bad .* is damaged/);
    assert.match(failed('inspect', 'bad'), /damaged/);
    assert.equal(volume('rm', 'bad', 'good'), 'bad\ngood');
  });

  test(`${who}: backup and restore; sizes and system prune`, () => {
    const layers = [busyboxLayer(world.directory)];
    world.output(['load', '-q', '-i', world.file('images.tar', oldArchive({ name: 'box:1', layers }))]);
    const script = [
      'cd /v; mkdir -m 1777 dir; echo text > dir/file; ln dir/file hard; ln -s /etc link; mkfifo pipe',
      'chown 1000:1001 . dir/file; chmod 2750 .; chmod 4755 dir/file; touch -d "2001-02-03 04:05:06" dir/file',
      'head -c 300000 /dev/zero > big',
    ].join('\n');
    const sh = (name: string, text: string) =>
      world.output(['run', '--rm', '-v', `${name}:/v`, 'box:1', 'sh', '-c', text]);
    const look =
      'cd /v; find . | sort | while read f; do stat -c "%n %F %u:%g %a %h %Y" $f; done; readlink link; cat hard';
    sh('first', script);
    const file = `${world.directory}/backup.tar`;
    volume('export', '-o', file, 'first');
    assert.deepEqual(world.bytes(['volume', 'export', 'first']), world.bytes(['volume', 'export', 'first']));
    volume('create', 'second');
    volume('import', 'second', file);
    assert.equal(sh('second', look), sh('first', look));
    // Over what is there: members win, others stay.
    sh('second', 'cd /v; rm -r dir hard; echo other > dir; echo stays > own');
    volume('import', 'second', file);
    assert.equal(sh('second', 'cd /v; cat own hard; ls -d dir/file'), 'stays\ntext\ndir/file');
    assert.match(failed('import', 'absent', file), /^1 .*get absent: no such volume/);
    assert.match(failed('import', 'second', '/no/such'), /^1 .*no such file or directory/);
    assert.match(failed('import', 'second', `${directory()}/second/volume.json`), /^1 .*archive/);
    assert.match(failed('export', 'absent'), /^1 .*get absent: no such volume/);
    assert.ok(!existsSync(`${world.dataRoot}/absent`));
    const gzip = spawnSync('gzip', ['-c', file]).stdout;
    volume('create', 'third');
    volume('import', 'third', world.file('backup.tar.gz', gzip));
    assert.equal(sh('third', 'cat /v/hard'), 'text');
    const usage = world.output([
      'system',
      'df',
      '--format',
      '{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}}',
    ]);
    assert.match(usage, /Local Volumes 3 0 900\.0?kB|Local Volumes 3 0 900kB/);
    assert.match(world.output(['system', 'df', '-v']), /VOLUME NAME +LINKS +SIZE\nfirst +0 +300kB/);
    volume('create');
    assert.match(world.output(['system', 'prune', '-f', '--volumes']), /Deleted Volumes:\n[0-9a-f]{64}\n/);
    assert.equal(volume('ls', '-q'), 'first\nsecond\nthird');
    rmSync(file);
  });

  test(`${who}: a hostile archive stays inside (CVE-2025-11395)`, () => {
    const canary = world.harness.makeDirectory('canary');
    mkdirSync(`${canary}/kept`);
    const archive = layer(
      [{ name: 'out', type: '2', linkName: canary }],
      ['out/planted', 'x'],
      [{ name: 'up', type: '2', linkName: '../../../../../../../..' }],
      [`up${canary}/planted`, 'x'],
      ['../../../../../etc/planted', 'x'],
      [`${canary}/planted`, 'x'],
    );
    volume('create', 'hostile');
    world.call(['volume', 'import', 'hostile', '-'], { input: archive.toString('latin1') });
    assert.deepEqual(readdirSync(canary), ['kept']);
    assert.ok(!existsSync('/etc/planted'));
  });
}
