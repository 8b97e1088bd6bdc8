// buildah as root and as an ordinary user: run in a working container, build, commit.

import assert from 'node:assert/strict';
import { IMAGE } from './image.ts';
import { type Cases, matrix } from './matrix.ts';
import { Podman } from './podman.ts';
import { inTerminal, shown } from './terminal.ts';

const CASES: Cases<Podman> = {
  'from, run, config, commit': async (podman) => {
    const container = await podman.buildah(['from', IMAGE]);
    await podman.buildah([
      'run',
      '--network',
      'none',
      container,
      '--',
      'sh',
      '-c',
      'id -u > /made; echo $FROM_IMAGE >> /made',
    ]);
    const flags = ['--user', 'alice', '--env', 'A=b', '--workingdir', '/home', '--volume', '/etc:/given:ro'];
    const script = 'echo "$A|$(id -un)|$PWD"; test -e /given/debian_version && echo given';
    const said = await podman.buildah([
      'run',
      '--network',
      'none',
      ...flags,
      container,
      '--',
      'sh',
      '-c',
      script,
    ]);
    assert.equal(said, 'b|alice|/home\ngiven');
    await podman.buildah(['config', '--cmd', 'cat /made', container]);
    await podman.buildah(['commit', '--quiet', container, 'made']);
    await podman.buildah(['rm', container]);
    assert.equal(await podman.output(['run', '--rm', '--network', 'none', 'made']), '0\nyes');
  },
  'run: exit status, a terminal': async (podman) => {
    const container = await podman.buildah(['from', IMAGE]);
    const words = [
      'buildah',
      'run',
      '--runtime',
      podman.room.program,
      '--isolation',
      'oci',
      '--network',
      'none',
    ];
    const { code } = await podman.asUser([...words, container, '--', 'sh', '-c', 'exit 12']);
    assert.equal(code, 12);
    const command = [...words, '--terminal', container, '--', 'sh', '-c', 'tty; exit 3'];
    const ended = await podman.asUser(inTerminal(command));
    assert.equal(ended.code, 3, ended.stdout);
    assert.match(shown(ended.stdout), /\/dev\/pts\/0|\/dev\/console/);
    await podman.buildah(['rm', container]);
  },
  'build: RUN, stages, a step that fails': async (podman) => {
    const dockerfile = `FROM ${IMAGE} AS first\nRUN echo stage > /stage\nFROM ${IMAGE}
COPY --from=first /stage /stage\nCOPY given /given\nRUN cat /stage /given > /all\nUSER alice\nRUN id -un > /tmp/who
CMD cat /all /tmp/who\n`;
    const flags = ['build', '--quiet', '--network', 'none', '--tag', 'built'];
    await podman.buildah([...flags, podman.buildDirectory('stages', dockerfile)]);
    assert.equal(await podman.output(['run', '--rm', '--network', 'none', 'built']), 'stage\ngiven\nalice');
    const bad = podman.buildDirectory('bad', `FROM ${IMAGE}\nRUN exit 33\n`);
    await assert.rejects(podman.buildah(['build', '--network', 'none', bad]), /exit status 33/);
  },
};

matrix('buildah as root', (runtime) => Podman.open(runtime, 'root'), CASES);
matrix('buildah as an ordinary user', (runtime) => Podman.open(runtime, 'dweller'), CASES);
