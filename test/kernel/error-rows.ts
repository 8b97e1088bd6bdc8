// Rows of a table of errors: a broken configuration, and what must be said about it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Harness, logged, MOUNTS, NAMESPACES, type Part, rootless, skip } from '../harness/caisson.ts';

export const others = NAMESPACES.filter(({ type }) => type !== 'network');
export const user = rootless ? [{ type: 'user' }] : [];
export const mount = (...mounts: readonly Part[]): Part => ({ mounts: [...MOUNTS, ...mounts] });
export const bind = (source: string, destination: string, ...options: readonly string[]): Part => ({
  destination,
  type: 'bind',
  source,
  options: ['bind', ...options],
});
export const network = (path: string): Part => ({
  linux: { namespaces: [...others, ...user, { type: 'network', path }] },
});
export const process_ = (part: Part): Part => ({ process: part });
export const linux = (part: Part): Part => ({ linux: part });
export const seccomp = (part: Part): Part => linux({ seccomp: { defaultAction: 'SCMP_ACT_ALLOW', ...part } });

/** A configuration that must fail, the field that must be named, and what else must be said. */
export interface Row {
  readonly name: string;
  readonly parts: Part;
  readonly field: string;
  /** A system call and its errno, where the kernel is what refuses. */
  readonly kernel?: readonly [string, string];
  readonly says?: RegExp;
  readonly who?: 'root' | 'user';
}

function check(harness: Harness, { name, parts, field, kernel, says }: Row): void {
  const { code: exit, stdout, stderr } = harness.oci(parts, 'echo the container ran');
  const text = `${name}: exit ${exit}\n${stderr}`;
  assert.equal(stdout, '', text);
  assert.equal(exit, 1, text);
  const message = logged(stderr);
  assert.ok(message.startsWith('runc run failed: '), text);
  assert.ok(message.includes(field) || isOfProgram(field, message), `${field} is not named: ${text}`);
  assert.doesNotMatch(stderr, /unexpected|undefined|\n {4,}at /, text);
  if (kernel !== undefined) {
    assert.match(message, new RegExp(`\\(${kernel[1]}\\)`), text);
    assert.match(message, new RegExp(`system call ${kernel[0]}$`), text);
  }
  if (says !== undefined) assert.match(message, says, text);
}

/** What engines search for names the program, and nothing else. */
function isOfProgram(field: string, message: string): boolean {
  return field === '/process/args' && message.includes(': exec: "');
}

/** A test for each row, and one that nothing is left of them. */
export function testRows(harness: Harness, what: string, rows: readonly Row[]): void {
  for (const row of rows) {
    const elsewhere = row.who !== undefined && (row.who === 'user') !== rootless ? 'the other round' : false;
    test(`${what}: ${row.name}`, { skip: skip || elsewhere }, () => {
      check(harness, row);
    });
  }
  test('nothing is left of all these', { skip }, () => {
    harness.assertNothingLeft();
  });
}
