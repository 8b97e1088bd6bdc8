// From start to end: exit codes, standard input and output, signals, init, timeout, files about the run.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Harness, logged, rootOnly, skip } from '../harness/caisson.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

test("the exit code is the program's", { skip }, () => {
  for (const code of [0, 1, 2, 42, 124, 125, 126, 127, 128, 200, 255]) {
    assert.equal(harness.run([], `exit ${code}`).code, code);
    assert.equal(harness.oci({}, `exit ${code}`).code, code);
  }
});

test('a program that a signal ends exits with 128 and its number', { skip }, () => {
  for (const [name, code] of [
    ['KILL', 137],
    ['SEGV', 139],
    ['ABRT', 134],
  ] as const) {
    // A process that is not PID 1 may be killed by itself; PID 1 only by what it does not ignore.
    assert.equal(harness.run([], `sh -c 'kill -${name} $$; true'; exit $?`).code, code, name);
    assert.equal(harness.run(['--init'], `kill -${name} $$; true`).code, code, name);
  }
});

test('what cannot be executed: 125, 126, 127', { skip }, () => {
  const root = harness.makeRootfs();
  writeFileSync(`${root}/data`, 'text');
  writeFileSync(`${root}/garbage`, '\x01\x02\x03\x04', { mode: 0o755 });
  mkdirSync(`${root}/folder`);
  writeFileSync(`${root}/lost`, '#!/no/such/interpreter\n', { mode: 0o755 });
  const attempts: readonly (readonly [program: string, code: number, reason: string, errno: string])[] = [
    ['/data', 126, 'permission denied', 'EACCES'],
    ['/folder', 126, 'permission denied', 'EACCES'],
    ['/garbage', 126, 'exec format error', 'ENOEXEC'],
    ['/no/such', 127, 'no such file or directory', 'ENOENT'],
    ['nosuch', 127, 'executable file not found in $PATH', 'ENOENT'],
    ['/etc/passwd/x', 127, 'not a directory', 'ENOTDIR'],
    ['/lost', 127, 'no such file or directory', 'ENOENT'],
  ];
  harness.own(root);
  for (const [program, code, reason, errno] of attempts) {
    const message = `execute ${program}: ${reason} (${errno})`;
    const run = harness.caisson(['run', '--rootfs', root, program]);
    assert.ok(run.stderr.includes(message), run.stderr);
    assert.equal(run.code, code, program);
    const bundle = harness.bundle({ root: { path: root }, process: { args: [program] } });
    const oci = harness.ociRun(bundle);
    // Where engines search for words, they are runc's.
    const plain = errno === 'ENOENT' || errno === 'EACCES';
    const said = program === '/lost' ? oci.stderr : logged(oci.stderr);
    const words = program === '/lost' ? `exec ${program}: ${reason}\n` : `exec: "${program}": ${reason}`;
    assert.ok(said.includes(plain ? words : message), oci.stderr);
    assert.equal(oci.code, 1, program);
    const init = harness.caisson(['run', '--init', '--rootfs', root, program]);
    assert.equal(init.code, code, `--init ${program}: ${init.stderr}`);
  }
  assert.equal(harness.run(['--no-such-flag'], 'true').code, 125);
  assert.equal(harness.caisson(['run']).code, 125);
});

test('a program is found in the PATH of the container', { skip }, () => {
  const root = harness.makeRootfs();
  mkdirSync(`${root}/opt`);
  writeFileSync(`${root}/opt/mine`, '#!/bin/sh\necho mine "$@"\n', { mode: 0o755 });
  harness.own(root);
  const ended = harness.caisson(['run', '-e', 'PATH=/none:/opt:/bin', '--rootfs', root, 'mine', 'a b', '']);
  assert.equal(ended.stdout, 'mine a b \n', ended.stderr);
});

test('standard output and error are apart, and bytes', { skip }, () => {
  const ended = harness.run([], 'printf "out\\377\\000"; printf "err" >&2; exit 3');
  assert.deepEqual(ended, { code: 3, stdout: 'out\xff\0', stderr: 'err' });
});

test('a long output arrives whole', { skip }, () => {
  const { stdout } = harness.run([], 'head -c 500000 /dev/zero | tr "\\0" x');
  assert.equal(stdout.length, 500000);
});

test('standard input is passed on with -i, and empty without', { skip }, () => {
  assert.equal(harness.output(['-i'], 'cat', { input: 'given\n' }), 'given');
  assert.equal(harness.output([], 'cat; echo end', { input: 'given\n' }), 'end');
  assert.equal(
    harness.output([], 'readlink /proc/self/fd/0; stat -L -c %t:%T /proc/self/fd/0', { input: 'x' }),
    '/dev/null\n1:3',
  );
  assert.equal(harness.ociOutput({}, 'cat', { input: 'given\n' }), 'given');
});

test('closed standard descriptors are /dev/null, and nothing else takes their place', { skip }, () => {
  const prefix = ['bash', '-c', 'exec 0<&- 2>&-; exec "$@"', 'bash'];
  const script = 'readlink /proc/self/fd/0; readlink /proc/self/fd/2; ls /proc/self/fd | wc -l';
  assert.equal(harness.output([], script, { prefix }), '/dev/null\n/dev/null\n4');
  const none = ['bash', '-c', 'exec 0<&- 1>&- 2>&-; exec "$@"', 'bash'];
  assert.equal(harness.run([], 'exit 4', { prefix: none }).code, 4);
});

test('signals reach the program', { skip }, async () => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGQUIT'] as const) {
    const name = signal.slice(3);
    const script = `trap 'echo got ${name}; exit 7' ${name}; echo ready; while :; do sleep 0.05; done`;
    const started = harness.start(harness.runArguments([], script));
    await started.untilPrinted('ready');
    started.kill(signal);
    const ended = await started.end();
    assert.deepEqual([ended.stdout, ended.code], [`ready\ngot ${name}\n`, 7], signal);
  }
});

test('signals reach the program of a bundle', { skip }, async () => {
  const bundle = harness.bundle({}, "trap 'echo got; exit 9' TERM; echo ready; while :; do sleep 0.05; done");
  const started = harness.start(['oci', 'run', '--bundle', bundle, harness.newId()]);
  await started.untilPrinted('ready');
  started.kill('SIGTERM');
  assert.equal((await started.end()).code, 9);
});

test('--sig-proxy=false keeps signals', { skip }, async () => {
  const started = harness.start(
    harness.runArguments(['--sig-proxy=false'], "trap 'echo got' USR1; echo ready; sleep 0.5; echo end"),
  );
  await started.untilPrinted('ready');
  started.kill('SIGUSR1');
  const { stdout } = await started.end();
  assert.ok(!stdout.includes('got'), stdout);
});

test('a signal that PID 1 does not handle ends the program under --init', { skip }, async () => {
  const started = harness.start(harness.runArguments(['--init'], 'echo ready; exec sleep 30'));
  await started.untilPrinted('ready');
  started.kill('SIGTERM');
  assert.equal((await started.end()).code, 143);
});

test('--init is PID 1, reaps orphans, and the program is its child', { skip }, () => {
  const script =
    'echo $$ $PPID; (sleep 0.05 & exec true); (sh -c "sleep 0.1 &" ); sleep 0.4; cat /proc/[0-9]*/stat | cut -d" " -f3 | grep -c Z; cat /proc/1/comm';
  const without = harness.output([], script.replace('(sleep', '(sleep'));
  const lines = harness.output(['--init'], script);
  assert.match(without.split('\n')[0] ?? '', /^1 0$/);
  assert.match(lines, /^\d+ 1\n0\n/);
  assert.notEqual(lines.split('\n')[0]?.split(' ')[0], '1');
});

test('--stop-signal comes first when the time of --timeout is over', { skip }, () => {
  const flags = ['--timeout', '1', '--stop-signal', 'USR1'];
  const script = 'trap "echo asked; exit 7" USR1; echo up; while :; do sleep 0.05; done';
  const ended = harness.run(flags, script);
  assert.equal(ended.stdout, 'up\nasked\n');
  assert.equal(ended.code, 7);
});

test('labels and the stop signal are in the record', { skip }, async () => {
  const run = harness.start(
    harness.runArguments(
      ['--label', 'a=b=c', '-l', 'bare', '--stop-signal', 'HUP'],
      'echo up; exec sleep 100',
    ),
  );
  await run.untilPrinted('up');
  const [id = ''] = readdirSync(harness.state);
  const record = JSON.parse(readFileSync(`${harness.state}/${id}/state.json`, 'utf8')) as {
    labels: unknown;
    stopSignal: unknown;
  };
  assert.deepEqual(record.labels, { a: 'b=c', bare: '' });
  assert.equal(record.stopSignal, 1);
  run.kill('SIGKILL');
  await run.end();
  harness.caisson(['system', 'repair']);
});

test('--timeout kills the whole tree', { skip }, () => {
  const begin = performance.now();
  const ended = harness.run(['--timeout', '1'], 'sleep 77.5 & sleep 77.5 & trap "" TERM INT; wait');
  const seconds = (performance.now() - begin) / 1000;
  assert.equal(ended.code, 137, ended.stderr);
  assert.ok(seconds >= 0.9 && seconds < 5, `${seconds}`);
  assert.equal(
    execFileSync('sh', ['-c', 'ps -e -o args | grep -c "[s]leep 77.5" || true'], { encoding: 'utf8' }).trim(),
    '0',
  );
});

test('the end of the program is the end of all its processes', { skip }, () => {
  assert.equal(harness.output([], 'sleep 78.5 & echo started'), 'started');
  assert.equal(
    execFileSync('sh', ['-c', 'ps -e -o args | grep -c "[s]leep 78.5" || true'], { encoding: 'utf8' }).trim(),
    '0',
  );
});

test('a killed caisson takes its container with it', { skip }, async () => {
  const started = harness.start(harness.runArguments([], 'echo ready; exec sleep 79.5'));
  await started.untilPrinted('ready');
  started.kill('SIGKILL');
  await started.end();
  const gone = () =>
    execFileSync('sh', ['-c', 'ps -e -o args | grep -c "[s]leep 79.5" || true'], {
      encoding: 'utf8',
    }).trim() === '0';
  await started.until(gone, 'the end of the container');
  const repaired = harness.caisson(['system', 'repair']);
  assert.equal(repaired.code, 0, repaired.stderr);
  harness.assertNothingLeft();
});

test('--cidfile holds the id, and is not overwritten', { skip }, () => {
  const file = `${harness.makeDirectory('ids')}/id`;
  const name = harness.output(['--cidfile', file], 'hostname');
  const id = readFileSync(file, 'utf8');
  assert.match(id, /^[0-9a-f]{64}$/);
  assert.equal(id.slice(0, 12), name);
  const again = harness.run(['--cidfile', file], 'echo ran');
  assert.equal(again.code, 125);
  assert.equal(again.stdout, '');
  assert.match(again.stderr, /container ID file found[\s\S]*--cidfile/);
  const missing = harness.run(['--cidfile', `${file}/no/id`], 'echo ran');
  assert.deepEqual([missing.code, missing.stdout], [125, '']);
  assert.match(missing.stderr, /cannot write the container ID file: [\s\S]*--cidfile/);
  const failed = harness.run(['--cidfile', `${file}-2`, '-u', 'nobody-here'], 'true');
  assert.equal(failed.code, 125);
  assert.ok(!existsSync(`${file}-2`), 'a container that never ran has no file');
  harness.assertNothingLeft();
});

test('--pid-file of a bundle holds the process id on the host', { skip }, async () => {
  const file = `${harness.makeDirectory('pids')}/pid`;
  const bundle = harness.bundle({}, 'echo ready; read line');
  const started = harness.start(['oci', 'run', '--pid-file', file, '--bundle', bundle, harness.newId()], {
    stdin: 'pipe',
  });
  await started.untilPrinted('ready');
  await started.until(() => existsSync(file), 'the file');
  const status = readFileSync(`/proc/${readFileSync(file, 'utf8').trim()}/status`, 'utf8');
  assert.match(status, /^NSpid:\t\d+\t1$/m);
  started.child.stdin?.end('\n');
  assert.equal((await started.end()).code, 0);
});

test('a name is taken once, an id too', { skip }, async () => {
  const started = harness.start(harness.runArguments(['--name', 'taken', '-i'], 'echo ready; read line'), {
    stdin: 'pipe',
  });
  await started.untilPrinted('ready');
  const second = harness.run(['--name', 'taken'], 'echo ran');
  assert.deepEqual([second.code, second.stdout], [125, '']);
  assert.match(second.stderr, /"taken" is already in use/);
  started.child.stdin?.end('\n');
  assert.equal((await started.end()).code, 0);
  assert.equal(harness.output(['--name', 'taken'], 'echo ran'), 'ran');
});

test("--network host, --pid host and the host's files together", { skip: rootOnly }, () => {
  const flags = ['--network', 'host', '--pid', 'host', '--uts', 'host', '--ipc', 'host'];
  const script = 'readlink /proc/self/ns/net; hostname; ls /sys/class/net | wc -l';
  const [net, name] = harness.output(flags, script).split('\n');
  assert.equal(net, execFileSync('readlink', ['/proc/self/ns/net'], { encoding: 'utf8' }).trim());
  assert.equal(name, execFileSync('hostname', { encoding: 'utf8' }).trim());
});

test('twenty runs at once', { skip }, async () => {
  const all = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      harness.start(harness.runArguments([], `echo ${index}; exit ${index}`)).end(),
    ),
  );
  all.forEach(({ code, stdout }, index) => {
    assert.deepEqual([code, stdout], [index, `${index}\n`]);
  });
});

test('--cidfile does not write through a link that waits for its temporary file', { skip }, () => {
  const directory = harness.makeDirectory('linked');
  const script = `ln -s ${directory}/victim ${directory}/id.$$.tmp && exec "$@"`;
  const prefix = ['sh', '-c', script, 'sh'];
  const ended = harness.run(['--cidfile', `${directory}/id`], 'true', { prefix });
  assert.equal(ended.code, 0, ended.stderr);
  assert.ok(!existsSync(`${directory}/victim`));
  assert.match(readFileSync(`${directory}/id`, 'latin1'), /^[0-9a-f]{64}$/);
});
