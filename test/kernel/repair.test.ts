// `caisson system repair` and `caisson oci delete`: what each record's condition leads to.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { after, test } from 'node:test';
import type { Cgroup } from '../../src/cgroups/path.ts';
import { Harness, rootless, rootOnly, type Started, skip, succeeded } from '../harness/caisson.ts';

const EXECUTABLE = process.env.CAISSON ?? `${process.cwd()}/dist/caisson`;

const harness = new Harness();
const sleepers: ChildProcess[] = [];
after(() => {
  for (const sleeper of sleepers) sleeper.kill('SIGKILL');
  harness.close();
});

interface StoredRecord {
  readonly id: string;
  readonly bootId: string;
  readonly keeper: { readonly pid: number; readonly startTime: number };
  readonly cgroups: readonly Cgroup[];
}

function repair(...options: string[]): string {
  return succeeded(harness.caisson(['system', 'repair', ...options]));
}

function recordOf(id: string): StoredRecord {
  return JSON.parse(readFileSync(`${harness.state}/${id}/state.json`, 'utf8')) as StoredRecord;
}

function writeRecord(id: string, content: unknown): void {
  mkdirSync(`${harness.state}/${id}`);
  harness.own(`${harness.state}/${id}`);
  if (content === undefined) return;
  writeFileSync(
    `${harness.state}/${id}/state.json`,
    typeof content === 'string' ? content : JSON.stringify(content),
  );
}

function forget(id: string): void {
  harness.caisson(['oci', 'delete', '--force', id]);
}

/** A container that runs until SIGTERM; its record. */
async function running(
  id: string,
  path = `/${harness.cgroup}/${id}`,
): Promise<{ run: Started; record: StoredRecord }> {
  const linux = rootless ? {} : { linux: { cgroupsPath: path } };
  const bundle = harness.bundle(linux, 'trap "exit 0" TERM; echo up; while :; do sleep 0.1; done');
  const run = harness.start(['oci', 'run', '--bundle', bundle, id]);
  await run.untilPrinted('up');
  return { run, record: recordOf(id) };
}

async function killed(id: string, path?: string): Promise<StoredRecord> {
  const { run, record } = await running(id, path);
  run.kill('SIGKILL');
  await run.end();
  return record;
}

function sleeperIn(cgroups: readonly Cgroup[]): ChildProcess {
  const child = spawn('sleep', ['300'], { stdio: 'ignore' });
  sleepers.push(child);
  for (const { directory } of cgroups) writeFileSync(`${directory}/cgroup.procs`, String(child.pid));
  return child;
}

test('nothing to do: no word', { skip }, () => {
  assert.equal(repair(), '');
  assert.equal(repair('--dry-run'), '');
});

test('a dead run: processes, nested cgroups, cgroups and record go', { skip: rootOnly }, async () => {
  const id = harness.newId();
  const { cgroups } = await killed(id);
  assert.ok(cgroups.length > 0);
  for (const { directory } of cgroups) mkdirSync(`${directory}/inner/innermost`, { recursive: true });
  const left = sleeperIn(cgroups.filter(({ controllers }) => !controllers.includes('cpuset')));
  const wouldBe = repair('--dry-run');
  assert.match(wouldBe, new RegExp(`^${id}: would kill process ${left.pid}$`, 'm'));
  assert.ok(
    cgroups.every(({ directory }) => existsSync(directory)) && left.exitCode === null,
    'a rehearsal does nothing',
  );
  const ends = new Promise((resolve) => {
    left.once('exit', (_, signal) => {
      resolve(signal);
    });
  });
  const done = repair();
  assert.equal(await ends, 'SIGKILL');
  assert.equal(
    done,
    wouldBe.replaceAll('would kill', 'killed').replaceAll('would remove', 'removed'),
    'the rehearsal told what would be done',
  );
  assert.match(done, new RegExp(`^${id}: removed cgroup /${harness.cgroup}/${id} \\(`, 'm'));
  assert.match(done, new RegExp(`^${id}: removed ${harness.state}/${id}$`, 'm'));
  assert.deepEqual(readdirSync(harness.state), []);
  assert.equal(repair(), '');
  harness.assertNothingLeft();
});

test('processes in a frozen cgroup die, too', { skip: rootOnly }, async () => {
  const id = harness.newId();
  const { cgroups } = await killed(id);
  sleeperIn(cgroups.filter(({ controllers }) => !controllers.includes('cpuset')));
  for (const { directory, version, controllers } of cgroups) {
    if (version === 2) writeFileSync(`${directory}/cgroup.freeze`, '1');
    if (controllers.includes('freezer')) writeFileSync(`${directory}/freezer.state`, 'FROZEN');
  }
  assert.match(repair(), /killed process/);
  harness.assertNothingLeft();
});

test('a container that runs is left alone, and deleted by force', { skip }, async () => {
  const id = harness.newId();
  const { run } = await running(id);
  assert.equal(repair(), '');
  const refused = harness.caisson(['oci', 'delete', id]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /that is not stopped: running/);
  assert.equal(succeeded(harness.caisson(['oci', 'delete', '--force', id])), '');
  assert.ok([137, 125].includes((await run.end()).code), 'killed, or told that its launcher was');
  assert.ok(!existsSync(`${harness.state}/${id}`));
  harness.assertNothingLeft();
});

test('delete: a dead run without force; no container is an error, with force none', { skip }, async () => {
  const id = harness.newId();
  await killed(id);
  assert.equal(succeeded(harness.caisson(['oci', 'delete', id])), '');
  assert.ok(!existsSync(`${harness.state}/${id}`));
  const again = harness.caisson(['oci', 'delete', id]);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /does not exist/);
  assert.equal(harness.caisson(['oci', 'delete', '--force', id]).code, 0);
  harness.assertNothingLeft();
});

test('damaged and newer records are told and left', { skip }, () => {
  const path = (id: string) => `${harness.state}/${id}/state.json`;
  const cases: Readonly<Record<string, [unknown, RegExp]>> = {
    cut: ['{"version":1,"id":"cu', /cut: left alone: .* is damaged/],
    empty: ['', /empty: left alone: .* is damaged/],
    list: ['[]', /list: left alone: .* is damaged: it has no version/],
    newer: [{ version: 99 }, /newer: left alone: .* newer caisson \(format 99/],
    fields: [{ version: 1, id: 'fields' }, /fields: left alone: .* is damaged: a field/],
  };
  for (const [id, [content]] of Object.entries(cases)) writeRecord(id, content);
  const told = repair();
  for (const [id, [, expected]] of Object.entries(cases)) {
    assert.match(told, expected);
    assert.ok(existsSync(path(id)));
  }
  assert.equal(told.split('\n').length, Object.keys(cases).length);
  for (const id of Object.keys(cases)) rmSync(`${harness.state}/${id}`, { recursive: true });
});

test('a record cannot name the root of a hierarchy, or what is outside of it', {
  skip: rootOnly,
}, async () => {
  const id = harness.newId();
  const { cgroups, ...rest } = await killed(id);
  const [first] = cgroups as [Cgroup];
  const tries = [
    first.base,
    `${first.base}/`,
    `${first.base}/..`,
    `${first.base}/a/../..`,
    '/tmp',
    `${first.base}x/a`,
  ];
  for (const directory of tries) {
    const record = {
      version: 1,
      launcher: { pid: 0, startTime: 0 },
      ...rest,
      cgroups: [{ ...first, directory }],
    };
    writeFileSync(`${harness.state}/${id}/state.json`, JSON.stringify(record));
    assert.match(repair(), /is damaged/, directory);
  }
  const record = { version: 1, launcher: { pid: 0, startTime: 0 }, ...rest, cgroups };
  writeFileSync(`${harness.state}/${id}/state.json`, JSON.stringify(record));
  assert.match(repair(), /removed cgroup/);
  harness.assertNothingLeft();
});

test('a record of another boot: only its files go', { skip: rootOnly }, async () => {
  const id = harness.newId();
  const { run, record } = await running(id);
  writeRecord('old', { version: 1, ...record, launcher: record.keeper, id: 'old', bootId: 'another' });
  assert.equal(repair(), `old: removed ${harness.state}/old`);
  assert.ok(existsSync(record.cgroups[0]?.directory ?? ''));
  assert.equal(run.child.exitCode, null);
  forget(id);
  await run.end();
});

test('a pid that another process has by now does not keep a record', { skip: rootOnly }, async () => {
  const id = harness.newId();
  const { run, record } = await running(id);
  const keeper = { ...record.keeper, startTime: record.keeper.startTime - 1 };
  writeRecord('stale', { version: 1, ...record, id: 'stale', keeper, launcher: keeper, cgroups: [] });
  assert.equal(repair(), `stale: removed ${harness.state}/stale`);
  assert.equal(run.child.exitCode, null, 'the process of that number was not killed');
  forget(id);
  await run.end();
});

test('a cgroup that a later container has by now is not touched', { skip: rootOnly }, async () => {
  const path = `/${harness.cgroup}/shared`;
  await killed('first', path);
  const second = await running('second', path);
  const told = repair();
  assert.equal(told, `first: removed ${harness.state}/first`);
  assert.equal(second.run.child.exitCode, null);
  assert.ok(existsSync(second.record.cgroups[0]?.directory ?? ''));
  forget('second');
  await second.run.end();
  harness.assertNothingLeft();
});

test('a directory without a record goes after a second', { skip }, () => {
  writeRecord('nothing', undefined);
  assert.match(repair('--dry-run'), /^nothing: would remove /);
  const before = performance.now();
  assert.match(repair(), /^nothing: removed .*, which has no record$/);
  assert.ok(performance.now() - before >= 1000, 'its maker was given time');
  assert.ok(!existsSync(`${harness.state}/nothing`));
});

test('a directory without a record that has something in it is not ours, and stays', { skip }, () => {
  const directory = `${harness.state}/documents`;
  mkdirSync(directory);
  writeFileSync(`${directory}/letter`, 'dear');
  harness.own(directory);
  const { stdout } = harness.caisson(['system', 'repair']);
  assert.equal(stdout, 'documents: left alone: it has no record, and is not empty\n');
  assert.equal(readFileSync(`${directory}/letter`, 'utf8'), 'dear');
  rmSync(directory, { recursive: true });
});

test("another user's directory of records is refused", { skip: rootOnly }, () => {
  const state = harness.makeDirectory('foreign');
  const attempt = () =>
    spawnSync(EXECUTABLE, ['--runtime-root', state, 'system', 'repair'], { encoding: 'utf8' });
  assert.equal(attempt().status, 0);
  chmodSync(state, 0o777);
  assert.match(attempt().stderr, /is not a directory that only you can write to/);
  chmodSync(state, 0o755);
  chownSync(state, 65532, 65532);
  assert.equal(attempt().status, 125);
});

test('repair: a record whose command died before it had the id goes, and one of a living command stays', {
  skip,
}, async () => {
  const dead = spawnSync('true').pid;
  const { run, record } = await running(harness.newId());
  // The number of a process that lives, and the record of one that does not: it is another one by now.
  const reused = { ...record, keeper: { ...record.keeper, startTime: record.keeper.startTime - 1 } };
  writeRecord(`.early.${dead}`, undefined);
  writeRecord(`.late.${dead}`, { ...reused, keeper: { pid: dead, startTime: 1 } });
  writeRecord(`.reused.${record.keeper.pid}`, reused);
  writeRecord(`.living.${record.keeper.pid}`, record);
  writeRecord(`.begun.${record.keeper.pid}`, undefined);
  const names = [`.early.${dead}`, `.late.${dead}`, `.reused.${record.keeper.pid}`];
  assert.deepEqual(
    repair('--dry-run').trim().split('\n').sort(),
    names.map(
      (name) => `${name}: would remove ${harness.state}/${name}, whose command died before it had the id`,
    ),
  );
  repair();
  const left = readdirSync(harness.state).filter((name) => name.startsWith('.'));
  assert.deepEqual(left.sort(), [`.begun.${record.keeper.pid}`, `.living.${record.keeper.pid}`]);
  for (const name of left) rmSync(`${harness.state}/${name}`, { recursive: true });
  run.kill('SIGTERM');
  await run.end();
  harness.assertNothingLeft();
});
