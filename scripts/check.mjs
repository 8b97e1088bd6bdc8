// `npm run check`: everything that needs no run of caisson: format, lint, types, spelling, imports, generated files.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setUp } from './setup.mjs';
import { bunPath, findProgram, root } from './stage.mjs';

const bin = (name) => join(root, 'node_modules/.bin', name);

/** Name and command of each check; `missing`: why it cannot be done here. */
function checks() {
  const node = process.execPath;
  return [
    { name: 'format and lint', command: [bin('biome'), 'check', '--colors=off', '--error-on-warnings', '.'] },
    { name: 'types', command: [bin('tsc'), '--noEmit', '-p', 'tsconfig.json'] },
    { name: 'types of the core without Node', command: [bin('tsc'), '-p', 'tsconfig.core.json'] },
    { name: 'imports', command: [node, 'scripts/check-imports.mjs'] },
    { name: 'files', command: [node, 'scripts/check-files.mjs'] },
    {
      name: 'spelling',
      command: [bin('cspell'), '--no-progress', '--no-summary', '--quiet', '--no-color', '.'],
    },
    ...generated('generate-wire.ts', 'launcher/wire.h is what src/plan/wire.ts says', null),
    ...generated('order.ts', 'docs/order.md is what src/plan/verify says', null),
    ...generated('conformance.ts', 'docs/conformance.md is what test/conformance says', null),
    ...generated('generate-abi.ts', 'kernel constants are what the headers say', missingForAbi()),
  ];
}

function generated(script, name, missing) {
  const path = join('scripts', script);
  return existsSync(join(root, path)) ? [{ name, command: [bunPath(), path, '--check'], missing }] : [];
}

function missingForAbi() {
  const there = findProgram('aarch64-linux-gnu-gcc') && existsSync('/usr/arm-linux-gnueabihf/include');
  return there ? null : 'needs gcc-aarch64-linux-gnu and linux-libc-dev-armhf-cross';
}

const env = { ...process.env, NO_COLOR: '1' };

function runCheck({ name, command, missing }) {
  if (missing) return Promise.resolve({ kind: 'skip', name, reason: `${name}: ${missing}` });
  return new Promise((resolve) => {
    const child = spawn(command[0], command.slice(1), { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const take = (chunk) => {
      output += chunk;
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', (error) => resolve({ kind: 'fail', name, error: error.message }));
    child.on('close', (code) => {
      const error = output.trim().split('\n').slice(0, 60).join('\n');
      resolve(code === 0 ? { kind: 'pass', name } : { kind: 'fail', name, error });
    });
  });
}

/** Runs all checks, two at a time; results as scripts/test.mjs counts them. */
export async function runChecks() {
  const waiting = checks();
  const results = waiting.map(() => null);
  let next = 0;
  const worker = async () => {
    while (next < waiting.length) {
      const index = next++;
      results[index] = await runCheck(waiting[index]);
    }
  };
  await Promise.all([worker(), worker()]);
  return results;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  setUp('run');
  const results = await runChecks();
  for (const { kind, name, error, reason } of results) {
    console.log(`${kind.padEnd(5)} ${name}${reason ? ` (${reason})` : ''}`);
    if (error) console.log(error.replace(/^/gm, '      '));
  }
  process.exitCode = results.some((result) => result.kind === 'fail') ? 1 : 0;
}
