// Checks what each source file must look like: its first sentence, its length, its name, no leftovers.
//
//   node scripts/check-files.mjs [DIRECTORY]    prints each fault and fails; DIRECTORY holds src/, launcher/ ...

import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { filesBelow, root } from './stage.mjs';

const FOLDERS = ['src', 'launcher', 'scripts', 'test', 'bench'];
const SOURCE = /\.(ts|mjs|c|h)$/;
const MOST_LINES = 400;

/** Programs that run with a container's or root's power are short enough to be read in one sitting. */
const LINE_BUDGETS = {
  'launcher/launcher.c': 250,
  'launcher/init.c': 200,
  'launcher/monitor.c': 400,
  'quickjs/engine.c': 300,
};

/** Tables that a script writes may be long. */
const GENERATED = /^src\/linux\/abi\//;

const LEFTOVERS = [
  [/\b(?:TO[D]O|FIX[M]E|XX[X])\b/, 'unfinished work belongs in an issue'],
  [/@ts-(?:ignore|nocheck|expect-error)\b/, 'the type checker is not to be silenced'],
  [/\b(?:test|it|describe)\.only\(/, 'the other tests would not run'],
];

/** Lines `file: what is wrong` for the sources below `base`. */
export function checkFiles(base) {
  const files = FOLDERS.flatMap((folder) => filesBelow(folder, SOURCE, base));
  return files
    .filter((file) => !file.includes('/node_modules/'))
    .flatMap((file) =>
      faultsOf(file, readFileSync(join(base, file), 'utf8')).map((fault) => `${file}: ${fault}`),
    );
}

function faultsOf(file, text) {
  const lines = text.replace(/\n$/, '').split('\n');
  const most = LINE_BUDGETS[file] ?? (GENERATED.test(file) ? Number.POSITIVE_INFINITY : MOST_LINES);
  const faults = [];
  if (lines.length > most) faults.push(`${lines.length} lines, at most ${most}`);
  if (!/^[a-z0-9_]+(?:[-.][a-z0-9_]+)*$/.test(basename(file))) faults.push('the name is not in kebab-case');
  if (/^(?:utils?|helpers?|common|misc|manager)\./.test(basename(file))) faults.push('the name says nothing');
  if (!startsWithSentence(lines))
    faults.push('does not start with a comment of one sentence that says its subject');
  lines.forEach((line, index) => {
    for (const [pattern, why] of LEFTOVERS) {
      // The check's own patterns and tests are not leftovers.
      if (pattern.test(line) && !/check-files/.test(file)) faults.push(`line ${index + 1}: ${why}`);
    }
  });
  return faults;
}

function startsWithSentence(lines) {
  const body = lines[0]?.startsWith('#!') ? lines.slice(1) : lines;
  const end = body.findIndex((line) => !/^(?:\/\/|\/\*| \*) \S/.test(line));
  const comment = body
    .slice(0, end === -1 ? body.length : end)
    .map((line) => line.replace(/^\S+ | \*\/$/g, ''));
  return /^(?:\S+ \S+ .*|`.*`)[.:]$/.test(comment.join(' ').trim());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const faults = checkFiles(process.argv[2] ?? root);
  for (const line of faults) console.log(line);
  process.exitCode = faults.length > 0 ? 1 : 0;
}
