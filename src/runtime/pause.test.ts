// Tests of freezing: how long it is waited for, when it is asked for again, and that a failure leaves nothing frozen.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mountedTogether, unifiedHost } from '../cgroups/hosts.testing.ts';
import { cgroupPath, cgroupsAt } from '../cgroups/path.ts';
import type { Step } from '../plan/step.ts';
import { freeze } from './pause.ts';
import type { Played } from './player.ts';

const AT = cgroupPath('/c', '');
const V1 = cgroupsAt(mountedTogether(), AT);
const V2 = cgroupsAt(unifiedHost(), AT);

/** A host whose freezer says one thing after the other, the last one for ever, and in which no time passes. */
class Freezer {
  readonly played: string[] = [];
  waited = 0;
  private readonly answers: string[];
  private readonly refuses: boolean;

  constructor(answers: readonly string[], refuses = false) {
    this.answers = [...answers];
    this.refuses = refuses;
  }

  readFile(): string {
    return (this.answers.length > 1 ? this.answers.shift() : this.answers[0]) ?? '';
  }

  after(milliseconds: number, handler: () => void): () => void {
    this.waited += milliseconds;
    handler();
    return () => undefined;
  }

  play(steps: readonly Step[]): Promise<Played> {
    const [title = ''] = steps.map((step) => step.title);
    this.played.push(title);
    const failed = this.refuses && title.startsWith('freeze');
    return failed ? Promise.reject(new Error('EACCES')) : Promise.resolve({} as Played);
  }
}

test('frozen at once, or after a while', async () => {
  const quick = new Freezer(['populated 1\nfrozen 1\n']);
  await freeze(quick, quick, V2);
  assert.deepEqual([quick.played, quick.waited], [['freeze the processes'], 0]);
  const slow = new Freezer(['frozen 0\n', 'frozen 0\n', 'frozen 0\n', 'frozen 1\n']);
  await freeze(slow, slow, V2);
  assert.ok(slow.waited > 0);
  assert.ok(!slow.played.includes('thaw the processes'));
});

test('v1 is asked again while it says freezing', async () => {
  const host = new Freezer(['FREEZING\n', 'FREEZING\n', 'FREEZING\n', 'FROZEN\n']);
  await freeze(host, host, V1);
  assert.deepEqual(host.played, ['freeze the processes', 'freeze the processes']);
});

test('who does not freeze within ten seconds is thawed, and so is who cannot be asked', async () => {
  const stuck = new Freezer(['FREEZING\n']);
  await assert.rejects(() => freeze(stuck, stuck, V1), /do not stop within 10 s/);
  assert.equal(stuck.played.at(-1), 'thaw the processes');
  assert.ok(stuck.waited >= 10_000 && stuck.waited < 11_000, `${stuck.waited} ms`);
  const refusing = new Freezer(['frozen 0\n'], true);
  await assert.rejects(() => freeze(refusing, refusing, V2), /EACCES/);
  assert.deepEqual(refusing.played, ['freeze the processes', 'thaw the processes']);
});
