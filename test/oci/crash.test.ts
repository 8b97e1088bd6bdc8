// F01: the runtime is killed at every one of its system calls; `delete --force` then leaves the host as it was.
//
// strace(1) sends SIGKILL as the call of that name begins for the n-th time: a kill between any two steps.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { processesNamed } from '../fault/traces.ts';
import { OciHarness, RUNTIMES } from './runtime.ts';

const long = process.env.CAISSON_LONG === '1';

/** One system call of a command: its name, and which of the calls of that name it is. */
interface Place {
  readonly name: string;
  readonly when: number;
}

class Crash {
  readonly harness: OciHarness;
  private readonly bundle: string;

  constructor(harness: OciHarness) {
    this.harness = harness;
    this.bundle = harness.bundle({}, 'exec sleep 1000');
  }

  /** Runs a command of the runtime under strace(1). */
  private strace(options: readonly string[], args: readonly string[]): void {
    const [program = '', ...words] = this.harness.commandLine(['oci', ...args]);
    spawnSync('strace', [...options, program, ...words], { stdio: 'ignore', timeout: 20_000 });
  }

  create(id: string): string[] {
    return ['create', '--bundle', this.bundle, id];
  }

  /** What a command does, without its children. */
  places(args: readonly string[]): Place[] {
    const file = `${this.harness.directory}/calls`;
    this.strace(['-qq', '-o', file], args);
    const counts = new Map<string, number>();
    return readFileSync(file, 'latin1')
      .split('\n')
      .flatMap((line) => {
        const name = /^([a-z_0-9]+)\(/.exec(line)?.[1];
        if (name === undefined) return [];
        counts.set(name, (counts.get(name) ?? 0) + 1);
        return [{ name, when: counts.get(name) ?? 0 }];
      });
  }

  kill({ name, when }: Place, args: readonly string[]): void {
    this.strace(['-qq', '-o', '/dev/null', '-e', `inject=${name}:signal=KILL:when=${when}`], args);
  }

  assertGone(id: string, what: string): void {
    this.harness.succeed(['delete', '--force', id]);
    assert.deepEqual(readdirSync(this.harness.state), [], `${what}: state`);
    assert.deepEqual(processesNamed(id), [], `${what}: processes`);
    const found = spawnSync('find', ['/sys/fs/cgroup', '-name', id], { encoding: 'utf8' }).stdout;
    assert.equal(found, '', `${what}: cgroups`);
  }
}

/** All of them in a long round, an even choice otherwise. */
function chosen(places: readonly Place[]): readonly Place[] {
  const every = long ? 1 : Math.ceil(places.length / 12);
  return places.filter((_, index) => index % every === every - 1);
}

for (const runtime of RUNTIMES.filter(({ name }) => long || name === 'caisson-oci')) {
  const harness = new OciHarness(runtime);
  after(() => harness.close());
  const skip = runtime.skip || (!existsSync('/usr/bin/strace') && 'strace is not installed');

  test(`F01 ${runtime.name}: create killed at each of its calls`, { skip }, () => {
    const crash = new Crash(harness);
    const first = harness.newId();
    const places = crash.places(crash.create(first));
    crash.assertGone(first, 'undisturbed');
    assert.ok(places.length > 50, `${places.length} calls`);
    const id = harness.newId();
    for (const place of chosen(places)) {
      crash.kill(place, crash.create(id));
      crash.assertGone(id, `create killed at ${place.name} ${place.when}`);
    }
    harness.succeed(crash.create(id));
    crash.assertGone(id, 'the id is reusable');
    harness.assertNothingLeft();
  });

  for (const command of ['start', 'delete'] as const) {
    test(`F01 ${runtime.name}: ${command} killed at each of its calls`, { skip }, () => {
      const crash = new Crash(harness);
      const first = harness.newId();
      harness.succeed(crash.create(first));
      const places = crash.places([command, first]);
      crash.assertGone(first, 'undisturbed');
      assert.ok(places.length > 20, `${places.length} calls`);
      for (const place of chosen(places)) {
        const id = harness.newId();
        harness.succeed(crash.create(id));
        crash.kill(place, [command, id]);
        crash.assertGone(id, `${command} killed at ${place.name} ${place.when}`);
      }
      harness.assertNothingLeft();
    });
  }

  test(`${runtime.name}: a create that was killed before it noted its process, without cgroups`, {
    skip,
  }, async () => {
    const id = harness.newId();
    harness.succeed(['create', '--bundle', harness.bundle({}, 'exec sleep 1000'), id]);
    const { pid } = harness.stateOf(id);
    const file = `${harness.state}/${id}/state.json`;
    const record = JSON.parse(readFileSync(file, 'utf8')) as Record<'cgroups' | 'oci' | 'keeper', object>;
    const { init, ...oci } = record.oci as { init?: object };
    assert.ok(init !== undefined);
    const gone = { ...record.keeper, startTime: 1 };
    const left = { ...record, cgroups: [], keeper: gone, oci: { ...oci, phase: 'creating' } };
    writeFileSync(file, JSON.stringify(left));
    harness.succeed(['delete', '--force', id]);
    // A zombie where nobody reaps orphans.
    const ended = () =>
      !existsSync(`/proc/${pid}`) || / Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    await harness.untilTrue(ended, `the end of process ${pid}`);
    for (const { directory } of record.cgroups as { directory: string }[]) rmdirSync(directory);
  });
}
