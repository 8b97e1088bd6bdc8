// Runs one part of the test suite under its engine and counts what happened.

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runChecks } from './check.mjs';
import { runQuickjs } from './quickjs-tests.mjs';
import { root } from './stage.mjs';

/**
 * Runs a part; ends it after three times its budget of seconds.
 * @param {import('./test-parts.mjs').Part} part
 * @param {number} budget
 * @returns {Promise<{kind: 'pass' | 'fail' | 'skip', name: string, file?: string, ms?: number, reason?: string,
 *   error?: string, stderr?: string}[]>}
 */
export async function runPart(part, budget) {
  mkdirSync(join(root, 'build'), { recursive: true });
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
  const report = ['--reporter=junit', `--reporter-outfile=${log}`, '--timeout=120000', '--only-failures'];
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
