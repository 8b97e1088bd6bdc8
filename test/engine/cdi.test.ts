// CDI devices and --gpus: what a vendor's specification asks for is in the container, now and after a restart.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Containers, failed, rootless, skip } from './containers.ts';

const box = new Containers();
const reason = skip || (rootless && 'writes to /var/run/cdi: the round as root');
const DIRECTORY = '/var/run/cdi';
const made = !existsSync(DIRECTORY);
const files = ['caisson-test-a.yaml', 'caisson-test-b.json'].map((name) => `${DIRECTORY}/${name}`);

after(() => {
  for (const file of files) rmSync(file, { force: true });
  if (made && existsSync(DIRECTORY)) rmdirSync(DIRECTORY);
  box.close();
});

test('YAML and JSON: devices, variables, mounts; and what is not there', { skip: reason }, () => {
  mkdirSync(DIRECTORY, { recursive: true });
  const given = box.file('given', 'of the vendor\n');
  const yaml = `cdiVersion: "0.6.0"
kind: caisson.test/thing
devices:
  - name: "0"
    containerEdits:
      deviceNodes:
        - path: /dev/thing0
          hostPath: /dev/null
containerEdits:
  env: [THING=yes]
  mounts:
    - hostPath: ${given}
      containerPath: /given
      options: [ro, nosuid, nodev, bind]
`;
  writeFileSync(files[0] ?? '', yaml);
  const gpu = { name: 'all', containerEdits: { env: ['GPU=all'] } };
  writeFileSync(
    files[1] ?? '',
    JSON.stringify({ cdiVersion: '0.6.0', kind: 'nvidia.com/gpu', devices: [gpu] }),
  );
  const look =
    'cat /given; echo $THING $GPU; test -c /dev/thing0 && echo x > /dev/thing0 && echo writable; touch /given';
  const flags = ['--device', 'caisson.test/thing=0', '--gpus', 'all'];
  const root = ['--rootfs', box.harness.rootfs, '/bin/sh', '-c', look];
  box.output(['create', '--name', 'thing', ...flags, ...root]);
  const said = 'of the vendor\nyes all\nwritable\n';
  assert.equal(box.call(['start', '-a', 'thing']).stdout, said);
  // Nothing is looked up again.
  for (const file of files) rmSync(file);
  assert.equal(box.call(['start', '-a', 'thing']).stdout, said);
  failed(box.call(['run', ...flags, ...root]), 125, /unresolvable CDI device caisson\.test\/thing=0/);
  writeFileSync(files[0] ?? '', 'kind: [');
  failed(box.call(['run', ...flags, ...root]), 125, /caisson-test-a\.yaml: /);
  box.output(['rm', '-f', 'thing']);
  box.clear();
});
