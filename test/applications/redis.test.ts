// Redis with a limit of memory: driven by redis-cli, filled beyond the limit, killed, told of, and started again.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { rootOnly } from '../engine/containers.ts';
import { debianImage, debianMissing } from '../harness/debian.ts';
import { Application, freePort } from './application.ts';

const skip = rootOnly || debianMissing;

const IMAGE = {
  packages: ['redis-server'],
  lines: [
    'RUN mkdir /data && chown redis:redis /data',
    'WORKDIR /data',
    'VOLUME /data',
    'USER redis',
    'ENTRYPOINT ["redis-server", "--bind", "127.0.0.1", "--save", ""]',
  ],
};

/** So many values of 64 KiB each. */
const FILL = `for i = 1, tonumber(ARGV[1]) do redis.call('set', 'filler' .. i, string.rep('x', 65536)) end return 'filled'`;

let box: Application;
let port: string;
before(async () => {
  if (skip !== false) return;
  box = new Application();
  debianImage(box, 'redis:1', IMAGE);
  port = await freePort();
});
after(() => {
  if (skip === false) box.close();
});

const LIMIT = ['--memory', '48m', '--memory-swap', '48m'];

const serve = (...flags: string[]): string =>
  box.output([
    ...['run', '-d', '--name', 'store', '--network', 'host', ...LIMIT, ...flags],
    ...['redis:1', '--port', port],
  ]);

const cli = (...words: string[]) => box.call(['exec', 'store', 'redis-cli', '-p', port, ...words]);

const answers = (): Promise<void> => box.until(() => cli('ping').stdout === 'PONG\n', 'a server');

test('Redis in 48 MB: used by its client, and killed when it wants more', { skip }, async () => {
  serve();
  await answers();
  for (let index = 0; index < 20; index++) assert.equal(cli('set', `key${index}`, 'value').stdout, 'OK\n');
  const commands = Array.from({ length: 5000 }, (_, index) => `set many${index} ${index}\n`).join('');
  const piped = box.output(['exec', '-i', 'store', 'redis-cli', '-p', port, '--pipe'], { input: commands });
  assert.match(piped, /errors: 0, replies: 5000/);
  // Another container, with the client alone, over loopback.
  const client = ['run', '--network', 'host', '--entrypoint', 'redis-cli', 'redis:1', '-p', port];
  assert.equal(box.output([...client, 'get', 'many4999']), '4999');
  assert.equal(box.output([...client, 'dbsize']), '5020');
  assert.equal(cli('eval', FILL, '0', '100').stdout, 'filled\n', 'six megabytes are no problem');
  assert.equal(box.state('store').OOMKilled, false);
  assert.notEqual(cli('eval', FILL, '0', '2000').code, 0, 'the server goes away while it answers');
  assert.equal(box.output(['wait', 'store']), '137');
  const { Status, Running, ExitCode, OOMKilled } = box.state('store');
  assert.deepEqual([Status, Running, ExitCode, OOMKilled], ['exited', false, 137, true]);
  const listed = box.output(['ps', '-a', '--format', '{{.Names}} {{.Status}}']);
  assert.match(listed, /^store Exited \(137\) /);
  assert.equal(box.output(['ps', '-a', '-q', '--filter', 'exited=137']), box.id('store').slice(0, 12));
  assert.match(box.output(['logs', 'store']), /Ready to accept connections/);
  box.output(['rm', '-v', 'store']);
});

test('Redis that was out of memory is started again by its policy, with what it had saved', {
  skip,
}, async () => {
  serve('--restart', 'on-failure:3', '-v', 'redis-data:/data');
  await answers();
  for (let index = 0; index < 10; index++) cli('set', `kept${index}`, 'x');
  assert.equal(cli('save').stdout, 'OK\n');
  const { Pid } = box.state('store');
  cli('eval', FILL, '0', '2000');
  await box.untilState(
    'store',
    (state) => String(state.Pid),
    (pid) => pid !== '0' && pid !== String(Pid),
  );
  await answers();
  assert.equal(cli('dbsize').stdout, '10\n');
  assert.equal(box.output(['inspect', '-f', '{{.RestartCount}}', 'store']), '1');
  const events = box.output(['events', '--since', '5m', '--until', '0s', '--format', '{{.Action}}']);
  const order = events.split('\n').filter((action) => ['start', 'oom', 'die'].includes(action));
  assert.deepEqual(order.slice(-4), ['start', 'oom', 'die', 'start']);
  box.output(['stop', 'store']);
  assert.equal(box.state('store').ExitCode, 0, 'a graceful end');
  box.output(['rm', 'store']);
  box.output(['volume', 'rm', 'redis-data']);
});

test('a greedy command in the container is killed, and Redis goes on', { skip }, async () => {
  serve();
  await answers();
  cli('set', 'still', 'there');
  const greedy = box.call(['exec', 'store', 'sh', '-c', 'exec perl -e "\\$x = q(x) x 200_000_000; print 1"']);
  assert.equal(greedy.code, 137);
  assert.equal(cli('get', 'still').stdout, 'there\n');
  box.output(['stop', 'store']);
  assert.deepEqual([box.state('store').ExitCode, box.state('store').Running], [0, false]);
  box.output(['rm', '-v', 'store']);
});
