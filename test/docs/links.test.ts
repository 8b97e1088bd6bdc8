// What the pages name exists: links, paths of the repository, flags, and the size of the launcher.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { RUN_FLAGS } from '../../src/frontends/docker/run-flags.ts';
import { pages } from './pages.ts';

/** Headings as GitHub makes anchors of them. */
function anchors(page: string): Set<string> {
  const headings = readFileSync(page, 'utf8').matchAll(/^#+ (.*)$/gm);
  const plain = (text: string) =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
  return new Set([...headings].map(([, text = '']) => plain(text)));
}

const withoutCode = (text: string) => text.replace(/```.*?```/gs, '').replace(/`[^`]*`/g, '');

test('every relative link leads somewhere', () => {
  const broken = pages().flatMap((page) => {
    const links = withoutCode(readFileSync(page, 'utf8')).matchAll(/\]\(([^)\s]+)\)/g);
    return [...links].flatMap(([, link = '']) => {
      if (/^[a-z]+:/.test(link)) return [];
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : join(dirname(page), path);
      const there = existsSync(target) && (anchor === undefined || anchors(target).has(anchor));
      return there ? [] : [`${page}: ${link}`];
    });
  });
  assert.deepEqual(broken, []);
});

test('paths of the repository that pages name exist', () => {
  const named = /`((?:src|launcher|scripts|test|docs)\/[\w.-]+(?:\/[\w.-]+)*)`/g;
  const made = new Set(['docs/test-long.md']);
  const missing = pages().flatMap((page) =>
    [...readFileSync(page, 'utf8').matchAll(named)]
      .map(([, path = '']) => path)
      .filter((path) => !made.has(path) && !existsSync(path))
      .map((path) => `${page}: ${path}`),
  );
  assert.deepEqual(missing, []);
});

test('docs/run.md has every flag of run, and no other', () => {
  const text = readFileSync('docs/run.md', 'utf8');
  const rows = text.split('\n').filter((line) => line.startsWith('| `--'));
  const listed = rows.flatMap((line) =>
    [...(line.split(' | ')[0] ?? '').matchAll(/`--([a-z-]+)`/g)].map(([, name = '']) => name),
  );
  const known: string[] = RUN_FLAGS.map(({ name }) => name);
  assert.deepEqual(
    known.filter((name) => !listed.includes(name)),
    [],
    'not in the page',
  );
  assert.deepEqual(
    listed.filter((name) => !known.includes(name)),
    [],
    'only in the page',
  );
});

test('the launcher has as many lines as the pages say', () => {
  const lines = readFileSync('launcher/launcher.c', 'utf8').split('\n').length - 1;
  for (const page of ['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md']) {
    const said = /(\d+) lines(?: of C|, the player)/.exec(readFileSync(page, 'utf8'))?.[1];
    assert.equal(said, String(lines), page);
  }
});

test('every page is in the index', () => {
  const index = readFileSync('docs/README.md', 'utf8');
  const left = pages().filter((page) => page.startsWith('docs/') && page !== 'docs/README.md');
  assert.deepEqual(
    left.filter((page) => !index.includes(page.slice('docs/'.length))),
    [],
  );
});
