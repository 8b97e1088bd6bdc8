// `make install` and `make uninstall`: what is installed runs, and nothing is left.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const directory = mkdtempSync(join(tmpdir(), 'caisson-install-'));
after(() => {
  rmSync(directory, { recursive: true, force: true });
});

const skip = existsSync('dist/caisson') ? false : 'dist/caisson is not built';

function run(program: string, ...args: string[]): string {
  const env = { ...process.env, CAISSON_DATA_ROOT: `${directory}/data` };
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env, timeout: 60_000 });
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

function files(below: string): string[] {
  return readdirSync(below, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(below.length));
}

test('installed, used, and taken away', { skip }, () => {
  const root = `${directory}/root`;
  const make = (target: string) => run('make', '--silent', target, `DESTDIR=${root}`, 'PREFIX=/usr');
  make('install');
  const caisson = `${root}/usr/bin/caisson`;
  assert.match(run(caisson, '--version'), /^caisson version /);
  assert.match(run(`${root}/usr/bin/caisson-oci`, '--version'), /^caisson-oci [0-9]/);
  // The first is in the quick program, the second it hands over to the one below libexec.
  assert.match(run(caisson, 'images'), /^REPOSITORY /);
  assert.match(run(caisson, 'version'), /Bun [0-9]/);
  assert.match(
    run(caisson, 'version', '--format', '{{.Client.Version}} {{.Server.Os}}'),
    /^[0-9.]+ linux\n$/,
  );
  const manual = `${root}/usr/share/man/man1`;
  for (const name of ['caisson', 'caisson-run', 'caisson-container-ls', 'caisson-system-restore'])
    assert.match(readFileSync(`${manual}/${name}.1`, 'utf8'), /^\.TH CAISSON/);
  for (const file of ['bash-completion/completions/caisson', 'zsh/site-functions/_caisson'])
    assert.match(readFileSync(`${root}/usr/share/${file}`, 'utf8'), /caisson/);
  assert.ok(existsSync(`${root}/usr/lib/systemd/system/caisson-restore.service`));
  make('uninstall');
  assert.deepEqual(files(root), []);
});

test('the quick program alone says what it needs', { skip }, () => {
  const alone = `${directory}/alone`;
  run('install', '-D', 'dist/caisson', `${alone}/caisson`);
  assert.match(run(`${alone}/caisson`, '--version'), /^caisson version /);
  const { status, stderr } = spawnSync(`${alone}/caisson`, ['version'], { encoding: 'utf8' });
  assert.equal(status, 125);
  assert.match(stderr, /^caisson: this needs caisson-bun, which is not beside .*\/alone\/caisson\n/);
});
