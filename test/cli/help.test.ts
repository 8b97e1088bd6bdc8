// Help texts as they were read; UPDATE_GOLDEN=1 writes the files.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { helpText } from '../../src/cli/commands/help.ts';
import { CATALOGUE, LATER_COMMANDS } from '../../src/cli/registry.ts';
import { loadTree } from '../../src/cli/tree.ts';
import { VERSION } from '../../src/cli/version.ts';

const update = process.env.UPDATE_GOLDEN === '1';
const root = repository(dirname(fileURLToPath(import.meta.url)));
const directory = join(root, 'test/cli/help');
if (update) mkdirSync(directory, { recursive: true });

/** This file runs from test/cli/ and from build/test/cli/. */
function repository(from: string): string {
  return existsSync(join(from, 'launcher/launcher.c')) ? from : repository(dirname(from));
}

const nodes = await loadTree(CATALOGUE);

for (const { name } of nodes) {
  test(`help of caisson ${name}`, async () => {
    const text = await helpText(CATALOGUE, name === '' ? [] : name.split(' '), 80);
    const file = join(
      directory,
      `${['caisson', ...name.split(' ')].filter((word) => word !== '').join('-')}.txt`,
    );
    if (update) writeFileSync(file, text);
    assert.equal(text, readFileSync(file, 'utf8'));
  });
}

test('no file of help without a command', () => {
  assert.equal(readdirSync(directory).length, nodes.length);
});

test('lines fit into 80 columns, but those of usage, descriptions and examples', async () => {
  const lines = (await helpText(CATALOGUE, ['run'], 80)).split('\n');
  const flags = lines.slice(lines.indexOf('Options:'));
  assert.ok(flags.length > 80);
  for (const line of flags) assert.ok(line.length <= 80, line);
});

test('every command: one name, one summary, flags without doubles', () => {
  for (const { name, flags, command } of nodes) {
    const all = [...(command?.flags ?? flags)];
    const names = all.map((flag) => flag.name);
    assert.equal(new Set(names).size, names.length, `${name}: a flag twice`);
    const shorts = all.flatMap(({ short }) => short ?? []);
    assert.equal(new Set(shorts).size, shorts.length, `${name}: a letter twice`);
    for (const flag of all) assert.match(flag.name, /^[a-z][a-z0-9-]*$/);
  }
  const own = CATALOGUE.entries.map(({ name }) => name);
  for (const later of LATER_COMMANDS.keys()) assert.ok(!own.includes(later), later);
});

test('an unknown topic', async () => {
  await assert.rejects(helpText(CATALOGUE, ['nosuch'], 80), /unknown help topic: nosuch/);
  await assert.rejects(helpText(CATALOGUE, ['run', 'x'], 80), /unknown help topic: run x/);
});

test('the version is that of package.json', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  assert.equal(VERSION, version);
});
