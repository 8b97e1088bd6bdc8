// Tests of cgroupsPath.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hybridHost, unifiedHost } from './hosts.testing.ts';
import { cgroupPath, cgroupsAt, describeCgroups } from './path.ts';

function directories(
  layout: ReturnType<typeof hybridHost>,
  text: string | undefined,
  rootless = false,
): string[] {
  return cgroupsAt(layout, cgroupPath(text, 'id1', { rootless })).map(({ directory }) => directory);
}

test('an absolute path is below every mount point', () => {
  assert.deepEqual(directories(hybridHost(), '/a//b/./c/'), [
    '/sys/fs/cgroup/systemd/a/b/c',
    '/sys/fs/cgroup/memory/a/b/c',
    '/sys/fs/cgroup/cpuset/a/b/c',
    '/sys/fs/cgroup/cpu/a/b/c',
    '/sys/fs/cgroup/unified/a/b/c',
  ]);
});

test('a relative path is below the own cgroup of each hierarchy, on v2 beside it', () => {
  assert.ok(directories(hybridHost(), 'a').includes('/sys/fs/cgroup/memory/jobs/one/a'));
  assert.deepEqual(directories(unifiedHost('/u.slice/s.scope'), 'a'), ['/sys/fs/cgroup/u.slice/a']);
  assert.deepEqual(directories(unifiedHost('/s.scope'), 'a'), ['/sys/fs/cgroup/a']);
  assert.deepEqual(directories(unifiedHost('/'), 'a'), ['/sys/fs/cgroup/a']);
});

test('the default is /caisson/ID, relative for a rootless caller', () => {
  assert.deepEqual(directories(unifiedHost('/u/s'), undefined), ['/sys/fs/cgroup/caisson/id1']);
  assert.deepEqual(directories(unifiedHost('/u/s'), '', true), ['/sys/fs/cgroup/u/caisson/id1']);
});

test('as runc: the default is the id below the own cgroup', () => {
  const places = (layout: ReturnType<typeof hybridHost>, text?: string) =>
    cgroupsAt(layout, cgroupPath(text, 'id1', { asRunc: true })).map(({ directory }) => directory);
  assert.deepEqual(places(unifiedHost('/u/s')), ['/sys/fs/cgroup/u/id1']);
  assert.ok(places(hybridHost()).includes('/sys/fs/cgroup/memory/jobs/one/id1'));
  assert.ok(places(hybridHost()).includes('/sys/fs/cgroup/cpu/id1'));
  assert.deepEqual(places(unifiedHost('/u/s'), '/a/b'), ['/sys/fs/cgroup/a/b']);
});

test('ancestors are listed from the top, without the base', () => {
  const [cgroup] = cgroupsAt(unifiedHost(), cgroupPath('/a/b/c', ''));
  assert.equal(cgroup?.base, '/sys/fs/cgroup');
  assert.deepEqual(cgroup?.parents, ['/sys/fs/cgroup/a', '/sys/fs/cgroup/a/b']);
});

test('paths that are refused name the field', () => {
  for (const [text, reason] of [
    ['/a/../b', /"\.\."/],
    ['..', /"\.\."/],
    ['/', /root cgroup/],
    ['./', /root cgroup/],
    ['system.slice:caisson:x', /slice:prefix:name/],
    ['/a\nb', /newline/],
    [`/${'n'.repeat(256)}`, /256 bytes/],
  ] as const) {
    assert.throws(
      () => cgroupPath(text, 'x'),
      (error: unknown) =>
        error instanceof Error &&
        reason.test(error.message) &&
        JSON.stringify(error).includes('/linux/cgroupsPath'),
      text,
    );
  }
  assert.deepEqual(cgroupPath('/a:b:c', '').components, ['a:b:c']);
});

test('a relative path needs the own cgroup to be visible', () => {
  assert.throws(() => directories(unifiedHost('/../../x'), 'a'), /does not show \/\.\.\/\.\.\/x/);
});

test('cgroups are told by path', () => {
  assert.deepEqual(describeCgroups(cgroupsAt(unifiedHost(), cgroupPath('/a/b', ''))), ['/a/b (unified)']);
  const [first] = describeCgroups(cgroupsAt(hybridHost(), cgroupPath('/a/b', '')));
  assert.match(first ?? '', /^\/a\/b \(.*, unified\)$/);
});
