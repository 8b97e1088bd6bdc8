// Completion as a shell does it, and manual pages as groff reads them.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { completionScript } from '../../src/cli/completion.ts';
import { manualPages } from '../../src/cli/manual.ts';
import { CATALOGUE } from '../../src/cli/registry.ts';
import { loadTree } from '../../src/cli/tree.ts';

const nodes = await loadTree(CATALOGUE);

function has(program: string): boolean {
  return spawnSync(program, ['--version']).error === undefined;
}

/** What bash offers after these words; the last one is being typed. */
function offered(...words: string[]): string[] {
  const script = `${completionScript('bash', nodes)}
COMP_WORDS=(caisson "$@"); COMP_CWORD=$#
_caisson
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['-c', script, 'bash', ...words], {
    encoding: 'utf8',
    cwd: '/',
  });
  assert.equal(stderr, '');
  assert.equal(status, 0);
  return stdout.split('\n').filter((line) => line !== '');
}

test('bash: commands, flags, values, files', () => {
  assert.deepEqual(offered('ru'), ['run']);
  assert.ok(offered('').includes('cgroup'));
  assert.deepEqual(offered('cgroup', '').sort(), ['inspect', 'ls', 'move']);
  assert.deepEqual(offered('oci', 'f'), ['features']);
  assert.ok(offered('run', '--mem').includes('--memory-swap'));
  assert.deepEqual(offered('run', '--rm', '--network', 'n'), ['none']);
  assert.deepEqual(offered('run', '--mount-ns', '').sort(), ['host', 'new']);
  assert.deepEqual(offered('run', '-v', '/et'), ['/etc']);
  assert.deepEqual(offered('run', '-e', 'X=1', 'ho'), ['host']);
  assert.ok(!offered('run', '--').includes('--publish'), 'a flag of a later issue');
  assert.ok(offered('run', 'host', 'et').includes('etc'));
  assert.deepEqual(offered('completion', 'z'), ['zsh']);
  assert.deepEqual(offered('--log-level', 'w'), ['warn']);
});

test('bash: the script has no fault of syntax', () => {
  const { status, stderr } = spawnSync('bash', ['-n'], {
    input: completionScript('bash', nodes),
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  assert.equal(status, 0);
});

test('zsh and fish: every command and every flag that holds', () => {
  for (const shell of ['zsh', 'fish'] as const) {
    const script = completionScript(shell, nodes);
    for (const { name, flags } of nodes) {
      for (const word of name.split(' ')) assert.ok(script.includes(word), `${shell}: ${word}`);
      for (const flag of flags) {
        assert.ok(
          script.includes(shell === 'zsh' ? `--${flag.name}` : `-l ${flag.name} `),
          `${shell}: ${flag.name}`,
        );
      }
    }
    assert.ok(!script.includes('publish'), shell);
    if (has(shell)) {
      const { stderr } = spawnSync(shell, ['-n', '/dev/stdin'], { input: script, encoding: 'utf8' });
      assert.equal(stderr, '', shell);
    }
  }
});

test('manual pages: one for each command, clean to groff', () => {
  const pages = manualPages(nodes);
  assert.equal(pages.length, nodes.length);
  const run = pages.find(({ file }) => file === 'caisson-run.1')?.content ?? '';
  assert.match(run, /^\.TH CAISSON-RUN 1 /);
  assert.match(run, /\\fB\\-m\\fR, \\fB\\-\\-memory\\fR \\fIbytes\\fR/);
  if (!has('groff')) return;
  for (const { file, content } of pages) {
    const { stderr, stdout } = spawnSync('groff', ['-man', '-ww', '-Tascii'], {
      input: content,
      encoding: 'utf8',
    });
    assert.equal(stderr, '', file);
    // Bold letters are struck twice: letter, backspace, letter.
    assert.match(stdout.replace(/.\x08/g, ''), /NAME\n {7}caisson/, file);
  }
});
