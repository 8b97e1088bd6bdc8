// `caisson doctor` on this kernel: what it tries is what a run would meet.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, test } from 'node:test';
import { Harness, once, skip, succeeded } from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

interface Finding {
  readonly id: string;
  readonly condition: string;
  readonly found: string;
  readonly advice: readonly string[];
}

interface Report {
  readonly healthy: boolean;
  readonly findings: readonly Finding[];
}

function findingOf({ findings }: Report, id: string): Finding {
  return findings.find((one) => one.id === id) ?? { id, condition: 'none', found: '', advice: [] };
}

/** The report inside of a user namespace that a shell has prepared. */
function inside(preparation: string): { readonly status: number | null; readonly report: Report } {
  const words = harness.commandLine(['doctor', '--json']).map((word) => `'${word}'`);
  // With the id 0 of that namespace alone, caisson takes itself for root; then nothing but the state is its own.
  const script = `${preparation} && exec ${words.join(' ')}`;
  const { status, stdout, stderr } = spawnSync('unshare', ['-Urm', 'sh', '-c', script], { encoding: 'utf8' });
  assert.match(stdout, /^\{/, stderr);
  return { status, report: JSON.parse(stdout) as Report };
}

test('this machine runs containers, and says so', { skip }, () => {
  const text = succeeded(harness.caisson(['doctor']));
  assert.match(text, /^ok +launcher/m);
  assert.match(text, /^ok +user namespaces/m);
  assert.match(text, /\nContainers run here/);
  const report = JSON.parse(succeeded(harness.caisson(['doctor', '--json']))) as Report;
  assert.equal(report.healthy, true);
  assert.ok(report.findings.length > 10);
  harness.assertNothingLeft();
});

test('without user namespaces: the sysctl is named', { skip: once }, () => {
  const { report } = inside('echo 0 > /proc/sys/user/max_user_namespaces');
  const found = findingOf(report, 'user-namespaces');
  assert.equal(found.condition, 'limited');
  assert.match(found.found, /ENOSPC/);
  assert.match(found.advice[0] ?? '', /user\.max_user_namespaces is 0/);
});

test('a covered /proc: what covers it is named', { skip: once }, () => {
  const found = findingOf(inside('mount --bind /dev/null /proc/version').report, 'user-procfs');
  assert.match(found.found, /mount a procfs: .*EPERM/);
  assert.match(found.advice[0] ?? '', /\/proc\/version/);
});

test('in a user namespace: no namespace is missing, devices are not ruled', { skip: once }, () => {
  const { status, report } = inside(':');
  assert.equal(status, 0);
  assert.match(findingOf(report, 'privilege').advice.join(), /devices cannot be ruled/);
});

test('a directory of records that cannot be used: exit 1', { skip: once }, () => {
  const [program = '', ...words] = harness.commandLine(['doctor']);
  const at = words.indexOf('--runtime-root') + 1;
  words[at] = '/proc/caisson';
  const { status, stdout } = spawnSync(program, words, { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stdout, /Containers cannot run here: state\./);
});
