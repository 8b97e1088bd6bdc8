// README.md's line that makes an image of nothing but Debian's busybox-static, exports, imports and runs it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { CALLERS } from './callers.ts';

const LINE =
  /^mkdir .*caisson export .*caisson import .*$/m.exec(readFileSync('README.md', 'utf8'))?.[0] ?? '';

for (const { who, caller, skip } of CALLERS) {
  test(`${who}: an image from nothing, without a registry`, { skip }, () => {
    assert.notEqual(LINE, '', 'README.md has the line');
    const directory = mkdtempSync(`${tmpdir()}/caisson-nothing-`);
    try {
      mkdirSync(`${directory}/bin`);
      const dist = `${process.cwd()}/dist`;
      copyFileSync(process.env.CAISSON ?? `${dist}/caisson`, `${directory}/bin/caisson`);
      copyFileSync(`${dist}/caisson-bun`, `${directory}/bin/caisson-bun`);
      spawnSync('chown', ['-R', `${caller.uid}:${caller.gid}`, directory]);
      const ids = ['--reuid', String(caller.uid), '--regid', String(caller.gid), '--clear-groups'];
      const become = caller.uid === 0 ? ['env'] : ['setpriv', ...ids];
      const { stdout, stderr } = spawnSync(become[0] ?? '', [...become.slice(1), 'sh', '-c', LINE], {
        cwd: directory,
        encoding: 'utf8',
        timeout: 30_000,
        env: {
          PATH: `${directory}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
          HOME: directory,
          CAISSON_DATA_ROOT: `${directory}/data`,
        },
      });
      const lines = stdout.trimEnd().split('\n');
      assert.match(lines[0] ?? '', /^sha256:[0-9a-f]{64}$/, stderr);
      assert.equal(lines.at(-1), 'an image is a collection of files', stderr);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
}
