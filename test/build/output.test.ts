// Where contexts come from and results go: standard input, archives, repositories, addresses; directories and archives.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { ROOT, skip } from '../harness/caisson.ts';
import { readText, sha256 } from '../images/world.ts';
import { Site } from './site.ts';

const site = skip === false ? new Site(ROOT) : undefined;
after(() => site?.close());

function sh(script: string, cwd: string): string {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', script], { cwd, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout;
}

/** The compiled executable is called through a pipe, for binary input. */
function piped(script: string): string {
  assert.ok(site !== undefined);
  const build = site.harness
    .commandLine(['build', '-q'])
    .map((word) => `'${word}'`)
    .join(' ');
  const env = { ...process.env, CAISSON_DATA_ROOT: site.dataRoot };
  const { status, stdout, stderr } = spawnSync('sh', ['-c', script.replace('BUILD', build)], {
    cwd: site.directory,
    encoding: 'utf8',
    env,
  });
  assert.equal(status, 0, stderr);
  return stdout;
}

test('type=local and type=tar: the files of the result', { skip }, () => {
  assert.ok(site !== undefined);
  const dockerfile =
    'FROM bb AS b\nRUN mkdir /o && echo out > /o/f && chown 7:8 /o/f && ln -s f /o/l\nFROM scratch\nCOPY --from=b /o /';
  const out = `${site.directory}/out`;
  assert.equal(site.build(dockerfile, {}, ['-o', out]).code, 0);
  assert.equal(readText(`${out}/f`), 'out\n');
  assert.equal(statSync(`${out}/f`).uid, 0);
  assert.equal(site.build(dockerfile, {}, ['--output', `type=tar,dest=${site.directory}/out.tar`]).code, 0);
  assert.match(sh('tar tvf out.tar', site.directory), /7\/8 +4 .* f\n.*l -> f\n/);
});

test('type=oci and type=docker can be loaded', { skip }, () => {
  assert.ok(site !== undefined);
  const other = new Site(ROOT);
  try {
    for (const type of ['oci', 'docker']) {
      const archive: string = `${site.directory}/${type}.tar`;
      assert.equal(
        site.build('FROM bb\nRUN echo hi > /hi', {}, [
          '-t',
          'archived:1',
          '-o',
          `type=${type},dest=${archive}`,
        ]).code,
        0,
      );
      other.output(['load', '-q', '-i', archive]);
      assert.equal(other.output(['run', '--rm', '-q', 'archived:1', 'cat', '/hi']), 'hi');
      other.output(['rmi', 'archived:1']);
    }
  } finally {
    other.close();
  }
});

test('compression, names, labels, --iidfile, -q', { skip }, () => {
  assert.ok(site !== undefined);
  const file = `${site.directory}/iid`;
  const args = [
    '-q',
    '--iidfile',
    file,
    '--label',
    'a=b',
    '-o',
    'type=image,compression=zstd,name=n:1',
    '-t',
    'm:1',
  ];
  const ended = site.build(
    'FROM bb\nRUN echo z > /z',
    {},
    process.versions.zstd === undefined && site.harness.commandLine([])[0]?.includes('node')
      ? args.map((word) => word.replace('zstd', 'uncompressed'))
      : args,
  );
  assert.equal(ended.code, 0, ended.stderr);
  assert.equal(ended.stdout.trim(), readFileSync(file, 'utf8'));
  assert.deepEqual(site.image('n:1'), site.image('m:1'));
  assert.deepEqual(site.image('n:1').config.config.Labels, { a: 'b' });
});

test('a Dockerfile or an archive from standard input', { skip }, () => {
  assert.ok(site !== undefined);
  const context = site.context({
    Dockerfile: 'FROM bb\nCOPY f /f',
    f: 'from an archive\n',
    'sub/Other': 'FROM bb\nCOPY f /other',
  });
  piped("printf 'FROM bb\\nRUN echo in > /in' | BUILD -t in1 -");
  assert.equal(site.output(['run', '--rm', '-q', 'in1', 'cat', '/in']), 'in');
  // A socket, as Node makes for its children: it cannot be opened by its name below /proc.
  site.output(['build', '-q', '-t', 'in6', '-'], { input: 'FROM bb\nRUN echo socket > /in' });
  assert.equal(site.output(['run', '--rm', '-q', 'in6', 'cat', '/in']), 'socket');
  piped(`tar c -C ${context} . | BUILD -t in2 -`);
  piped(`tar cJ -C ${context} . | BUILD -t in5 -`);
  piped(`tar cz -C ${context} . | BUILD -t in3 -f sub/Other -`);
  piped(`printf 'FROM bb\\nCOPY f /g' | BUILD -t in4 -f - ${context}`);
  for (const [name, path] of [
    ['in2', '/f'],
    ['in3', '/other'],
    ['in4', '/g'],
    ['in5', '/f'],
  ] as const)
    assert.equal(site.output(['run', '--rm', '-q', name, 'cat', path]), 'from an archive');
});

test('-f, and ignore files of a Dockerfile', { skip }, () => {
  assert.ok(site !== undefined);
  const context = site.context({
    'one.Dockerfile': 'FROM bb\nCOPY . /c',
    'one.Dockerfile.dockerignore': 'b\n*ockerfile*',
    '.dockerignore': 'a\n',
    a: '',
    b: '',
  });
  site.output(['build', '-q', '-t', 'own', '-f', `${context}/one.Dockerfile`, context]);
  assert.equal(site.output(['run', '--rm', '-q', 'own', 'ls', '-A', '/c']), '.dockerignore\na');
});

test('ADD of an address, with a checksum; a context from one', { skip }, async () => {
  assert.ok(site !== undefined);
  const context = site.context({ Dockerfile: 'FROM bb\nCOPY f /f', f: 'remote context\n' });
  sh('tar czf ../remote.tgz .', context);
  const archive = readFileSync(`${site.directory}/remote.tgz`);
  const server = createServer((request, response) => {
    if (request.url === '/f.txt') response.end('served\n');
    else if (request.url === '/c.tgz') response.end(archive);
    else {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const run = async (args: readonly string[]) => {
    assert.ok(site !== undefined);
    return await site.start(['build', '--progress', 'plain', ...args]).end();
  };
  try {
    const digest = `sha256:${sha256('served\n')}`;
    const good = site.context({
      Dockerfile: `FROM bb\nADD --checksum=${digest} ${base}/f.txt /x/\nADD --chmod=600 ${base}/f.txt /y`,
    });
    const ended = await run(['-t', 'added', good]);
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(site.output(['run', '--rm', '-q', 'added', 'cat', '/x/f.txt', '/y']), 'served\nserved');
    const bad = await run([
      site.context({ Dockerfile: `FROM bb\nADD --checksum=sha256:${'0'.repeat(64)} ${base}/f.txt /x/` }),
    ]);
    assert.match(bad.stderr, /Dockerfile:2:\d+: http:.*: expected sha256:0+, and it is sha256:/);
    const absent = await run([site.context({ Dockerfile: `FROM bb\nADD ${base}/none /x/` })]);
    assert.match(absent.stderr, /Dockerfile:2:5: .*: the server answers 404/);
    const remote = await run(['-t', 'remote', `${base}/c.tgz`]);
    assert.equal(remote.code, 0, remote.stderr);
    assert.equal(site.output(['run', '--rm', '-q', 'remote', 'cat', '/f']), 'remote context');
  } finally {
    server.close();
  }
});

const git = spawnSync('git', ['--version']).status === 0 ? skip : 'git is not installed';

test('repositories: over HTTP, with ref and subdirectory, as context and in ADD', { skip: git }, async () => {
  assert.ok(site !== undefined);
  const work = `${site.directory}/repository`;
  mkdirSync(`${work}/sub`, { recursive: true });
  sh(
    [
      'git init -q -b main . && git config user.email a@b && git config user.name n',
      "printf 'FROM bb\\nCOPY f /f\\n' > sub/Dockerfile && echo in the repository > sub/f && ln -s /etc sub/out",
      'git add . && git commit -q -m one && git tag v1 && echo later > sub/f && git commit -q -a -m two',
      'git clone -q --bare . ../served.git && git -C ../served.git update-server-info && git -C ../served.git config http.uploadpack true',
    ].join(' && '),
    work,
  );
  const backend = sh('git --exec-path', work).trim();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://x');
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const env = {
        ...process.env,
        GIT_PROJECT_ROOT: site.directory,
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: url.pathname,
        QUERY_STRING: url.search.slice(1),
        REQUEST_METHOD: request.method ?? 'GET',
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      };
      const { stdout } = spawnSync(`${backend}/git-http-backend`, [], { env, input: Buffer.concat(chunks) });
      const end = stdout.indexOf('\r\n\r\n');
      for (const line of stdout.subarray(0, end).toString('latin1').split('\r\n')) {
        const [name = '', value = ''] = line.split(': ');
        if (name === 'Status') response.statusCode = Number.parseInt(value, 10);
        else response.setHeader(name, value);
      }
      response.end(stdout.subarray(end + 4));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/served.git`;
  const run = async (args: readonly string[]) => {
    assert.ok(site !== undefined);
    return await site.start(['build', '--progress', 'plain', ...args]).end();
  };
  try {
    const tagged = await run(['-t', 'git1', `${url}#v1:sub`]);
    assert.equal(tagged.code, 0, tagged.stderr);
    assert.equal(site.output(['run', '--rm', '-q', 'git1', 'cat', '/f']), 'in the repository');
    const added = await run(['-t', 'git2', site.context({ Dockerfile: `FROM bb\nADD ${url} /src` })]);
    assert.equal(added.code, 0, added.stderr);
    assert.equal(
      site.output(['run', '--rm', '-q', 'git2', 'sh', '-c', 'cat /src/sub/f; ls -A /src']),
      'later\nsub',
    );
    // A link of the repository leads to its own /etc, which is not there.
    const outside = await run(['-t', 'git3', `${url}#v1:sub/out`]);
    assert.notEqual(outside.code, 0);
    assert.match(outside.stderr, /sub\/out: no such file|failed to read dockerfile/);
  } finally {
    server.close();
  }
});
