// logs: both formats, streams, pieces of lines, rotation, following, times, damaged lines, blocked readers.
import assert from 'node:assert/strict';
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Containers, failed, skip } from '../engine/containers.ts';

const box = new Containers();
after(() => box.close());

const logFile = (name: string, suffix = ''): string => {
  const place = `${box.dataRoot}/containers/${box.id(name)}`;
  const file = readdirSync(place).find((each) => each.endsWith('-json.log') || each === 'ctr.log');
  return `${place}/${file}${suffix}`;
};

for (const driver of ['json-file', 'k8s-file']) {
  test(`${driver}: streams where they belong, long lines whole, times, the end`, { skip }, () => {
    const script =
      'echo one; echo two >&2; sleep 0.2; i=0; while [ $i -lt 2000 ]; do printf "abcdefghijklmnopqrst"; i=$((i+1)); done; echo; echo last';
    const name = box.detached(['--log-driver', driver], script);
    box.output(['wait', name]);
    const { stdout, stderr } = box.call(['logs', name]);
    assert.equal(stdout, `one\n${'abcdefghijklmnopqrst'.repeat(2000)}\nlast\n`);
    assert.equal(stderr, 'two\n');
    assert.equal(box.output(['logs', '-n', '1', name]), 'last');
    assert.equal(box.output(['logs', '--tail', '2', name]).length, 40_000 + 1 + 4);
    assert.equal(box.output(['logs', '--tail', '0', name]), '');
    const stamped = box.output(['logs', '-t', name]).split('\n');
    assert.equal(stamped.length, 3);
    for (const line of stamped) assert.match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z [a-z]+$/);
    assert.equal(box.output(['logs', '--since', '1h', '-n', '1', name]), 'last');
    assert.equal(box.output(['logs', '--until', '1h', name]), '');
    const first = stamped[0]?.split(' ')[0] ?? '';
    assert.equal(box.output(['logs', '--until', first, name]), '');
    assert.equal(box.output(['logs', '--since', first, name]).split('\n')[0], 'one');
    box.clear();
  });
}

test('followed over rotation nothing is lost, and it ends with the container', { skip }, async () => {
  const script =
    'i=0; while [ $i -lt 4000 ]; do echo "line $i"; i=$((i+1)); [ $((i%50)) = 0 ] && sleep 0.02; done';
  const name = box.detached(['--log-opt', 'max-size=10k', '--log-opt', 'max-file=5'], script);
  const followed = box.start(['logs', '-f', name]);
  const { code, stdout } = await followed.end();
  assert.equal(code, 0);
  const expected = Array.from({ length: 4000 }, (_, index) => `line ${index}\n`).join('');
  assert.ok(expected === stdout, `${stdout.length} of ${expected.length} bytes`);
  // Later there is what the files hold, in order and without a gap.
  const left = box.output(['logs', name]).split('\n');
  assert.equal(left.at(-1), 'line 3999');
  assert.ok(left.length > 300 && left.length < 4000);
  assert.ok(`${expected}`.endsWith(`${left.join('\n')}\n`));
  assert.equal(
    box.output(['logs', '-n', '300', name]),
    left.slice(-300).join('\n'),
    'over the border of files',
  );
  box.clear();
});

test('followed from now on, while it is removed', { skip }, async () => {
  const name = box.detached(['--rm'], 'echo before; sleep 0.5; echo after; sleep 0.3');
  const followed = box.start(['logs', '-f', '--tail', '0', name]);
  await followed.untilPrinted('after');
  const { code, stdout } = await followed.end();
  assert.deepEqual([code, stdout], [0, 'after\n']);
});

test('a reader that leaves ends it; a container is not held up by one that sleeps (F21)', {
  skip,
}, async () => {
  const name = box.detached(
    [],
    'i=0; while [ $i -lt 20000 ]; do echo "some text to fill the pipe $i"; i=$((i+1)); done; sleep 100',
  );
  const followed = box.start(['logs', '-f', name]);
  await followed.untilPrinted('pipe 5');
  followed.child.stdout?.destroy();
  // It notices with the next line.
  box.output(['exec', name, '/bin/sh', '-c', 'echo more >/proc/1/fd/1']);
  box.output(['exec', name, '/bin/sh', '-c', 'echo more >/proc/1/fd/1']);
  await followed.end();
  const sleeping = box.start(['logs', '-f', name]);
  sleeping.child.stdout?.pause();
  sleeping.kill('SIGSTOP');
  await box.until(() => readFileSync(logFile(name), 'utf8').includes('pipe 19999'), 'the whole log');
  sleeping.kill('SIGKILL');
  box.clear();
});

test('damaged lines are left out and counted (Z11)', { skip }, () => {
  const name = box.detached([], 'echo one; echo two; echo three');
  box.output(['wait', name]);
  const path = logFile(name);
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  const [one = '', two = '', three = ''] = lines;
  writeFileSync(
    path,
    [one, two.slice(0, 20), '\0\0\0', 'x'.repeat(3 << 20), three, three.slice(0, 9)].join('\n'),
  );
  const { code, stdout, stderr } = box.call(['logs', name]);
  assert.deepEqual([code, stdout], [0, 'one\nthree\n']);
  assert.match(stderr, /3 damaged lines of the log left out/);
  appendFileSync(path, '\n');
  assert.equal(box.output(['logs', '-n', '1', name]), 'three');
  box.clear();
});

test('no log, no container', { skip }, () => {
  const name = box.detached(['--log-driver', 'none'], 'echo x');
  box.output(['wait', name]);
  failed(box.call(['logs', name]), 1, /configured logging driver does not support reading/);
  failed(box.call(['logs', 'nobody']), 1, /No such container: nobody/);
  failed(box.call(['logs', '--since', 'yesterday', name]), 1, /invalid value for "since": "yesterday"/);
  box.clear();
});

test('--details shows the labels and variables that --log-opt names', { skip }, () => {
  const name = box.detached(
    ['-l', 'a=b c', '-e', 'V=1', '--log-opt', 'labels=a', '--log-opt', 'env=V,W'],
    'echo x',
  );
  box.output(['wait', name]);
  assert.equal(box.output(['logs', '--details', name]), 'V=1,a=b%20c x');
  box.clear();
});
