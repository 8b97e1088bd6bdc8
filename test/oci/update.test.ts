// update: limits of a running container go up and down as they are asked for, and stay as they were when one is refused.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { cgroupFile, cgroupFilePath, onV1 } from './cgroup-files.ts';
import { OciHarness, RUNTIMES } from './runtime.ts';

const V1 = onV1('memory');
const LIMIT = V1 ? 'memory.limit_in_bytes' : 'memory.max';
const BOTH = 'memory.memsw.limit_in_bytes';
const MIB = 1 << 20;

const RESOURCES = {
  memory: { limit: 32 * MIB, reservation: 24 * MIB },
  cpu: { shares: 100, quota: 500000, period: 1000000 },
  pids: { limit: 20 },
};

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  interface Box {
    readonly id: string;
    readonly pid: number;
    readonly update: (...flags: string[]) => void;
    readonly json: (resources: unknown) => void;
    readonly refused: (words: RegExp, flags: readonly string[], input?: string) => void;
    readonly file: (file: string) => string;
    /** Quota and period; -1 is no quota. */
    readonly quota: () => string;
  }

  /** A running container with RESOURCES. */
  function start(): Box {
    const id = harness.newId();
    harness.succeed([
      'run',
      '-d',
      '-b',
      harness.bundle({ linux: linux({ resources: RESOURCES }) }, 'exec sleep 1000'),
      id,
    ]);
    const { pid } = harness.stateOf(id);
    const file = (which: string) => cgroupFile(pid, which);
    return {
      id,
      pid,
      file,
      update: (...flags) => harness.succeed(['update', ...flags, id]),
      json: (resources) => harness.succeed(['update', '-r', '-', id], { input: JSON.stringify(resources) }),
      refused: (words, flags, input) => {
        const options = input === undefined ? {} : { input };
        const { code, stderr } = harness.call(['update', ...flags, id], options);
        assert.equal(code, 1, flags.join(' '));
        assert.match(stderr, words);
      },
      quota: () =>
        V1
          ? `${file('cpu.cfs_quota_us')} ${file('cpu.cfs_period_us')}`
          : file('cpu.max').replace('max', '-1'),
    };
  }

  /** The harness's own part of `linux` names the cgroup. */
  function linux(part: object): object {
    const { linux: own } = harness.configuration({}, 'true') as { linux: object };
    return { ...own, cgroupsPath: `/${harness.cgroup}/${harness.newId()}`, ...part };
  }

  test(`${name}: memory and processes`, { skip }, () => {
    const { id, update, file } = start();
    assert.equal(file(LIMIT), String(32 * MIB));
    update('--memory', '64M');
    assert.equal(file(LIMIT), String(64 * MIB));
    update('--memory', '30M', '--pids-limit', '10');
    assert.deepEqual([file(LIMIT), file('pids.max')], [String(30 * MIB), '10']);
    update('--pids-limit', '-1');
    assert.equal(file('pids.max'), 'max');
    update('--pids-limit', '0');
    assert.equal(file('pids.max'), '1');
    update('--memory', '-1');
    assert.match(file(LIMIT), /^(max|9\d{18})$/);
    harness.succeed(['delete', '--force', id]);
    harness.assertNothingLeft();
  });

  test(`${name}: memory with swap is written in the order that the kernel takes`, {
    skip: skip || (!V1 && 'the order is one of cgroup v1'),
  }, (context) => {
    const { id, pid, update, refused, file } = start();
    if (!existsSync(cgroupFilePath(pid, BOTH))) {
      harness.succeed(['delete', '--force', id]);
      context.skip('swap is not accounted');
      return;
    }
    const sizes = () => [LIMIT, BOTH].map((each) => Number(file(each)) / MIB);
    update('--memory', '30M', '--memory-swap', '50M');
    assert.deepEqual(sizes(), [30, 50]);
    update('--memory', '60M', '--memory-swap', '80M');
    assert.deepEqual(sizes(), [60, 80]);
    update('--memory', '20M', '--memory-swap', '40M');
    assert.deepEqual(sizes(), [20, 40]);
    update('--memory-swap', '90M');
    assert.deepEqual(sizes(), [20, 90]);
    refused(/is 94371840, below memory\.limit 104857600/, ['--memory', '100M']);
    assert.deepEqual(sizes(), [20, 90]);
    update('--memory', '-1');
    assert.match(file(BOTH), /^9\d{18}$/, 'unlimited memory is unlimited swap');
    harness.succeed(['delete', '--force', id]);
  });

  test(`${name}: quota and period, each alone, together, without`, { skip }, () => {
    const { id, update, json, quota, file } = start();
    assert.equal(quota(), '500000 1000000');
    update('--cpu-period', '900000');
    assert.equal(quota(), '500000 900000');
    update('--cpu-quota', '600000');
    assert.equal(quota(), '600000 900000');
    update('--cpu-quota', '-1');
    assert.equal(quota(), '-1 900000');
    json({ cpu: { shares: 200, quota: 500000, period: 1000000, burst: 1000 } });
    assert.equal(quota(), '500000 1000000');
    assert.equal(file(V1 ? 'cpu.cfs_burst_us' : 'cpu.max.burst'), '1000');
    if (V1) assert.equal(file('cpu.shares'), '200');
    update('--cpu-quota', '3000', '--cpu-period', '10000', '--cpu-burst', '0');
    assert.equal(quota(), '3000 10000');
    harness.succeed(['delete', '--force', id]);
  });

  test(`${name}: idle, and weights that the kernel refuses then`, { skip }, () => {
    const { id, update, refused, file } = start();
    for (const idle of ['1', '0', '1']) {
      update('--cpu-idle', idle);
      assert.equal(file('cpu.idle'), idle);
    }
    for (const idle of ['-1', '2']) refused(/write \S*cpu\.idle: invalid argument/, ['--cpu-idle', idle]);
    update('--cpu-period', '10000');
    assert.equal(file('cpu.idle'), '1');
    harness.succeed(['delete', '--force', id]);
  });

  test(`${name}: when one limit is refused, those written before it are put back`, { skip }, () => {
    const { id, refused, file, quota } = start();
    refused(/failed to write .*cpu\.(cfs_period_us|max): invalid argument/, [
      '--cpuset-cpus',
      '0',
      '--cpu-period',
      '7',
      '--pids-limit',
      '9',
    ]);
    assert.deepEqual([quota(), file('pids.max')], ['500000 1000000', '20']);
    refused(/pids\.max|cpuset\.mems/, ['--pids-limit', '9', '--cpuset-cpus', '0', '--cpuset-mems', '63']);
    assert.equal(file('pids.max'), '20');
    const kept = `${harness.state}/${id}/resources.json`;
    assert.ok(!existsSync(kept), 'a failed update is not noted');
    harness.succeed(['delete', '--force', id]);
  });

  test(`${name}: memory below what is used, unified files, a broken document`, { skip }, () => {
    const { id, refused, json, file } = start();
    const small = { memory: { limit: 4096, checkBeforeUpdate: true } };
    refused(/rejecting memory limit 4096 <= usage \d+/, ['-r', '-'], JSON.stringify(small));
    if (V1) refused(/unable to set memory limit to 4096 \(current usage: \d+, peak/, ['--memory', '4096']);
    assert.equal(file(LIMIT), String(32 * MIB));
    if (V1) refused(/invalid configuration/, ['-r', '-'], '{"unified": {"memory.high": "100000"}}');
    else {
      json({ unified: { 'pids.max': '7' } });
      assert.equal(file('pids.max'), '7');
    }
    refused(/./, ['-r', '-'], '{');
    harness.succeed(['delete', '--force', id]);
  });

  test(`${name}: a later update and the record know an earlier one; config.json stays`, { skip }, () => {
    const { id, update } = start();
    const configuration = readFileSync(`${harness.state}/${id}/config.json`, 'utf8');
    update('--memory', '40M');
    update('--pids-limit', '12');
    const kept = JSON.parse(readFileSync(`${harness.state}/${id}/resources.json`, 'utf8')) as object;
    assert.deepEqual(kept, {
      ...RESOURCES,
      memory: { ...RESOURCES.memory, limit: 40 * MIB },
      pids: { limit: 12 },
    });
    assert.equal(readFileSync(`${harness.state}/${id}/config.json`, 'utf8'), configuration);
    harness.succeed(['delete', '--force', id]);
  });

  test(`${name}: a paused container stays paused, a stopped one is refused`, { skip }, async () => {
    const { id, update, refused, file } = start();
    harness.succeed(['pause', id]);
    update('--pids-limit', '30', '--memory', '50M');
    assert.deepEqual([file('pids.max'), file(LIMIT)], ['30', String(50 * MIB)]);
    assert.equal(harness.stateOf(id).status, 'paused');
    harness.succeed(['resume', id]);
    harness.succeed(['kill', id, 'KILL']);
    await harness.untilStatus(id, 'stopped');
    refused(/container not running/, ['--pids-limit', '5']);
    harness.succeed(['delete', id]);
    harness.assertNothingLeft();
  });
}
