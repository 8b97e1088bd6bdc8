// events: what is told of a container's life, followed and afterwards, filtered; by many at once; damaged and full files.
import assert from 'node:assert/strict';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Containers, failed, rootless, skip } from '../engine/containers.ts';

const box = new Containers();
after(() => box.close());

const past = (...args: readonly string[]): string[] =>
  box
    .output(['events', '--since', '1h', '--until', '0s', '--format', '{{.Action}}', ...args])
    .split('\n')
    .filter((line) => line !== '');

test('a life, as it is told while it happens and afterwards', { skip }, async () => {
  const followed = box.start(['events', '--format', '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}']);
  await box.until(() => readdirSync(box.harness.state).length === 0, 'nothing runs');
  await new Promise((resolve) => setTimeout(resolve, 300));
  const name = box.detached(['-l', 'job=x'], 'trap "exit 4" TERM; while :; do sleep 0.05; done');
  box.output(['exec', name, '/bin/true']);
  // A user without the freezer cannot hold a container.
  const freezes = rootless ? [] : ['pause', 'unpause'];
  for (const action of freezes) box.output([action, name]);
  box.output(['stop', '-t', '5', name]);
  box.output(['rm', name]);
  await followed.untilPrinted('destroy');
  followed.kill('SIGTERM');
  const { stdout } = await followed.end();
  const expected = [
    ...['create', 'start', 'exec_create: /bin/true', 'exec_start: /bin/true', 'exec_die'],
    ...freezes,
    ...['kill', 'die', 'stop', 'destroy'],
  ];
  const lines = stdout.trim().split('\n');
  assert.deepEqual(
    lines,
    expected.map((action) => `container ${action} ${name}`),
  );
  assert.deepEqual(past(), expected);
  assert.deepEqual(past('-f', 'event=exec_create'), ['exec_create: /bin/true']);
  assert.deepEqual(past('-f', 'event=die', '-f', 'event=start', '-f', `container=${name}`), ['start', 'die']);
  assert.deepEqual(past('-f', 'label=job=y'), []);
  assert.deepEqual(past('-f', 'type=image'), []);
  failed(box.call(['events', '--until', '0s', '-f', 'colour=red']), 1, /invalid filter 'colour'/);
  const json = box.output([
    'events',
    '--since',
    '1h',
    '--until',
    '0s',
    '--format',
    'json',
    '-f',
    'event=die',
  ]);
  const die = JSON.parse(json) as Record<string, unknown> & { Actor: { Attributes: Record<string, string> } };
  assert.deepEqual([die.status, die.Type, die.Action, die.scope], ['die', 'container', 'die', 'local']);
  assert.deepEqual([die.Actor.Attributes.exitCode, die.Actor.Attributes.job], ['4', 'x']);
  assert.match(
    box.output(['events', '--since', '1h', '--until', '0s', '-f', 'event=kill']),
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}\S+ container kill [0-9a-f]{64} \(image=.*name=box-\d+, signal=15\)$/,
  );
  box.clear();
});

test('a health check tells when the state changes, and once', { skip }, async () => {
  const name = box.detached(
    ['--health-cmd', 'test ! -e /sick', '--health-interval', '0.1s', '--health-retries', '1'],
    'sleep 100',
  );
  const states = () => past('-f', `container=${name}`, '-f', 'event=health_status');
  await box.until(() => states().length === 1, 'healthy');
  await new Promise((resolve) => setTimeout(resolve, 400));
  writeFileSync(`${box.harness.rootfs}/sick`, '');
  await box.until(() => states().length === 2, 'unhealthy');
  assert.deepEqual(states(), ['health_status: healthy', 'health_status: unhealthy']);
  assert.match(box.output(['ps', '--format', '{{.Status}}']), /\(unhealthy\)$/);
  box.clear();
});

test('one of --rm dies once; the log is bounded, and half a line costs nobody his', { skip }, async () => {
  const place = `${box.dataRoot}/events`;
  const [first = ''] = readdirSync(place);
  writeFileSync(`${place}/${first}`, '{"status":"st', { flag: 'a' });
  const name = box.detached(['--rm'], 'exit 3');
  await box.until(() => past('-f', `container=${name}`).includes('destroy'), 'destroyed');
  assert.deepEqual(past('-f', `container=${name}`), ['create', 'start', 'die', 'destroy']);
  for (let number = 1; number <= 20; number++)
    writeFileSync(`${place}/${String(number).padStart(8, '0')}`, '\n{"x":"'.padEnd(1 << 20, 'y'));
  box.output(['rm', box.detached([], 'true'), '-f']);
  const kept = readdirSync(place);
  assert.equal(kept.length, 8);
  assert.ok(statSync(`${place}/${kept.sort().at(-1)}`).size < 1 << 20);
  assert.ok(past().includes('destroy'));
  box.clear();
});
