// `exec`, health checks and limits of time: commands that join a container, asked for or by its monitor.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Containers, failed, rootOnly, skip } from './containers.ts';

const box = new Containers();
after(() => box.close());

test('exec: output, input, codes, environment, directory', { skip }, async () => {
  const name = box.detached(['-e', 'OWN=1', '-w', '/tmp'], 'sleep 100');
  const ended = box.call(['exec', name, 'sh', '-c', 'echo out; echo err >&2; exit 9']);
  assert.deepEqual([ended.code, ended.stdout, ended.stderr], [9, 'out\n', 'err\n']);
  assert.equal(box.output(['exec', '-i', name, 'cat'], { input: 'typed' }), 'typed');
  assert.equal(box.output(['exec', name, 'cat'], { input: 'typed' }), '', 'no input without -i');
  assert.equal(box.output(['exec', '-e', 'MORE=2', name, 'sh', '-c', 'echo $OWN$MORE; pwd']), '12\n/tmp');
  assert.equal(box.output(['exec', '-w', '/etc', name, 'pwd']), '/etc');
  failed(box.call(['exec', name, 'no-such-program']), 127, /not found/);
  failed(box.call(['exec', name, '/etc/passwd']), 126, /permission denied/i);
  failed(box.call(['exec', 'nobody', 'true']), 1, /No such container/);
  assert.equal(box.output(['exec', '-d', name, 'sh', '-c', 'echo $$ > /tmp/detached; sleep 100']), '');
  await box.until(() => box.call(['exec', name, 'cat', '/tmp/detached']).code === 0, 'the detached process');
  box.output(['kill', name]);
  failed(box.call(['exec', name, 'true']), 1, /is not running/);
  box.clear();
});

test('exec as somebody else, by name as the container knows it', { skip: rootOnly }, () => {
  const name = box.detached([], 'echo "known:x:1234:55:::" >> /etc/passwd; echo ready; sleep 100');
  assert.equal(box.output(['exec', '-u', '7:8', name, 'sh', '-c', 'id -u; id -g']), '7\n8');
  assert.equal(box.output(['exec', '-u', 'known', name, 'sh', '-c', 'id -u; id -g']), '1234\n55');
  assert.equal(box.call(['exec', '-u', 'unknown', name, 'true']).code, 125);
  const own = box.output(['exec', name, 'grep', 'CapEff', '/proc/self/status']);
  const more = box.output(['exec', '--privileged', name, 'grep', 'CapEff', '/proc/self/status']);
  const other = box.output(['exec', '-u', '7', name, 'grep', 'CapEff', '/proc/self/status']);
  const mask = (text: string): bigint => BigInt(`0x${text.split('\t')[1] ?? '0'}`);
  assert.ok(mask(more) > mask(own));
  assert.equal(mask(other), 0n);
  box.clear();
});

test('a health check: starting, healthy, unhealthy, healthy again', { skip }, async () => {
  const flags = ['--health-cmd', 'test -e /tmp/well', '--health-interval', '100ms', '--health-retries', '2'];
  const name = box.detached(flags, 'rm -f /tmp/well; sleep 100');
  const { place } = box.disk(name);
  const health = (): { status: string; failingStreak: number; log: { ExitCode: number }[] } => {
    try {
      return JSON.parse(readFileSync(`${place}/health.json`, 'utf8')) as ReturnType<typeof health>;
    } catch {
      return { status: 'none', failingStreak: 0, log: [] };
    }
  };
  await box.until(() => health().status === 'unhealthy', 'unhealthy');
  assert.ok(health().failingStreak >= 2);
  box.output(['exec', name, 'touch', '/tmp/well']);
  await box.until(() => health().status === 'healthy', 'healthy');
  await box.until(() => health().log.length === 5, 'five checks');
  assert.equal(health().log.at(-1)?.ExitCode, 0);
  box.output(['rm', '-f', name]);
  const slow = box.detached(
    [
      '--health-cmd',
      'sleep 50',
      '--health-interval',
      '100ms',
      '--health-timeout',
      '200ms',
      '--health-retries',
      '1',
    ],
    'sleep 100',
  );
  const path = `${box.disk(slow).place}/health.json`;
  await box.until(() => {
    try {
      return /exceeded timeout/.test(readFileSync(path, 'utf8'));
    } catch {
      return false;
    }
  }, 'a check that took too long');
  box.output(['rm', '-f', slow]);
  box.clear();
});

test('--timeout ends the whole tree, whatever it does about signals', { skip }, () => {
  const name = box.detached(['--timeout', '1s'], 'trap "" TERM INT HUP; (trap "" TERM; sleep 100) & wait');
  assert.equal(box.output(['wait', name]), '137');
  box.clear();
});

test('out of memory is recorded', { skip: rootOnly }, () => {
  const greedy = 'x=$(head -c 64000000 /dev/zero | tr "\\0" x); echo $x | wc -c';
  const name = box.detached(['--memory', '16m', '--memory-swap', '16m'], `exec sh -c '${greedy}'`);
  assert.equal(box.output(['wait', name]), '137');
  assert.equal(box.disk(name).exited?.oom, true);
  box.clear();
});
