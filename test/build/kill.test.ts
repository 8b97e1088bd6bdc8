// Builds that are killed at any moment: nothing visible is broken, the next build goes on, and nothing is left.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { type Ended, ROOT, skip } from '../harness/caisson.ts';
import { Site } from './site.ts';

const site = skip === false ? new Site(ROOT) : undefined;
after(() => site?.close());

const ROUNDS = process.env.CAISSON_LONG === '1' ? 40 : 8;

function dockerfile(round: number): string {
  return `FROM bb
RUN for n in $(seq 300); do echo ${round} > /f$n; done && rm /bin/ls
COPY --chown=7:8 x /x/
RUN cat /f300 /x/x > /y && rm -r /x`;
}

/** The processes that a program has begun. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/stat`, 'latin1').split(') ')[1]?.split(' ')[1] === String(pid);
      } catch {
        return false;
      }
    })
    .map(Number);
}

test('killed with its launchers at any moment, a build leaves a store that is whole', { skip }, async () => {
  assert.ok(site !== undefined);
  const files = { x: 'x\n', Dockerfile: dockerfile(0) };
  const begin = performance.now();
  assert.equal(site.build(files.Dockerfile, files, ['-t', 'whole']).code, 0);
  const whole = performance.now() - begin;
  for (let round = 1; round <= ROUNDS; round++) {
    const context = site.context({ ...files, Dockerfile: dockerfile(round) });
    const started = site.start(['build', '-t', 'killed', context]);
    // The last third is where layers become the store's.
    const share = round % 3 === 0 ? round / ROUNDS : 0.65 + (0.4 * round) / ROUNDS;
    await new Promise((resolve) => setTimeout(resolve, whole * share));
    const { pid = 0 } = started.child;
    const launchers = round % 2 === 0 ? childrenOf(pid) : [];
    started.child.kill('SIGKILL');
    for (const launcher of launchers) {
      try {
        process.kill(launcher, 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
    await started.end();
    const verified: Ended = site.call(['image', 'verify']);
    assert.equal(verified.code, 0, `round ${round}: ${verified.stdout}${verified.stderr}`);
    const again: Ended = site.call(['build', '-q', '-t', 'killed', context]);
    assert.equal(again.code, 0, again.stderr);
    assert.equal(site.output(['run', '--rm', '-q', 'killed', 'cat', '/y']), `${round}\nx`);
    site.output(['image', 'verify']);
  }
  // Containers of the killed ones.
  site.output(['system', 'repair']);
});
