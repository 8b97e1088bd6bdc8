// Builds on Linux 6.1, whose overlays take their layers as one text, of limited length: links stand for them.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { runInUml, umlMissing } from './harness.ts';

/** More layers than the text could name by their paths, and less than an overlay takes. */
const MANY = 100;

const DOCKERFILE = `FROM scratch AS base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
FROM base AS many
${Array.from({ length: MANY }, (_, at) => `COPY file /many/${at}`).join('\n')}
RUN rm /many/7 && echo last > /last
FROM base
COPY --from=many /last /many/8 /here/
RUN --mount=from=many,target=/other ls /other/many | wc -l > /count; cat /count /here/last
`;

const SCRIPT = `
export CAISSON_DATA_ROOT=/tmp/data
caisson() { "$CAISSON_ROOT/dist/caisson" "$@"; }
uname -r | grep -q '^6\\.[1-4]\\.' || echo "another kernel: $(uname -r)"
caisson build -q -t built "$CONTEXT" >/dev/null 2>/tmp/err || cat /tmp/err
caisson build --progress plain -t built "$CONTEXT" 2>&1 | grep -c CACHED
caisson run --quiet built sh -c 'cat /count /here/last; ls /here'
ls /tmp/data/build/sessions
`;

test('a build on a kernel before lowerdir+', { skip: umlMissing() ?? false, timeout: 240_000 }, async () => {
  // /tmp is the machine's own there; build/ is the host's.
  const context = `${process.cwd()}/build/uml-build-${process.pid}`;
  mkdirSync(context);
  try {
    copyFileSync('/bin/busybox', `${context}/busybox`);
    writeFileSync(`${context}/file`, 'content\n');
    writeFileSync(`${context}/Dockerfile`, DOCKERFILE);
    const ended = await runInUml({
      script: SCRIPT,
      modules: ['overlay'],
      timeout: 200,
      env: { CONTEXT: context },
    });
    assert.equal(ended.output, `${MANY + 5}\n${MANY - 1}\nlast\n8\nlast\n`, ended.log);
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
});
