// When hooks run, as config.md has it: in order, before the change of root, after the container is gone.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { OciHarness, RUNTIMES } from './runtime.ts';

const shell = (script: string) => ({ path: '/bin/sh', args: ['sh', '-c', script] });

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());
  const linux = { namespaces: ['mount', 'pid', 'uts', 'ipc'].map((type) => ({ type })) };

  /** What hooks have written while a container was created, started and deleted. */
  function written(hooks: (file: string, id: string) => object): string {
    const [file, id] = [`${harness.makeDirectory('hooks')}/file`, harness.newId()];
    const bundle = harness.bundle({ hooks: hooks(file, id), linux }, 'exec sleep 1000');
    harness.succeed(['create', '--bundle', bundle, id]);
    harness.succeed(['start', id]);
    harness.succeed(['delete', '--force', id]);
    harness.assertNothingLeft();
    return readFileSync(file, 'utf8');
  }

  test(`${name}: hooks of one kind run in the listed order`, { skip }, () => {
    const list = (file: string) => ['one', 'two', 'three'].map((word) => shell(`echo ${word} >>${file}`));
    assert.equal(
      written((file) => ({ prestart: list(file) })),
      'one\ntwo\nthree\n',
    );
  });

  for (const kind of ['prestart', 'createRuntime', 'createContainer'] as const) {
    test(`${name}: ${kind} hooks run when all is mounted and the root is still the host's`, { skip }, () => {
      // The mounts below the root are seen under its path on the host until the root is changed.
      const mounts = kind === 'createContainer' ? '/proc/self/mountinfo' : '/proc/$pid/mountinfo';
      const script = (file: string) =>
        `pid=$(sed 's/.*"pid": *\\([0-9]*\\).*/\\1/'); grep -c " ${harness.rootfs}/dev/pts " ${mounts} >${file}`;
      assert.equal(
        written((file) => ({ [kind]: [shell(script(file))] })),
        '1\n',
      );
    });
  }

  test(`${name}: poststop hooks run when the container is deleted, before delete returns`, { skip }, () => {
    const script = (file: string, id: string) =>
      `sleep 0.2; test -e ${harness.state}/${id} && echo there >${file} || echo gone >${file}`;
    assert.equal(
      written((file, id) => ({ poststop: [shell(script(file, id))] })),
      'gone\n',
    );
  });

  test(`${name}: poststart hooks have run when start returns`, { skip }, () => {
    const file = `${harness.makeDirectory('hooks')}/file`;
    const id = harness.newId();
    const hooks = { poststart: [shell(`sleep 0.3; echo done >${file}`)] };
    harness.succeed(['create', '--bundle', harness.bundle({ hooks, linux }, 'exec sleep 1000'), id]);
    harness.succeed(['start', id]);
    assert.equal(readFileSync(file, 'utf8'), 'done\n');
    harness.succeed(['delete', '--force', id]);
  });
}
