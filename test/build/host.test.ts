// `FROM host`: stages on this machine's own files, which change nothing of it, and what is refused of them.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { ROOT, skip, subordinateCaller } from '../harness/caisson.ts';
import { Site } from './site.ts';

const site = skip === false ? new Site(ROOT) : undefined;
after(() => site?.close());

const ALLOWED = ['--allow', 'host.files'];
const MARK = `/etc/caisson-test-${process.pid}`;

test('the tools of this machine make something that is copied into an image', { skip }, () => {
  assert.ok(site !== undefined);
  const dockerfile = `FROM host AS tools
WORKDIR /src
COPY hello.txt .
RUN sha256sum hello.txt | cut -c 1-64 > sum && echo changed > ${MARK} && rm /etc/hostname || true
RUN cat ${MARK} sum > both; stat -c %a /proc/1/status >> both
FROM bb
COPY --from=tools /src/both /both
COPY --from=host /etc/os-release /etc/
RUN --mount=from=bb,target=/b true`;
  const shown = site.show(
    dockerfile,
    'cat /both; wc -c < /etc/os-release',
    { 'hello.txt': 'hello\n' },
    ALLOWED,
  );
  const sum = '5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03';
  const { length } = readFileSync('/etc/os-release');
  assert.equal(shown, `changed\n${sum}\n444\n${length}`);
  assert.equal(existsSync(MARK), false);
  assert.equal(existsSync('/src/both'), false);
  assert.equal(existsSync('/etc/hostname'), true);
});

test('a stage on host is made anew each time, and what was copied of it is found by its content', {
  skip,
}, () => {
  assert.ok(site !== undefined);
  const dockerfile =
    'FROM host AS t\nRUN echo same > /made\nFROM bb\nCOPY --from=t /made /made\nRUN cat /made > /again';
  assert.equal(site.build(dockerfile, {}, ALLOWED).code, 0);
  const { stderr } = site.build(dockerfile, {}, ALLOWED);
  const done = stderr.match(/^#\d+ (DONE|CACHED)/gm)?.map((line) => line.split(' ')[1]);
  assert.deepEqual(done, ['DONE', 'CACHED', 'CACHED', 'DONE'], stderr);
});

test('all of its root file system can be copied, and nothing that is mounted there', { skip }, () => {
  assert.ok(site !== undefined);
  const dockerfile = 'FROM bb\nCOPY --from=host --exclude=* / /all\nCOPY --from=host /proc /sys /mounted/';
  const shown = site.show(dockerfile, 'ls /all /mounted | wc -l', {}, ALLOWED);
  // The names of both directories, and the empty line between them.
  assert.equal(shown, '3');
});

test('what host is not for is refused with the reason', { skip }, () => {
  assert.ok(site !== undefined);
  for (const [dockerfile, args, pattern] of [
    ['FROM host\nRUN true', ALLOWED, /Dockerfile:1:6: the result stands on host.*COPY --from=host/s],
    [
      'FROM host AS a\nRUN true\nFROM a\nRUN true',
      ALLOWED,
      /Dockerfile:3:6: a stage on host cannot be the base/,
    ],
    [
      'FROM host AS a\nFROM bb\nCOPY --from=a /etc/passwd /',
      [],
      /1:6: host stands for the files.*--allow host.files/s,
    ],
    ['FROM bb\nCOPY --from=host /etc/shadow /', [], /2:1: host stands for the files of this machine/],
    [
      'FROM bb\nRUN --mount=from=host,target=/h true',
      ALLOWED,
      /2:5: --mount: this machine's own files are not/,
    ],
  ] as const) {
    const { code, stderr } = site.build(dockerfile, {}, args);
    assert.equal(code, 1, stderr);
    assert.match(stderr, pattern);
  }
  const { code, stderr } = site.build('FROM bb', {}, ['--allow', 'everything']);
  assert.equal(code, 125);
  assert.match(stderr, /invalid --allow everything/);
});

const ordinary = subordinateCaller();

test('an ordinary user is told that host needs root', { skip: skip || ordinary === undefined }, () => {
  assert.ok(ordinary !== undefined);
  const own = new Site(ordinary);
  try {
    const { code, stderr } = own.build('FROM bb\nCOPY --from=host /etc/passwd /', {}, ALLOWED);
    assert.equal(code, 1);
    assert.match(stderr, /host needs root/);
  } finally {
    own.close();
  }
});
