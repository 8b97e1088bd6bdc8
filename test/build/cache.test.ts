// The cache of builds: what is taken from it and what is not, builds that are killed, builds at the same time.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, utimesSync } from 'node:fs';
import { after, test } from 'node:test';
import { ROOT, skip } from '../harness/caisson.ts';
import { cached, Site } from './site.ts';

const site = skip === false ? new Site(ROOT) : undefined;
after(() => site?.close());

/** Builds a context again and again. */
function rebuild(context: string, args: readonly string[] = []) {
  assert.ok(site !== undefined);
  const ended = site.call(['build', '--progress', 'plain', '-t', 'cached', ...args, context]);
  assert.equal(ended.code, 0, ended.stderr);
  return { hits: cached(ended), id: JSON.stringify(site.image('cached:latest').config) };
}

test('content counts, times do not; a full hit gives the same image', { skip }, () => {
  assert.ok(site !== undefined);
  const context = site.context({
    Dockerfile: 'FROM bb\nCOPY d /d\nRUN cat /d/f > /g',
    'd/f': '1',
    other: 'x',
  });
  assert.equal(rebuild(context).hits, 0);
  const { hits, id } = rebuild(context);
  assert.equal(hits, 2);
  utimesSync(`${context}/d/f`, 1, 1);
  site.put(`${context}/other`, 'y');
  assert.deepEqual(rebuild(context), { hits: 2, id });
  site.put(`${context}/d/f`, '2');
  assert.equal(rebuild(context).hits, 0);
  site.put(`${context}/d/f`, '1');
  assert.deepEqual(rebuild(context), { hits: 2, id });
});

test('what changes a step changes what follows', { skip }, () => {
  assert.ok(site !== undefined);
  const dockerfile = (env: string) => `FROM bb\nRUN true\nARG A\nENV E=${env}\nRUN echo $E`;
  const context = site.context({ Dockerfile: dockerfile('1') });
  rebuild(context);
  assert.equal(rebuild(context).hits, 2);
  assert.equal(rebuild(context, ['--build-arg', 'A=x']).hits, 1);
  assert.equal(rebuild(context, ['--build-arg', 'http_proxy=http://p']).hits, 2);
  site.put(`${context}/Dockerfile`, dockerfile('2'));
  assert.equal(rebuild(context).hits, 1);
  assert.equal(rebuild(context, ['--no-cache']).hits, 0);
  assert.equal(rebuild(context).hits, 2);
});

test('--no-cache-filter, and files of another stage by their content', { skip }, () => {
  assert.ok(site !== undefined);
  const dockerfile =
    'FROM bb AS a\nRUN date +%N > /time; echo same > /same\nFROM bb AS b\nCOPY --from=a /same /same\nRUN cat /same';
  const context = site.context({ Dockerfile: dockerfile });
  rebuild(context);
  assert.equal(rebuild(context).hits, 3);
  // The stage is built anew, and what is copied of it is as it was.
  assert.equal(rebuild(context, ['--no-cache-filter', 'a']).hits, 2);
});

test('a directory or a mode that is new is another content', { skip }, () => {
  assert.ok(site !== undefined);
  const context = site.context({ Dockerfile: 'FROM bb\nCOPY . /c/', 'a/f': '' });
  rebuild(context);
  assert.equal(rebuild(context).hits, 1);
  site.put(`${context}/b/f`, '');
  assert.equal(rebuild(context).hits, 0);
});

test('SOURCE_DATE_EPOCH: the same input gives the same image in two stores', { skip }, () => {
  assert.ok(site !== undefined);
  const other = new Site(ROOT);
  try {
    const dockerfile =
      'FROM scratch\nCOPY --from=bb /bin /bin\nWORKDIR /w\nCOPY f .\nRUN date > /dev/null; touch now; mkdir d';
    const ids = [site, other].map((each) => {
      const file = `${each.directory}/id-${Math.random()}`;
      const env = { SOURCE_DATE_EPOCH: '1000000000' };
      const ended = each.build(dockerfile, { f: 'f' }, ['--iidfile', file, '-t', 'fixed'], { env });
      assert.equal(ended.code, 0, ended.stderr);
      const { config, layers } = each.image('fixed:latest');
      assert.equal(config.created, '2001-09-09T01:46:40Z');
      return JSON.stringify([config, layers]);
    });
    assert.equal(ids[0], ids[1]);
  } finally {
    other.close();
  }
});

test('a build that is killed leaves nothing that is visible, and the next one tidies up', {
  skip,
}, async () => {
  assert.ok(site !== undefined);
  const context = site.context({ Dockerfile: 'FROM bb\nRUN echo a > /a\nRUN echo begun; sleep 60' });
  const started = site.start(['build', '--progress', 'plain', context]);
  await started.until(() => started.stderr.includes('begun'), 'the second step');
  started.kill('SIGKILL');
  await started.end();
  const left = readdirSync(`${site.dataRoot}/build/steps`).length;
  // Its container dies with it; what it has made is not in the cache.
  const short = site.context({ Dockerfile: 'FROM bb\nRUN echo a > /a\nRUN echo end' });
  rebuild(short);
  assert.ok(readdirSync(`${site.dataRoot}/build/steps`).length <= left + 2);
  site.output(['system', 'repair']);
  site.assertNoSessions();
});

test('two builds of the same at the same time', { skip }, async () => {
  assert.ok(site !== undefined);
  const contexts = [1, 2, 3].map(() =>
    site.context({ Dockerfile: 'FROM bb\nRUN sleep 0.3; echo same > /same\nRUN cat /same' }),
  );
  const all = contexts.map((context, index) => site.start(['build', '-q', '-t', `same${index}`, context]));
  for (const started of all) {
    const { code, stderr } = await started.end();
    assert.equal(code, 0, stderr);
  }
  for (const index of [0, 1, 2])
    assert.equal(site.output(['run', '--rm', '-q', `same${index}`, 'cat', '/same']), 'same');
});

test('a result that is damaged is made anew', { skip }, () => {
  assert.ok(site !== undefined);
  const context = site.context({ Dockerfile: 'FROM bb\nRUN echo damaged > /x' });
  rebuild(context);
  const steps = `${site.dataRoot}/build/steps`;
  for (const step of readdirSync(steps)) {
    if (!existsSync(`${steps}/${step}/upper/x`)) continue;
    site.put(`${steps}/${step}/step.json`, '{"key":');
  }
  assert.equal(rebuild(context).hits, 0);
  assert.equal(rebuild(context).hits, 1);
});

test('builder prune: results go, caches with --all, images stay; the space is that of the files', {
  skip,
}, () => {
  const place = skip === false ? new Site(ROOT) : undefined;
  assert.ok(place !== undefined);
  try {
    const dockerfile =
      'FROM bb\nRUN head -c 300000 /dev/zero > /zero\nRUN --mount=type=cache,target=/c touch /c/x /y';
    // Of another PID namespace: whether that process lives cannot be known.
    const foreign = `${place.dataRoot}/build/sessions/1-2-3-4`;
    mkdirSync(foreign);
    const first = place.build(dockerfile, {}, ['-t', 'kept']);
    assert.equal(first.code, 0, first.stderr);
    // A result that is the layer of no image any more, and one that never was.
    place.build('FROM bb\nRUN head -c 400000 /dev/zero > /gone', {}, ['-t', 'gone']);
    place.output(['rmi', 'gone']);
    place.build('FROM bb\nRUN head -c 500000 /dev/zero > /none', {}, ['-o', 'type=cacheonly']);
    const names = (kind: string) => readdirSync(`${place.dataRoot}/build/${kind}`);
    const [steps, keys] = [names('steps').length, names('keys').length];
    assert.ok(steps >= 4 && keys >= 4);
    assert.match(
      place.output(['builder', 'prune', '-f', '--filter', 'until=1h']),
      /^Total reclaimed space: 0B/,
    );
    assert.equal(existsSync(foreign), false);
    place.output(['builder', 'prune', '-f', '--keep-storage', '1g']);
    assert.deepEqual([names('steps').length, names('keys').length], [steps, keys]);
    const said = place.output(['builder', 'prune', '-f']);
    assert.match(
      said,
      /^Deleted build cache objects:\n([0-9a-f-]+\n){4,}\nTotal reclaimed space: 90\d(?:\.\d+)?kB$/,
    );
    assert.deepEqual([names('steps'), names('keys')], [[], []]);
    assert.equal(names('caches').filter((name) => !name.endsWith('.lock')).length, 1);
    assert.equal(place.output(['run', '--rm', 'kept', 'stat', '-c', '%s', '/zero']), '300000');
    place.output(['builder', 'prune', '-af']);
    assert.equal(names('caches').filter((name) => !name.endsWith('.lock')).length, 0);
    const again = place.build(dockerfile, {}, ['-t', 'kept']);
    assert.equal(again.code, 0, again.stderr);
    assert.equal(cached(again), 0);
  } finally {
    place.close();
  }
});

test('files that change meanwhile: the result serves no other build', { skip }, () => {
  assert.ok(site !== undefined);
  const context = site.context({
    Dockerfile: 'FROM bb\nRUN --mount=target=/c sleep 1; cat /c/f',
    f: '1',
  });
  const script = `while sleep 0.1; do echo 1 >> ${context}/f; done`;
  const writer = spawn('/bin/sh', ['-c', script], { stdio: 'ignore' });
  try {
    const ended = site.call(['build', '--progress', 'plain', '-t', 'changing', context]);
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(ended.stderr, /the context changed while it was read: the result is not kept/);
  } finally {
    writer.kill('SIGKILL');
  }
  assert.equal(rebuild(context).hits, 0);
  assert.equal(rebuild(context).hits, 1);
});

test('a file that never stands still is an error, or copied whole', { skip }, () => {
  assert.ok(site !== undefined);
  const context = site.context({ Dockerfile: 'FROM bb\nCOPY f /f\nRUN tail -c 3 /f', f: '12\n' });
  const script = `for n in $(seq 40000); do echo 12 >> ${context}/f; done`;
  const writer = spawn('/bin/sh', ['-c', script], { stdio: 'ignore' });
  try {
    const ended = site.call(['build', '--progress', 'plain', context]);
    if (ended.code !== 0) assert.match(ended.stderr, /Dockerfile:2:1: .*f has changed while it was read/);
  } finally {
    writer.kill('SIGKILL');
  }
  const ended = site.call(['build', '--progress', 'plain', context]);
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(ended.stderr, / 12\n/);
});

test('a name that means a removal in a layer is refused', { skip }, () => {
  assert.ok(site !== undefined);
  const ended = site.build('FROM bb\nRUN touch /etc/.wh.group', {}, ['-t', 'marked']);
  assert.equal(ended.code, 1);
  assert.match(ended.stderr, /\/etc\/\.wh\.group cannot be in a layer/);
});
