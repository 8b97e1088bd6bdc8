// docker commit and docker build, by the classic builder and by BuildKit, whose steps are containers too.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { Docker } from './docker.ts';
import { IMAGE } from './image.ts';
import { matrix } from './matrix.ts';
import type { Result } from './room.ts';

const DOCKERFILE = `FROM ${IMAGE}
ENV GREETING=hello
COPY given /given
RUN echo "$GREETING" > /made && cat /given >> /made
RUN id -u > /ids && grep CapEff /proc/self/status >> /ids
USER alice
WORKDIR /tmp
RUN id -un > who && pwd >> who
SHELL ["/bin/sh", "-e", "-c"]
RUN false || echo shell >> who
CMD cat /made who
`;

let count = 0;

/** Builds a directory with this Dockerfile; the tag and how it ended. */
async function build(docker: Docker, dockerfile: string, buildkit: boolean, flags: readonly string[] = []) {
  const name = `built-${count++}`;
  const directory = `${docker.room.directory}/${name}`;
  mkdirSync(directory);
  writeFileSync(`${directory}/Dockerfile`, dockerfile);
  writeFileSync(`${directory}/given`, 'given\n');
  const env = { DOCKER_BUILDKIT: buildkit ? '1' : '0', BUILDKIT_PROGRESS: 'plain' };
  const network = ['--network', 'none'];
  const result: Result = await docker.call(['build', '--tag', name, ...network, ...flags, directory], {
    env,
  });
  return { name, ...result };
}

async function succeeds(docker: Docker, buildkit: boolean): Promise<void> {
  const { name, code, stderr } = await build(docker, DOCKERFILE, buildkit);
  assert.equal(code, 0, stderr);
  const said = await docker.output(['run', '--rm', '--network', 'none', name]);
  assert.equal(said, 'hello\ngiven\nalice\n/tmp\nshell');
  const again = await build(docker, DOCKERFILE, buildkit);
  assert.match(again.stdout + again.stderr, buildkit ? /CACHED/ : /Using cache/);
}

async function fails(docker: Docker, buildkit: boolean): Promise<void> {
  const status = await build(docker, `FROM ${IMAGE}\nRUN echo told && exit 33\n`, buildkit);
  assert.notEqual(status.code, 0);
  assert.match(status.stdout + status.stderr, /told/);
  assert.match(status.stdout + status.stderr, buildkit ? /exit code: 33/ : /non-zero code: 33/);
  const missing = await build(docker, `FROM ${IMAGE}\nRUN ["nonesuch"]\n`, buildkit);
  assert.notEqual(missing.code, 0);
  assert.match(missing.stdout + missing.stderr, /executable file not found in \$PATH/);
}

matrix('docker', (runtime) => Docker.open(runtime), {
  'commit: an image of what a container has become': async (docker) => {
    const id = await docker.detached([], 'echo changed > /root/file; sleep 1000');
    await docker.output(['exec', id, 'sh', '-c', 'until test -s /root/file; do :; done; rm /etc/group']);
    await docker.output(['commit', '--change', 'CMD ["cat", "/root/file"]', id, 'committed']);
    await docker.remove(id);
    assert.equal(await docker.output(['run', '--rm', '--network', 'none', 'committed']), 'changed');
    const { code } = await docker.call(['run', '--rm', '--network', 'none', 'committed', 'ls', '/etc/group']);
    assert.equal(code, 1);
  },
  'commit: of one that runs is made while it is paused': async (docker) => {
    const id = await docker.detached([], 'while :; do echo x >> /log; done');
    await docker.output(['commit', id, 'while-running']);
    assert.equal(await docker.inspect(id, '{{.State.Status}}'), 'running');
    await docker.remove(id);
  },
  'build: classic': (docker) => succeeds(docker, false),
  'build: classic, a step that fails': (docker) => fails(docker, false),
  'build: BuildKit': (docker) => succeeds(docker, true),
  'build: BuildKit, a step that fails': (docker) => fails(docker, true),
  'build: BuildKit, mounts of a step': async (docker) => {
    const { room } = docker;
    writeFileSync(`${room.directory}/secret`, 'hidden');
    const dockerfile = `FROM ${IMAGE} AS first
RUN echo stage > /stage
FROM ${IMAGE}
RUN --mount=type=cache,target=/cache echo kept > /cache/file
RUN --mount=type=cache,target=/cache cat /cache/file > /out
RUN --mount=type=tmpfs,target=/scratch echo x > /scratch/x && ls /scratch >> /out
RUN --mount=type=secret,id=word cat /run/secrets/word >> /out && echo >> /out
RUN --mount=type=bind,from=first,source=/stage,target=/stage cat /stage >> /out
CMD ["cat", "/out"]
`;
    const flags = ['--secret', `id=word,src=${room.directory}/secret`];
    const { name, code, stderr } = await build(docker, dockerfile, true, flags);
    assert.equal(code, 0, stderr);
    const said = await docker.output(['run', '--rm', '--network', 'none', name]);
    assert.equal(said, 'kept\nx\nhidden\nstage');
  },
  'build: BuildKit, stages side by side': async (docker) => {
    const names = Array.from({ length: 6 }, (_, number) => `s${number}`);
    const stages = names.map(
      (name) => `FROM ${IMAGE} AS ${name}\nRUN sleep 0.2 && echo ${name} > /${name}\n`,
    );
    const copies = names.map((name) => `COPY --from=${name} /${name} /\n`);
    const last = `FROM ${IMAGE}\n${copies.join('')}RUN cat ${names.map((name) => `/${name}`).join(' ')} > /all\n`;
    const { name, code, stderr } = await build(docker, [...stages, last].join(''), true);
    assert.equal(code, 0, stderr);
    const said = await docker.output(['run', '--rm', '--network', 'none', name, 'cat', '/all']);
    assert.equal(said, names.join('\n'));
  },
});
