// F01 of exec: runtime, launcher or child are killed at every one of their system calls; the container goes on.
//
// strace(1) sends SIGKILL as the call of that name begins for the n-th time in one of the processes.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { OciHarness, RUNTIMES } from './runtime.ts';

const long = process.env.CAISSON_LONG === '1';

for (const runtime of RUNTIMES.filter(({ name }) => long || name === 'caisson-oci')) {
  const harness = new OciHarness(runtime);
  after(() => harness.close());
  const skip = runtime.skip || (!existsSync('/usr/bin/strace') && 'strace is not installed');

  function strace(options: readonly string[], args: readonly string[]) {
    const [program = '', ...words] = harness.commandLine(['oci', ...args]);
    return spawnSync('strace', [...options, program, ...words], { stdio: 'ignore', timeout: 20_000 });
  }

  /** Names of calls with their counts in each process, in the order of the first appearance. */
  function places(args: readonly string[]): readonly (readonly [string, number])[] {
    const directory = harness.makeDirectory('calls');
    strace(['-qq', '-ff', '-o', `${directory}/of`, '-e', 'signal=none'], args);
    const seen = new Set<string>();
    for (const file of readdirSync(directory)) {
      const counts = new Map<string, number>();
      for (const line of readFileSync(`${directory}/${file}`, 'latin1').split('\n')) {
        const name = /^([a-z_0-9]+)\(/.exec(line)?.[1];
        if (name === undefined) continue;
        counts.set(name, (counts.get(name) ?? 0) + 1);
        seen.add(`${name} ${counts.get(name)}`);
      }
    }
    return [...seen].map((each): [string, number] => {
      const [name = '', when] = each.split(' ');
      return [name, Number(when)];
    });
  }

  test(`F01 ${runtime.name}: exec killed at each call of each of its processes`, { skip }, () => {
    const id = harness.newId();
    harness.succeed(['run', '-d', '-b', harness.bundle({}, 'exec sleep 1000'), id]);
    const args = ['exec', id, 'true'];
    const all = places(args);
    assert.ok(all.length > 80, `${all.length} places`);
    const every = long ? 1 : Math.ceil(all.length / 24);
    for (const [name, when] of all.filter((_, index) => index % every === every - 1)) {
      const what = `${name} ${when}`;
      const inject = `inject=${name}:signal=KILL:when=${when}`;
      const { error } = strace(['-qq', '-f', '-o', '/dev/null', '-e', inject], args);
      assert.equal(error, undefined, `exec killed at ${what} does not end`);
      assert.equal(harness.stateOf(id).status, 'running', what);
      assert.equal(harness.call(['exec', id, 'echo', 'well']).stdout, 'well\n', `after ${what}`);
    }
    harness.succeed(['delete', '--force', id]);
    assert.deepEqual(readdirSync(harness.state), []);
    harness.assertNothingLeft();
  });
}
