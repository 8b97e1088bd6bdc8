// T45: a hostile Dockerfile, a hostile context. Nothing outside is read or written, and each attempt is one clear error, or harmless.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { after, test } from 'node:test';
import { CALLERS } from '../images/callers.ts';
import { readText } from '../images/world.ts';
import { Site } from './site.ts';

const CANARY = 'host-canary-content';

for (const { who, caller, skip } of CALLERS) {
  const site = skip === false ? new Site(caller) : undefined;
  if (site === undefined) {
    test(`hostile builds as ${who}`, { skip }, () => undefined);
    continue;
  }
  after(() => {
    site.close();
  });
  const canary = `${site.directory}/canary`;
  mkdirSync(canary);
  site.put(`${canary}/secret`, CANARY);
  chmodSync(canary, 0o755);
  site.harness.own(canary);

  const untouched = () => {
    assert.deepEqual(readdirSync(canary), ['secret']);
    assert.equal(readText(`${canary}/secret`), CANARY);
  };

  test(`an absolute link begins at the top of the context (${who})`, () => {
    const files = { 'd/abs': { link: '/e' }, 'e/x': 'right\n', 'd/e/x': 'wrong\n' };
    const { code, stderr } = site.build('FROM bb\nCOPY d/abs/x /x\nRUN cat /x', files);
    assert.equal(code, 0, stderr);
    assert.match(stderr, / right\n/);
  });

  test(`a secret is not written to, whatever its mode (${who})`, () => {
    const secret = site.file('written', 'before');
    const { code, stderr } = site.build(
      'FROM bb\nRUN --mount=type=secret,id=s,mode=0666 ! echo after > /run/secrets/s && cat /run/secrets/s',
      {},
      ['--secret', `id=s,src=${secret}`],
    );
    assert.equal(code, 0, stderr);
    assert.match(stderr, / before/);
    assert.equal(readText(secret), 'before');
  });

  test(`links of a context lead nowhere outside of it (${who})`, () => {
    const links = {
      'to-dir': { link: canary },
      'to-file': { link: `${canary}/secret` },
      up: { link: '../canary' },
      far: { link: '../../../../../../../../../../etc/passwd' },
    };
    for (const source of [
      'to-dir',
      'to-file',
      'up',
      'far',
      'to-dir/secret',
      'up/secret',
      '../canary',
      '/../../etc/shadow',
      'to-dir/*',
    ]) {
      for (const instruction of [
        `COPY ${source} /x/`,
        `ADD ${source} /x/`,
        `RUN --mount=source=${source},target=/m cat /m /m/* > /x; true`,
      ]) {
        const { code, stderr } = site.build(
          `FROM bb\n${instruction}\nRUN cat /x /x/* 2>/dev/null; true`,
          links,
        );
        assert.ok(!stderr.includes(CANARY), `${instruction}: ${stderr}`);
        assert.ok(code === 1 || !stderr.includes('root:x:0:0:root'), `${instruction}: ${stderr}`);
      }
    }
    // Copied as a part of a directory a link stays a link.
    assert.equal(site.show('FROM bb\nCOPY . /c', 'readlink /c/to-file', links), `${canary}/secret`);
    untouched();
  });

  test(`links of a stage lead nowhere outside of it (${who})`, () => {
    const stage = `FROM bb AS evil
RUN ln -s ${canary} /d; ln -s ${canary}/secret /f; ln -s / /root-link; mkdir /dst && ln -s ${canary} /dst/in`;
    for (const instruction of [
      'COPY --from=evil /d /x/',
      'COPY --from=evil /f /x/',
      'COPY --from=evil /d/secret /x/',
      'RUN --mount=from=evil,source=/d,target=/m ls /m; cat /m/secret',
      'RUN --mount=from=evil,source=/f,target=/m cat /m',
    ]) {
      const { code, stderr } = site.build(`${stage}\nFROM bb\n${instruction}`);
      assert.equal(code, 1, `${instruction}: ${stderr}`);
      assert.ok(!stderr.includes(CANARY), stderr);
    }
    // As a destination they lead inside of the stage.
    for (const instruction of [
      'COPY x /d/new',
      'COPY x /d',
      'WORKDIR /d/sub',
      'COPY --from=bb /etc /dst/in/',
    ]) {
      const { stderr } = site.build(`${stage}\nFROM evil\n${instruction}\nRUN true`, { x: 'x' });
      assert.ok(!stderr.includes(CANARY), stderr);
      untouched();
    }
    // A directory is not copied through a link that is in its place.
    const through = site.build(`${stage}\nFROM evil\nCOPY tree /dst`, { 'tree/in/secret': 'overwritten' });
    assert.match(through.stderr, /something that is no directory is in the way/);
    untouched();
  });

  test(`mount targets and links of the image (${who})`, () => {
    const stage = `FROM bb\nRUN ln -s ${canary} /t; ln -s /proc /p; rmdir /etc/none 2>/dev/null; true`;
    for (const mount of [
      'type=cache,target=/t/x',
      'type=tmpfs,target=/t/y',
      'target=/t/z',
      'type=secret,id=s,target=/t/s',
      'type=cache,target=/p/sys',
      'type=tmpfs,target=/proc/sys',
      'type=tmpfs,target=/../../t',
    ]) {
      site.build(`${stage}\nRUN --mount=${mount} true`, {}, ['--secret', `id=s,src=${canary}/secret`]);
      untouched();
    }
    for (const target of ['/', '/..', '.', '//'])
      assert.match(
        site.build(`FROM bb\nRUN --mount=type=tmpfs,target=${target} true`).stderr,
        /invalid mount target/,
      );
  });

  test(`names of caches and secrets are no paths (${who})`, () => {
    for (const id of ['../../../escape', '/abs', '..', 'a/../../b', '.']) {
      const { code, stderr } = site.build(`FROM bb\nRUN --mount=type=cache,target=/c,id=${id} touch /c/f`);
      assert.equal(code, 0, stderr);
    }
    const caches = readdirSync(`${site.dataRoot}/build/caches`);
    assert.ok(
      caches.every((name) => /^[0-9a-f]{64}(?:\.lock)?$/.test(name)),
      String(caches),
    );
    assert.ok(!existsSync(`${site.dataRoot}/escape`) && !existsSync(`${site.directory}/escape`));
  });

  test(`an ignore file or a Dockerfile that is a link shows no file of the host (${who})`, () => {
    for (const name of ['.dockerignore', 'Dockerfile.dockerignore']) {
      const { stderr } = site.build('FROM bb\nCOPY nothing /', { [name]: { link: `${canary}/secret` } });
      assert.ok(!stderr.includes(CANARY), stderr);
    }
    const context = site.context({ Dockerfile: { link: `${canary}/secret` } });
    const ended = site.call(['build', context]);
    assert.equal(ended.code, 1);
    assert.ok(!ended.stderr.includes(CANARY), ended.stderr);
  });

  test(`a FIFO, a socket and a device in the context do not hang a build (${who})`, () => {
    const context = site.context({ Dockerfile: 'FROM bb\nCOPY d /d\nRUN ls -l /d', 'd/f': '' });
    spawnSync('sh', ['-c', `cd ${context} && mkfifo d/fifo .dockerignore && chmod 644 d/fifo .dockerignore`]);
    for (const path of ['d/fifo', '.dockerignore']) site.harness.own(`${context}/${path}`);
    const { code, stderr } = site.call(['build', '--progress', 'plain', context], { timeout: 30_000 });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /prw-r--r--/);
  });

  test(`hostile archives for ADD stay where they are put (${who})`, () => {
    const context = site.context({ Dockerfile: 'FROM bb\nADD a.tar /x/\nRUN ls -R /x' });
    spawnSync('sh', [
      '-c',
      `cd ${context} && mkdir w && cd w && ln -s ${canary} l && tar cf ../a.tar l && rm l && mkdir l && echo evil > l/secret && tar rf ../a.tar l/secret && tar rf ../a.tar --transform='s,^l/secret,../../../evil,' -P l/secret && chmod 644 ../a.tar`,
    ]);
    const { stderr } = site.call(['build', '--progress', 'plain', context]);
    assert.ok(!stderr.includes(CANARY), stderr);
    untouched();
    assert.ok(!existsSync(`${site.directory}/evil`));
  });

  test(`git: refs, hosts and protocols that are options or local paths (${who})`, () => {
    for (const source of [
      'https://example.com/x.git#--upload-pack=touch${IFS}/tmp/x',
      'ssh://-oProxyCommand=touch/x.git',
      'https://example.com/x.git#a:../../..',
    ]) {
      const { code, stderr } = site.build(`FROM bb\nADD ${source} /x`);
      assert.equal(code, 1);
      assert.match(stderr, /Dockerfile:2:1: .*(?:is not a ref|no usable host|leads out)/);
    }
    const { code } = site.build('FROM bb\nADD file:///etc/x.git /x');
    assert.equal(code, 1);
  });

  test(`writes to a bind mount reach neither context nor stage (${who})`, () => {
    const context = site.context({
      Dockerfile: `FROM bb AS s
RUN mkdir /s && echo stage > /s/f
FROM bb
RUN --mount=target=/c,rw --mount=from=s,source=/s,target=/s,rw echo changed > /c/f; echo changed > /s/f; rm /c/g
RUN --mount=target=/c --mount=from=s,source=/s,target=/s cat /c/f /s/f > /out`,
      f: 'context\n',
      g: '',
    });
    assert.equal(site.call(['build', '-q', '-t', 'binds', context]).code, 0);
    assert.equal(site.output(['run', '--rm', '-q', 'binds', 'cat', '/out']), 'context\nstage');
    assert.equal(readText(`${context}/f`), 'context\n');
  });

  test(`a command has no more than a container of caisson has (${who})`, () => {
    const { code, stderr } = site.build(
      'FROM bb\nRUN grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status; ls -ld /proc/1/fd/.. | wc -l; mount -t tmpfs x /mnt 2>&1; mknod /dev/x b 8 0 2>&1; cat /proc/sys/kernel/core_pattern > /dev/null; echo x 2>&1 > /proc/sys/kernel/core_pattern; echo $CANARY_OF_THE_CALLER end',
      {},
      [],
      { env: { CANARY_OF_THE_CALLER: CANARY } },
    );
    assert.equal(code, 0, stderr);
    assert.match(stderr, /NoNewPrivs:\t1/);
    assert.match(stderr, /Seccomp:\t2/);
    assert.ok(!/CapEff:\t0*1?[f]{8,}/.test(stderr), stderr);
    assert.match(stderr, /Operation not permitted|ermission denied/);
    assert.ok(!stderr.includes(CANARY), stderr);
    untouched();
  });
}
