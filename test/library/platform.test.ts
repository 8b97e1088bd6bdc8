// On macOS and Windows the library can be imported, and says why it cannot run.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const own = fileURLToPath(import.meta.url);
const library = own.replace(/test\/library\/platform\.test\.(ts|js)$/, 'src/index.$1');

/** The program sees another platform before anything is imported. */
const PROGRAM = `
  Object.defineProperty(process, 'platform', { value: process.argv.at(-1) });
  const { run, CaissonError } = await import(${JSON.stringify(library)});
  try {
    await run({ command: ['true'] });
  } catch (error) {
    console.log(JSON.stringify([error instanceof CaissonError, error.code, error.exitCode, error.message]));
  }
`;

for (const platform of ['darwin', 'win32', 'freebsd']) {
  test(`on ${platform}`, () => {
    const flags = process.versions.bun === undefined ? ['--input-type=module'] : [];
    const { stdout, stderr, status } = spawnSync(process.execPath, [...flags, '-e', PROGRAM, platform], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    const [known, code, exitCode, message] = JSON.parse(stdout) as [boolean, string, number, string];
    assert.deepEqual([known, code, exitCode], [true, 'EPLATFORM', 125]);
    assert.match(message, new RegExp(`${platform}.*Linux`));
    assert.match(message, /Linux kernel/);
  });
}
