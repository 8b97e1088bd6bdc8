// Where mounts go in a root that has links.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FileStat, Port } from '../host/port.ts';
import type { Mount, Spec } from '../spec/runtime-spec.ts';
import { withMountPoints } from './mount-points.ts';

const LINKS: Readonly<Record<string, string>> = {
  '/r/etc/resolv.conf': '../run/systemd/stub.conf',
  '/r/jump': '/tmp/foo',
  '/r/etc/hosts': '/jump/hosts',
  '/r/loop': 'loop',
  '/r/proc': '/elsewhere',
  '/r/up': '../../../../x',
};

function placed(...mounts: Mount[]): Spec['mounts'] {
  const port = {
    readLink: (path: string) => LINKS[path],
    stat: (path: string): Partial<FileStat> | undefined =>
      path === '/r/run' ? { type: 'directory', mode: 0o40710 } : undefined,
  } as unknown as Port;
  return withMountPoints(port, { ociVersion: '1.0.0', root: { path: '/r' }, mounts }).mounts;
}

const bind = (destination: string): Mount => ({ destination, source: '/s', options: ['bind'] });
const destinations = (...all: string[]) => placed(...all.map(bind))?.map((mount) => mount.destination);

test('links are followed inside the root, dangling ones too', () => {
  assert.deepEqual(destinations('/etc/resolv.conf', '/etc/hosts', '/up/y', '//plain/./x/'), [
    '/run/systemd/stub.conf',
    '/tmp/foo/hosts',
    '/x/y',
    '/plain/x',
  ]);
});

test('a link round and round, /proc, and what an earlier mount covers are left alone', () => {
  assert.deepEqual(destinations('/loop/x', '/proc/y', '/etc', '/etc/hosts'), [
    '/loop/x',
    '/proc/y',
    '/etc',
    '/etc/hosts',
  ]);
});

test('a tmpfs has the mode of what it covers, unless it is told one', () => {
  const tmpfs = (destination: string, ...options: string[]): Mount => ({
    destination,
    type: 'tmpfs',
    options,
  });
  const options = placed(tmpfs('/run', 'ro'), tmpfs('/new'), tmpfs('/old', 'mode=1500'))?.map(
    (mount) => mount.options,
  );
  assert.deepEqual(options, [['mode=0710', 'ro'], ['mode=1777'], ['mode=1500']]);
});
