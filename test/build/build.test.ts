// `caisson build`, as root and as an ordinary user: instructions, stages, mounts, and what the image is then.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { CALLERS } from '../images/callers.ts';
import { Site } from './site.ts';

for (const { who, caller, skip } of CALLERS) {
  const site = skip === false ? new Site(caller) : undefined;
  if (site === undefined) {
    test(`images are built as ${who}`, { skip }, () => undefined);
    continue;
  }
  after(() => {
    site.close();
  });

  test(`RUN: shell and exec form, environment, directory, user (${who})`, () => {
    const shown = site.show(
      `FROM bb
ARG A=arg
ENV E=env
WORKDIR /w/x
RUN echo "$A $E $PWD $(id -u):$(id -g)" > /out
USER alice
RUN ["sh", "-c", "id -u; id -g"]
RUN touch /tmp-mine || mkdir -p /w/x/mine || true
USER root
SHELL ["/bin/sh", "-ec"]
RUN echo shell >> /out; hostname >> /out
RUN false || echo rescued >> /out`,
      'cat /out; pwd; ls -d /proc /sys /dev; ls -A /etc; ls -A /dev/pipes 2>/dev/null || true',
    );
    assert.equal(
      shown,
      'arg env /w/x 0:0\nshell\nbuildkitsandbox\nrescued\n/w/x\n/dev\n/proc\n/sys\ngroup\nhostname\nhosts\npasswd\nresolv.conf',
    );
  });

  test(`layers hold what was changed, and no mount point of a container (${who})`, () => {
    assert.equal(
      site.build('FROM bb\nRUN rm /etc/group && mkdir /d && echo 1 > /d/f\nRUN rm -r /d', {}, [
        '-t',
        'layers',
      ]).code,
      0,
    );
    const { layers, config } = site.image('layers:latest');
    const names = layers.slice(-2).map(({ digest }) => {
      const { stdout } = spawnSync('tar', ['tzf', site.blobPath(digest)], { encoding: 'utf8' });
      return stdout.trim().split('\n');
    });
    assert.deepEqual(names, [['d/', 'd/f', 'etc/', 'etc/.wh.group'], ['.wh.d']]);
    assert.deepEqual(
      config.history.slice(-2).map(({ created_by }) => created_by),
      [
        'RUN /bin/sh -c rm /etc/group && mkdir /d && echo 1 > /d/f # buildkit',
        'RUN /bin/sh -c rm -r /d # buildkit',
      ],
    );
  });

  test(`COPY: files, directories, patterns, links, owners and modes (${who})`, () => {
    const files = {
      'a.txt': 'a\n',
      'b.txt': 'b\n',
      'd/e/f': 'f\n',
      'd/link': { link: 'e/f' },
      'to-d': { link: 'd' },
      'not.md': 'no\n',
      'keep/x.md': 'x\n',
      '.dockerignore': '**/*.md\n!keep/*.md\n',
    };
    const shown = site.show(
      `FROM bb
COPY a.txt /one
COPY *.txt /some/
COPY d /tree
COPY to-d/e/ /through/
COPY --chown=alice --chmod=u=rX,go= d /owned
COPY --chown=7:staff a.txt /owned/
COPY --exclude=**/f d /without
COPY --parents d/./e/f keep /parents/
COPY keep /kept
RUN ln -s /some /alias
COPY b.txt /alias/c.txt`,
      'cd /; cat one; ls some tree through without; readlink tree/link; find parents kept | sort; stat -c "%n %u:%g %a" owned owned/e owned/e/f owned/a.txt; cat /some/c.txt',
      files,
    );
    assert.equal(
      shown,
      `a
some:
a.txt
b.txt
c.txt

through:
f

tree:
e
link

without:
e
link
e/f
kept
kept/x.md
parents
parents/e
parents/e/f
parents/keep
parents/keep/x.md
owned 1000:1001 755
owned/e 1000:1001 500
owned/e/f 1000:1001 400
owned/a.txt 7:50 644
b`,
    );
  });

  test(`documents in RUN and COPY (${who})`, () => {
    const shown = site.show(
      `FROM bb
ENV NAME=value
RUN <<EOF
echo first > /r
echo second >> /r
EOF
RUN <<ONE cat - /r > /t && cat <<"TWO" >> /t
before
ONE
$NAME
TWO
RUN <<EOF
#!/bin/busybox cat
script
EOF
COPY <<EOF <<'RAW' /c/
$NAME
EOF
$NAME
RAW`,
      'cat /t /c/EOF /c/RAW',
    );
    assert.equal(shown, 'before\nfirst\nsecond\n$NAME\nvalue\n$NAME');
  });

  test(`stages: by name, by number, of images, triggers, targets (${who})`, () => {
    const shown = site.show(
      `ARG BASE=bb
FROM \${BASE} AS one
RUN echo 1 > /one
FROM one AS two
RUN echo 2 > /two
FROM bb AS never
RUN false
FROM bb
COPY --from=one /one /a
COPY --from=1 /two /b
COPY --from=bb /etc/passwd /c`,
      'cat /a /b; wc -l < /c; test -e /one || echo apart',
    );
    assert.equal(shown, '1\n2\n2\napart');
    assert.equal(
      site.build('FROM bb\nONBUILD COPY x /x\nONBUILD RUN cat /x > /y', {}, ['-t', 'onbuild']).code,
      0,
    );
    assert.equal(
      site.show('FROM onbuild\nRUN echo after >> /y', 'cat /y', { x: 'trigger\n' }),
      'trigger\nafter',
    );
    assert.equal(site.build('FROM onbuild AS a\nFROM a\nRUN true', { x: '' }, ['-t', 'plain']).code, 0);
    assert.equal(site.image('plain:latest').config.config.OnBuild, undefined);
    const target = site.build('FROM bb AS a\nRUN echo a\nFROM bb AS b\nRUN echo b', {}, ['--target', 'a']);
    assert.ok(target.stderr.includes(' a\n') && !target.stderr.includes('RUN echo b'), target.stderr);
  });

  test(`mounts of RUN: bind, cache, tmpfs, secret (${who})`, () => {
    const secret = site.file('secret', 's3cret-canary\n');
    const dockerfile = `FROM bb AS from
RUN mkdir /data && echo layer > /data/f
FROM bb
RUN --mount=target=/ctx,rw --mount=from=from,source=/data,target=/d --mount=from=from,source=/data/f,target=/file \\
    --mount=type=tmpfs,target=/t,size=1m --mount=type=cache,target=/c,id=c-${who.length},uid=1000,mode=0750 \\
    --mount=type=secret,id=s --mount=type=secret,id=s,env=TOKEN,target=/own --mount=type=secret,id=absent \\
    cat /ctx/x /d/f /file /run/secrets/s /own; echo "$TOKEN"; echo y > /ctx/x; ! touch /d/new 2>/dev/null; \\
    stat -c '%u %a' /c; echo line >> /c/log; wc -l < /c/log; stat -c '%a %u' /run/secrets/s; ls /run/secrets
RUN ls /run /ctx /d /c 2>&1 | sort; cat /file /own 2>&1 | wc -c`;
    const first = site.build(dockerfile, { x: 'context\n' }, [
      '--secret',
      `id=s,src=${secret}`,
      '-t',
      'mounts',
    ]);
    assert.equal(first.code, 0, first.stderr);
    const lines = first.stderr.split('\n').flatMap((line) => /^#\d+ \d+\.\d+ (.*)$/.exec(line)?.[1] ?? []);
    const secrets = ['s3cret-canary', 's3cret-canary', 's3cret-canary', ''];
    const expected = ['context', 'layer', 'layer', ...secrets, '1000 750', '1', '400 0', 's'];
    assert.deepEqual(lines.slice(0, expected.length), expected);
    // Nothing of it is in the image; the cache is there for another build, and the context is as it was.
    const { config } = site.image('mounts:latest');
    assert.ok(!JSON.stringify(config).includes('canary'));
    const again = site.build(`${dockerfile}\n`, { x: 'context\n' }, [
      '--secret',
      `id=s,src=${secret}`,
      '--no-cache',
    ]);
    assert.match(again.stderr, /^#\d+ \d+\.\d+ 2$/m);
    const { stdout } = spawnSync(
      'grep',
      ['-r', 's3cret-canary', `${site.dataRoot}/build/steps`, `${site.dataRoot}/blobs`],
      { encoding: 'utf8' },
    );
    assert.equal(stdout, '');
    const required = site.build('FROM bb\nRUN --mount=type=secret,id=no,required true');
    assert.match(required.stderr, /Dockerfile:2:5: --mount: the secret no was not given/);
  });

  test(`ADD: archives are unpacked, other files copied (${who})`, () => {
    const context = site.context({
      'plain.txt': 'p\n',
      Dockerfile:
        'FROM bb\nADD a.tar a.tgz a.txz a.tbz a.tzst plain.txt b.gz b.xz /x/\nADD --unpack=false a.tar /raw',
    });
    spawnSync('sh', [
      '-c',
      `cd ${context} && mkdir s && echo in > s/f && ln s/f s/hard && ln -s /etc/passwd s/link && tar cf a.tar -C s f hard link && mkdir t && echo t > t/g && tar czf a.tgz -C t g && for n in x b z; do echo $n > t/$n; done && tar cJf a.txz -C t x && tar cjf a.tbz -C t b && tar c --zstd -f a.tzst -C t z && echo gz | gzip > b.gz && echo xz | xz > b.xz && chmod 644 a.* b.gz b.xz`,
    ]);
    assert.equal(site.call(['build', '-q', '-t', 'shown', context]).code, 0);
    const shown = site.output([
      'run',
      '--rm',
      '-q',
      'shown',
      'sh',
      '-c',
      'cd /x; ls; cat f g x b z; readlink link; stat -c %h f; tar tf /raw',
    ]);
    assert.equal(
      shown,
      'b\nb.gz\nb.xz\nf\ng\nhard\nlink\nplain.txt\nx\nz\nin\nt\nx\nb\nz\n/etc/passwd\n2\nf\nhard\nlink',
    );
  });

  test(`ADD of a root's archive into nothing is what it is when it is copied (${who})`, () => {
    const context = site.context({
      One: 'FROM scratch\nADD root.tgz /\nCMD ["/bin/busybox", "true"]',
      Two: 'FROM scratch\nADD root.tgz empty /\nCMD ["/bin/busybox", "true"]',
      empty: '',
    });
    spawnSync('sh', [
      '-c',
      `cd ${context} && mkdir -p r/bin r/d r/gone && cp /bin/busybox r/bin/ && echo 1 > r/d/f && ln r/d/f r/d/g && ln -s f r/d/l && mkfifo r/p && chmod 2750 r/d && chown -R 7:8 r/d && touch -d 2001-02-03 r/d/f r/d && chmod 700 r && tar czf root.tgz -C r . && chmod 644 root.tgz`,
    ]);
    const [one, two] = ['One', 'Two'].map((file) => {
      const name = file.toLowerCase();
      assert.equal(site.call(['build', '-q', '-f', `${context}/${file}`, '-t', name, context]).code, 0);
      const listed = (path: string) =>
        site.output([
          'run',
          '--rm',
          '-q',
          name,
          '/bin/busybox',
          'stat',
          '-c',
          '%n %F %a %u:%g %h %s %Y',
          ...path.split(' '),
        ]);
      return listed('/ /bin/busybox /d /d/f /d/g /d/l /p').replace(/^(\/ directory \d+ \S+) .*$/m, '$1');
    });
    assert.equal(one, two);
    assert.match(one ?? '', /^\/ directory 755 0:0\n.*\n\/d directory 2750 7:8 .* 981158400\n/);
  });

  test(`a command that fails: place, line, last output, exit code (${who})`, () => {
    const ended = site.build('FROM bb\nRUN echo some output && \\\n  exit 7');
    assert.equal(ended.code, 1);
    assert.match(
      ended.stderr,
      /caisson: Dockerfile:2:1: process "\/bin\/sh -c echo some output && {3}exit 7" did not complete successfully: exit code: 7\n.* 2 \| RUN echo some output && \\\n.*\^\n {2}its last output:\n {4}some output\n/,
    );
  });

  test(`what is not there is told with its place (${who})`, () => {
    for (const [dockerfile, pattern] of [
      ['FROM bb\nCOPY nofile /', /Dockerfile:2:6: nofile: not found in the build context/],
      ['FROM bb\nCOPY ignored /', /Dockerfile:2:6: ignored: not found: \.dockerignore excludes it/],
      ['FROM bb\nCOPY --from=bb /nofile /', /2:16: \/nofile: not found there/],
      ['FROM bb\nCOPY --chown=nobody a /', /2:1: the user "nobody" is not in the image's \/etc\/passwd/],
      ['FROM bb\nRUN --mount=source=x,target=/t true', /2:5: --mount: x: not found in the build context/],
      ['FROM bb\nRUN --security=insecure true', /2:5: security.insecure is not allowed/],
      ['FROM bb\nUSER nobody\nRUN true', /nobody/],
    ] as const) {
      const { code, stderr } = site.build(dockerfile, { a: '', ignored: '', '.dockerignore': 'ignored\n' });
      assert.equal(code, 1, stderr);
      assert.match(stderr, pattern);
    }
  });

  test(`stages that do not depend on each other run side by side (${who})`, () => {
    // Each waits for the other: one after the other they would fail.
    const wait = (mine: string, other: string) =>
      `RUN --mount=type=cache,target=/c,id=meet-${who.length} touch /c/${mine}; for i in $(seq 200); do test -e /c/${other} && exit 0; sleep 0.05; done; exit 1`;
    const ended = site.build(
      `FROM bb AS a\n${wait('a', 'b')}\nFROM bb AS b\n${wait('b', 'a')}\nFROM scratch\nCOPY --from=a /etc /a\nCOPY --from=b /etc /b`,
    );
    assert.equal(ended.code, 0, ended.stderr);
  });

  test(`files are what they are in the context: modes, times, holes (${who})`, () => {
    const context = site.context({ Dockerfile: 'FROM bb\nCOPY big /big\nCOPY s /s' });
    spawnSync('sh', [
      '-c',
      `cd ${context} && head -c 5000000 /dev/urandom > big && touch -d '2001-02-03 04:05:06 UTC' big && mkdir s && echo x > s/x && chmod 600 s/x && chmod 2751 s`,
    ]);
    for (const path of ['big', 's', 's/x']) site.harness.own(`${context}/${path}`);
    assert.equal(site.call(['build', '-q', '-t', 'shown', context]).code, 0);
    const sum = spawnSync('sha256sum', [`${context}/big`], { encoding: 'utf8' }).stdout.split(' ')[0];
    const shown = site.output([
      'run',
      '--rm',
      '-q',
      'shown',
      'sh',
      '-c',
      'sha256sum < /big; stat -c "%Y %a" /big /s/x',
    ]);
    assert.equal(shown, `${sum}  -\n981173106 644\n${shown.split('\n')[2]}`);
    assert.match(shown, /\d+ 600$/);
    writeFileSync(`${context}/big`, 'x');
  });
}
