// `npm test`: sets up, runs the parts of the suite one after the other and sums up in one line.
//
//   node scripts/test.mjs                  all of it
//   node scripts/test.mjs kernel attack    only these parts
//   CAISSON_LONG=1 node scripts/test.mjs   full counts, and ten times the seconds

import { writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { makeDebian } from './debian-tree.mjs';
import { makeEngine } from './oci-executable.mjs';
import { makePeers } from './peers.mjs';
import { setUp } from './setup.mjs';
import { outputOf, root } from './stage.mjs';
import { runPart } from './test-engines.mjs';
import { allParts } from './test-parts.mjs';

const long = process.env.CAISSON_LONG === '1';

// Other people's programs are built outside the budget of the part that uses them.
const PREPARATIONS = {
  quickjs: makeEngine,
  peers: makePeers,
  debian: makeDebians,
  applications: makeApplications,
};

/** One archive each for the programs of test/applications. */
function makeApplications() {
  for (const name of ['postgresql', 'redis-server', 'nodejs']) makeDebian([name]);
}

/** The minimal one, and for the long round those with packages (test/debian). */
function makeDebians() {
  makeDebian();
  if (long) makeDebian(['postgresql']);
}

async function prepareAndRun(part, budget) {
  try {
    for (const name of part.needs ?? []) PREPARATIONS[name]();
  } catch (error) {
    return { results: [{ kind: 'fail', name: `part ${part.name}`, error: error.message }], seconds: 0 };
  }
  const begin = performance.now();
  const results = await runPart(part, budget);
  return { results, seconds: (performance.now() - begin) / 1000 };
}

/** Everything that was told about the parts, for the record of a long run. */
const told = [];

function tell(text) {
  console.log(text);
  told.push(text);
}

function describePart(part, results, seconds, budget) {
  if (results.length === 0) return;
  const count = (kind) => results.filter((result) => result.kind === kind).length;
  const late = seconds > budget ? '  OVER BUDGET' : '';
  const numbers = `${String(count('pass')).padStart(5)} passed ${count('fail')} failed ${count('skip')} skipped`;
  tell(
    `${part.name.padEnd(15)} ${numbers.padEnd(36)} ${seconds.toFixed(1).padStart(6)} s of ${budget} s${late}`,
  );
  for (const result of results) {
    if (result.kind !== 'fail') continue;
    tell(`  FAIL ${result.name}${result.file ? ` (${result.file.replace(`${root}/`, '')})` : ''}`);
    tell(`${result.error}${result.stderr ? `\n${result.stderr}` : ''}`.replace(/^/gm, '      '));
  }
  const reasons = new Map();
  for (const { kind, reason } of results)
    if (kind === 'skip') reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  for (const [reason, times] of reasons) tell(`  skipped ${times}: ${reason}`);
}

function choose(parts, names) {
  const unknown = names.filter((name) => !parts.some((part) => part.name === name));
  if (unknown.length > 0) {
    console.error(`no part named ${unknown.join(', ')}; parts: ${parts.map((part) => part.name).join(' ')}`);
    process.exit(2);
  }
  return names.length === 0 ? parts : parts.filter((part) => names.includes(part.name));
}

// A long run is done at each release; its summary is part of the repository.
function record() {
  const head = [
    '# The last long run of the tests',
    '',
    'Written by `npm run test:long`.',
    '',
    `* ${new Date().toISOString().slice(0, 10)}, commit ${outputOf('git', ['rev-parse', '--short', 'HEAD']) ?? 'unknown'}`,
    `* ${release()}, ${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `* Node ${process.version}`,
  ];
  writeFileSync(join(root, 'docs/test-long.md'), [...head, '', '```text', ...told, '```', ''].join('\n'));
}

const start = performance.now();
setUp('test');
const totals = { pass: 0, fail: 0, skip: 0 };
for (const part of choose(allParts(), process.argv.slice(2))) {
  const budget = part.budget * (long ? 10 : 1);
  const { results, seconds } = await prepareAndRun(part, budget);
  describePart(part, results, seconds, budget);
  for (const { kind } of results) totals[kind] += 1;
}
tell(`whole suite     ${((performance.now() - start) / 1000).toFixed(1)} s`);
if (totals.pass + totals.fail === 0) tell('no test ran');
process.exitCode = totals.fail > 0 || totals.pass === 0 ? 1 : 0;
tell(`${totals.pass} passed, ${totals.fail} failed, ${totals.skip} skipped`);
if (long && process.argv.length === 2) record();
