// Line feeds of a container's terminal: plain ones in a file or a pipe, even where keys come from a terminal, as with runc.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { OciHarness, RUNTIMES } from './runtime.ts';

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  /** What the command writes to a terminal, and with `file` to a file beside it. */
  const atTerminal = (args: readonly string[], file = '') => {
    const words = harness.commandLine(['oci', ...args]).map((word) => `'${word}'`);
    const command = `${words.join(' ')}${file === '' ? '' : ` > ${file}`}`;
    const { stdout, status } = spawnSync('script', ['-qec', command, '/dev/null'], {
      encoding: 'latin1',
      timeout: 20_000,
      input: '',
    });
    assert.equal(status, 0, stdout);
    // At the end of its input script(1) sends a character, which a terminal may echo.
    return (file === '' ? stdout : readFileSync(file, 'latin1')).replaceAll('^@', '');
  };

  test(`${name}: run and exec of a terminal write plain line feeds to a file`, { skip }, () => {
    const file = `${harness.directory}/out`;
    const parts = { process: { terminal: true } };
    const bundle = harness.bundle(parts, 'echo one; echo two');
    assert.equal(atTerminal(['run', '-b', bundle, harness.newId()], file), 'one\ntwo\n');
    const id = harness.newId();
    harness.succeed(['run', '-d', '-b', harness.bundle({}, 'exec sleep 1000'), id]);
    assert.equal(atTerminal(['exec', '-t', id, 'echo', 'three'], file), 'three\n');
    harness.succeed(['delete', '--force', id]);
  });

  test(`${name}: to a terminal that is raw they are written with a carriage return`, { skip }, () => {
    const bundle = harness.bundle({ process: { terminal: true } }, 'echo one; echo two');
    assert.match(atTerminal(['run', '-b', bundle, harness.newId()]), /one\r\ntwo\r\n/);
  });
}
