// Tests of how the counts of refused processes are read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unifiedHost } from './hosts.testing.ts';
import { cgroupPath, cgroupsAt } from './path.ts';
import { processLimitFiles, processLimitReport, processLimitStep } from './process-limit.ts';

const CGROUPS = cgroupsAt(unifiedHost(), cgroupPath(undefined, 'one', { rootless: false }));

function report(events: string, max: string, peak?: string) {
  const [eventsFile = '', maxFile = '', peakFile = ''] = processLimitFiles(CGROUPS);
  const contents = new Map([[eventsFile, events] as const, [maxFile, max] as const]);
  if (peak !== undefined) contents.set(peakFile, peak);
  return processLimitReport(CGROUPS, contents);
}

test('the own limit is named where the container had as many processes', () => {
  assert.deepEqual(report('max 3\n', '20\n', '20\n'), { refusals: 3, limit: 20 });
  assert.deepEqual(report('max 3\n', '20\n'), { refusals: 3, limit: 20 });
});

test("an ancestor's limit is not taken for the container's own", () => {
  assert.deepEqual(report('max 3\n', '20\n', '10\n'), { refusals: 3, limit: undefined });
  assert.deepEqual(report('max 3\n', 'max\n', '10\n'), { refusals: 3, limit: undefined });
});

test('no controller, no cgroup: nothing is known', () => {
  assert.equal(processLimitReport(CGROUPS, new Map()), undefined);
  assert.deepEqual(processLimitStep([]).steps, []);
  assert.equal(processLimitStep(CGROUPS).steps.length, 1);
});
