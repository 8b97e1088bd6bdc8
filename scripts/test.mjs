// `npm test`: sets up, runs the parts of the suite one after the other and sums up in one line.
//
//   node scripts/test.mjs                  all of it
//   node scripts/test.mjs kernel attack    only these parts
//   CAISSON_LONG=1 node scripts/test.mjs   full counts, and ten times the seconds

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runChecks } from './check.mjs';
import { runQuickjs } from './quickjs-tests.mjs';
import { setUp } from './setup.mjs';
import { root } from './stage.mjs';
import { allParts } from './test-parts.mjs';

const long = process.env.CAISSON_LONG === '1';

/** Results of a part: a list of `{kind: 'pass' | 'fail' | 'skip', name, file, ms, reason, error}`. */
async function runPart(part, budget) {
  if (part.missing) return [{ kind: 'skip', name: part.name, reason: part.missing }];
  if (part.engine === 'check') return runChecks();
  if (part.files.length === 0) return [];
  if (part.engine === 'quickjs') return runQuickjs(part.files, budget * 3000);
  return part.engine === 'bun' ? runBun(part, budget) : runNode(part, budget);
}

async function runNode(part, budget) {
  const log = join(root, 'build', `test-${part.name}.jsonl`);
  rmSync(log, { force: true });
  const reporter = join(root, 'scripts/test-reporter.mjs');
  const options = [
    ...['--enable-source-maps', '--test', `--test-concurrency=${part.concurrency ?? 1}`],
    ...[`--test-reporter=${reporter}`, `--test-reporter-destination=${log}`],
  ];
  const ended = await runProgram(part.program ?? process.execPath, [...options, ...part.files], part, budget);
  const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n') : [];
  const results = lines
    .flatMap((line) => (line === '' ? [] : [parseLine(line)]))
    .filter((one) => one.kind !== 'parent');
  attachStderr(results);
  const counted = results.filter((result) => result.kind !== 'stderr');
  if (ended.problem) counted.push({ kind: 'fail', name: `part ${part.name}`, error: ended.problem });
  else if (ended.code !== 0 && !counted.some((result) => result.kind === 'fail')) {
    counted.push({
      kind: 'fail',
      name: `part ${part.name}`,
      error: `node exited ${ended.code}\n${ended.output}`,
    });
  }
  return counted;
}

// The last line may be cut short when the part was killed.
function parseLine(line) {
  try {
    return JSON.parse(line);
  } catch {
    return { kind: 'parent' };
  }
}

function attachStderr(results) {
  for (const result of results) {
    if (result.kind !== 'fail') continue;
    const said = results.filter((other) => other.kind === 'stderr' && other.file === result.file);
    result.stderr = said
      .map((other) => other.text)
      .join('')
      .trimEnd()
      .split('\n')
      .slice(-15)
      .join('\n');
  }
}

async function runBun(part, budget) {
  const log = join(root, 'build', `test-${part.name}.xml`);
  rmSync(log, { force: true });
  const report = ['--reporter=junit', `--reporter-outfile=${log}`, '--timeout=120000'];
  const files = part.files.map((file) => `./${file}`);
  const ended = await runProgram(part.program, ['test', ...report, ...files], part, budget);
  const results = existsSync(log) ? readJunit(readFileSync(log, 'utf8')) : [];
  if (ended.problem) results.push({ kind: 'fail', name: `part ${part.name}`, error: ended.problem });
  else if (ended.code !== 0) {
    const failed = results.filter((result) => result.kind === 'fail');
    if (failed.length === 0)
      results.push({ kind: 'fail', name: `part ${part.name}`, error: `bun exited ${ended.code}` });
    results.find((result) => result.kind === 'fail').error += `\n${ended.output.slice(-6000)}`;
  }
  return results;
}

function readJunit(xml) {
  return [...xml.matchAll(/<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)].map(
    ([, attributes, body]) => {
      const attribute = (name) => new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? '';
      const base = { name: attribute('name'), file: attribute('file'), ms: Number(attribute('time')) * 1000 };
      if (body?.includes('<failure'))
        return { ...base, kind: 'fail', error: body.replace(/<[^>]*>/g, ' ').trim() };
      return body?.includes('<skipped')
        ? { ...base, kind: 'skip', reason: 'no reason given' }
        : { ...base, kind: 'pass' };
    },
  );
}

// Runs to the end or to three times the budget; the part has a process group of its own, so that what its
// tests started ends with it.
function runProgram(program, args, part, budget) {
  return new Promise((resolve) => {
    const env = { ...process.env, ...part.env };
    const child = spawn(program, args, { cwd: root, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let problem = null;
    const take = (chunk) => {
      output = (output + chunk).slice(-20_000);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    const timer = setTimeout(() => {
      problem = `killed after ${budget * 3} s, three times its budget`;
      process.kill(-child.pid, 'SIGKILL');
    }, budget * 3000);
    child.on('error', (error) => {
      problem = error.message;
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, problem, output });
    });
  });
}

function describePart(part, results, seconds, budget) {
  const count = (kind) => results.filter((result) => result.kind === kind).length;
  const late = seconds > budget ? '  OVER BUDGET' : '';
  const numbers = `${String(count('pass')).padStart(5)} passed ${count('fail')} failed ${count('skip')} skipped`;
  console.log(
    `${part.name.padEnd(15)} ${numbers.padEnd(36)} ${seconds.toFixed(1).padStart(6)} s of ${budget} s${late}`,
  );
  for (const result of results) {
    if (result.kind !== 'fail') continue;
    console.log(`  FAIL ${result.name}${result.file ? ` (${result.file.replace(`${root}/`, '')})` : ''}`);
    console.log(`${result.error}${result.stderr ? `\n${result.stderr}` : ''}`.replace(/^/gm, '      '));
  }
  const reasons = new Map();
  for (const { kind, reason } of results)
    if (kind === 'skip') reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  for (const [reason, times] of reasons) console.log(`  skipped ${times}: ${reason}`);
}

function choose(parts, names) {
  const unknown = names.filter((name) => !parts.some((part) => part.name === name));
  if (unknown.length > 0) {
    console.error(`no part named ${unknown.join(', ')}; parts: ${parts.map((part) => part.name).join(' ')}`);
    process.exit(2);
  }
  return names.length === 0 ? parts : parts.filter((part) => names.includes(part.name));
}

const start = performance.now();
setUp('test');
mkdirSync(join(root, 'build'), { recursive: true });
const totals = { pass: 0, fail: 0, skip: 0 };
for (const part of choose(allParts(), process.argv.slice(2))) {
  const budget = part.budget * (long ? 10 : 1);
  const begin = performance.now();
  const results = await runPart(part, budget);
  describePart(part, results, (performance.now() - begin) / 1000, budget);
  for (const { kind } of results) totals[kind] += 1;
}
console.log(`whole suite     ${((performance.now() - start) / 1000).toFixed(1)} s`);
if (totals.pass + totals.fail === 0) console.log('no test ran');
process.exitCode = totals.fail > 0 || totals.pass === 0 ? 1 : 0;
console.log(`${totals.pass} passed, ${totals.fail} failed, ${totals.skip} skipped`);
