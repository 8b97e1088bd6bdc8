// Namespaces, device links and the window size, as config-linux.md and config.md require them, one test each.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { NAMESPACES } from '../harness/caisson.ts';
import { OciHarness, RUNTIMES } from './runtime.ts';

const TYPES = { mnt: 'mount', uts: 'uts', ipc: 'ipc', net: 'network', cgroup: 'cgroup' } as const;
const host = (name: string) => readlinkSync(`/proc/self/ns/${name}`);

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  const output = (parts: object, script: string) =>
    harness.succeed(['run', '--bundle', harness.bundle(parts as never, script), harness.newId()]).stdout;

  test(`${name}: namespaces that are listed are new`, { skip }, () => {
    for (const [link, type] of Object.entries(TYPES))
      assert.notEqual(output({}, `readlink /proc/self/ns/${link}`).trim(), host(link), type);
  });

  test(`${name}: namespaces that are not listed are the runtime's`, { skip }, () => {
    for (const [link, type] of Object.entries(TYPES).filter(([key]) => key !== 'mnt')) {
      const namespaces = NAMESPACES.filter((each) => each.type !== type);
      assert.equal(
        output({ linux: { namespaces } }, `readlink /proc/self/ns/${link}`).trim(),
        host(link),
        type,
      );
    }
  });

  test(`${name}: a namespace of another type is refused`, { skip }, () => {
    const namespaces = [{ type: 'mount' }, { type: 'uts', path: '/proc/self/ns/ipc' }];
    const bundle = harness.bundle({ linux: { namespaces } });
    const { code, stderr } = harness.call(['run', '--bundle', bundle, harness.newId()]);
    assert.equal(code, 1);
    assert.match(stderr, /uts namespace/);
    harness.assertNothingLeft();
  });

  test(`${name}: a namespace is joined by its path`, { skip }, () => {
    const id = harness.newId();
    harness.succeed(['run', '-d', '--bundle', harness.bundle({ hostname: 'first' }, 'exec sleep 1000'), id]);
    const path = `/proc/${harness.stateOf(id).pid}/ns/uts`;
    const namespaces = [...NAMESPACES.filter(({ type }) => type !== 'uts'), { type: 'uts', path }];
    assert.equal(output({ linux: { namespaces } }, 'hostname'), 'first\n');
    harness.succeed(['delete', '--force', id]);
  });

  test(`${name}: a size of the window without a terminal is ignored`, { skip }, () => {
    const parts = { process: { terminal: false, consoleSize: { height: 10, width: 20 } } };
    assert.equal(output(parts, 'test -t 0 || echo none'), 'none\n');
  });

  test(`${name}: what spec writes has the default file systems`, { skip }, () => {
    const bundle = harness.bundle({});
    rmSync(`${bundle}/config.json`);
    harness.succeed(['spec', '--bundle', bundle]);
    const spec = JSON.parse(readFileSync(`${bundle}/config.json`, 'utf8'));
    const script = 'while read -r _ at type _; do echo "$at $type"; done < /proc/self/mounts';
    spec.process = { ...spec.process, terminal: false, args: ['sh', '-c', script] };
    spec.root = { path: harness.rootfs };
    writeFileSync(`${bundle}/config.json`, JSON.stringify(spec));
    const mounts = harness.succeed(['run', '-b', bundle, harness.newId()]).stdout.split('\n');
    for (const mount of ['/proc proc', '/sys sysfs', '/dev/pts devpts', '/dev/shm tmpfs'])
      assert.ok(mounts.includes(mount), mount);
  });

  test(`${name}: an intelRdt that cannot be had is refused`, { skip }, () => {
    const bundle = harness.bundle({ linux: { intelRdt: { closID: 'one' } } });
    const { code, stderr } = harness.call(['run', '--bundle', bundle, harness.newId()]);
    assert.equal(code, 1);
    assert.match(stderr, /RDT/);
  });

  test(`${name}: files of the root keep their owners where ids are mapped`, { skip }, () => {
    const rootfs = harness.makeRootfs();
    execFileSync('chown', ['-hR', '100000:100000', `${rootfs}/bin`]);
    const owners = () =>
      execFileSync('sh', ['-c', `stat -c '%u:%g %n' ${rootfs} ${rootfs}/*`], { encoding: 'utf8' });
    const before = owners();
    const map = [{ containerID: 0, hostID: 100000, size: 65536 }];
    const types = ['mount', 'pid', 'uts', 'ipc', 'network', 'user'];
    const linux = { namespaces: types.map((type) => ({ type })), uidMappings: map, gidMappings: map };
    const bundle = harness.bundle({ root: { path: rootfs }, linux }, 'stat -c %u:%g /bin /etc');
    assert.equal(harness.succeed(['run', '-b', bundle, harness.newId()]).stdout, '0:0\n65534:65534\n');
    assert.equal(owners(), before);
    harness.assertNothingLeft();
  });
}
