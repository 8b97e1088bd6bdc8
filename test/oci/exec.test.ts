// `exec` on the real kernel: what a process gets, where it runs, and how it is refused.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readlinkSync, rmdirSync, writeFileSync } from 'node:fs';
import { after, afterEach, test } from 'node:test';
import { capabilities, MOUNTS, NAMESPACES, type Part, subordinateCaller } from '../harness/caisson.ts';
import { OciHarness, RUNTIMES } from './runtime.ts';

const SLEEP = 'exec sleep 1000';
/** Busybox of Debian has no readlink applet that takes two names. */
const LINKS = 'for n in pid net ipc uts mnt cgroup user; do readlink /proc/self/ns/$n; done';

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  /** A running container. */
  function container(parts: Part = {}, script = SLEEP): { id: string; pid: number; end: () => void } {
    const id = harness.newId();
    harness.succeed(['run', '-d', '-b', harness.bundle(parts, script), id]);
    const { pid } = harness.stateOf(id);
    running.add(id);
    return { id, pid, end: () => end(id) };
  }

  function end(id: string): void {
    running.delete(id);
    harness.succeed(['delete', '--force', id]);
  }

  /** What a failed test has left must not fail the next one. */
  const running = new Set<string>();
  afterEach(() => {
    for (const id of running) harness.call(['delete', '--force', id]);
    running.clear();
  });

  const output = (...args: readonly string[]): string =>
    harness.succeed(['exec', ...args]).stdout.replace(/\n$/, '');
  const shell = (id: string, script: string, ...flags: readonly string[]): string =>
    output(...flags, id, 'sh', '-c', script);

  test(`${name}: exec: exit codes are the process's, failures are 255 in runc's words`, { skip }, () => {
    const { id, end } = container();
    for (const [script, code] of [
      ['true', 0],
      ['exit 42', 42],
      ['kill -TERM $$', 143],
    ] as const)
      assert.equal(harness.call(['exec', id, 'sh', '-c', script]).code, code, script);
    for (const [args, message] of [
      [[id, 'no-such-binary'], /no-such-binary.*: executable file not found in \$PATH/],
      [[id, '/no/such'], /\/no\/such.*: no such file or directory/],
      [[id, '/etc/passwd'], /\/etc\/passwd.*: permission denied/],
      [['--cwd', '/none', id, 'true'], /none.*no such file or directory/],
      [['--pid-file', '/nonexistent/pid', id, 'sleep', '100'], /\/nonexistent\/pid/],
      [['--preserve-fds', '9', id, 'true'], /unable to stat preserved-fd \d \(of 9\)/],
      [
        ['--detach', '--tty', id, 'true'],
        /cannot allocate tty if runc will detach without setting console socket/,
      ],
      [
        ['--console-socket', '/none', id, 'true'],
        /cannot use console socket if runc will not detach or allocate tty/,
      ],
      [['no-such-container', 'true'], /container does not exist/],
    ] as const) {
      const { code, stderr } = harness.call(['exec', ...args]);
      assert.equal(code, 255, args.join(' '));
      assert.match(stderr, message);
    }
    assert.equal(shell(id, 'ps | grep -c "[s]leep 100$"; true'), '0', 'no process of a failed exec is left');
    end();
    const { code, stderr } = harness.call(['exec', id, 'true']);
    assert.equal(code, 255);
    assert.match(stderr, /does not exist/);
    harness.assertNothingLeft();
  });

  test(`${name}: exec: namespaces, cgroups, limits and privileges are the container's`, { skip }, () => {
    const seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['acct'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
    };
    const { id, pid, end } = container({
      process: {
        rlimits: [{ type: 'RLIMIT_NOFILE', soft: 77, hard: 99 }],
        oomScoreAdj: 333,
        user: { uid: 0, gid: 0, umask: 0o27 },
      },
      linux: { seccomp, resources: { pids: { limit: 50 } } },
    });
    const links = ['pid', 'net', 'ipc', 'uts', 'mnt', 'cgroup', 'user'].map((type) =>
      readlinkSync(`/proc/${pid}/ns/${type}`),
    );
    assert.deepEqual(shell(id, LINKS).split('\n'), links);
    const interesting =
      /^(Uid|Gid|Groups|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp|Seccomp_filters|SigBlk|SigIgn|Umask|Cpus_allowed):/;
    const status = (text: string) => text.split('\n').filter((line) => interesting.test(line));
    assert.deepEqual(
      status(shell(id, 'exec cat /proc/self/status')),
      status(readFileSync(`/proc/${pid}/status`, 'utf8')),
    );
    const cgroups = `cat /proc/self/cgroup`;
    assert.equal(shell(id, cgroups), shell(id, 'cat /proc/1/cgroup'));
    assert.equal(shell(id, 'ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj'), '77\n99\n333');
    // A session of its own, and nobody's child inside.
    assert.equal(shell(id, "exec awk '{print $4, ($6 == $1)}' /proc/self/stat"), '0 1');
    end();
    harness.assertNothingLeft();
  });

  test(`${name}: exec: user, groups, HOME, environment and directory`, { skip }, () => {
    const { id, end } = container({ process: { env: ['PATH=/bin', 'A=1', 'A=2'] } });
    assert.equal(shell(id, 'id -u; id -g; echo $HOME $A; pwd'), '0\n0\n/root 2\n/');
    assert.equal(
      shell(id, 'id; echo $HOME; pwd', '-u', '1000:1001', '-g', '50', '-g', '63', '--cwd', '/home/alice'),
      'uid=1000(alice) gid=1001(alice) groups=50(staff),63(audio)\n/home/alice\n/home/alice',
    );
    assert.equal(shell(id, 'echo $HOME', '-u', '4242'), '/');
    assert.equal(shell(id, 'echo $HOME $A', '-e', 'HOME=/x', '-e', 'A=3'), '/x 3');
    assert.equal(output('-e', 'HOME=', id, 'env'), 'PATH=/bin\nA=2\nHOME=/root');
    // Links of the container lead nowhere else.
    shell(id, 'ln -s /proc/self/fd/0/../.. /tmp/out; ln -s /home/alice /tmp/in');
    assert.equal(shell(id, 'pwd', '--cwd', '/tmp/in'), '/home/alice');
    assert.equal(harness.call(['exec', '--cwd', '/tmp/out', id, 'pwd']).code, 255);
    end();
  });

  test(`${name}: exec: a process from a file, with what only a file says`, { skip }, () => {
    const { id, end } = container();
    const file = `${harness.directory}/process.json`;
    const process = {
      user: { uid: 1000, gid: 1001 },
      cwd: '/tmp',
      args: [
        'sh',
        '-c',
        'id -u; pwd; echo $X; grep CapBnd /proc/self/status; awk "{print \\$41}" /proc/self/stat; ulimit -c',
      ],
      env: ['PATH=/bin', 'X=y'],
      capabilities: capabilities(['CAP_KILL']),
      scheduler: { policy: 'SCHED_BATCH' },
      ioPriority: { class: 'IOPRIO_CLASS_IDLE', priority: 0 },
      rlimits: [{ type: 'RLIMIT_CORE', soft: 5120, hard: 10240 }],
      execCPUAffinity: { initial: '0', final: '0' },
    };
    writeFileSync(file, JSON.stringify(process));
    const lines = output('--process', file, id).split('\n');
    assert.deepEqual(lines.slice(0, 4), ['1000', '/tmp', 'y', 'CapBnd:\t0000000000000020']);
    assert.deepEqual(lines.slice(4), ['3', '10'], 'SCHED_BATCH, and KiB of cores');
    writeFileSync(
      file,
      JSON.stringify({
        ...process,
        args: ['sh', '-c', 'grep Cpus_allowed_list /proc/self/status; ionice -p $$'],
      }),
    );
    assert.equal(output('--process', file, id), 'Cpus_allowed_list:\t0\nidle');
    writeFileSync(file, JSON.stringify({ ...process, args: [] }));
    assert.match(harness.call(['exec', '--process', file, id]).stderr, /args.*empty/);
    writeFileSync(file, JSON.stringify({ ...process, cwd: 'tmp' }));
    assert.match(harness.call(['exec', '--process', file, id]).stderr, /absolute/);
    end();
  });

  test(`${name}: exec: stdio is inherited, nothing else is, and descriptors are passed on when asked`, {
    skip,
  }, () => {
    const { id, end } = container();
    assert.equal(harness.call(['exec', id, 'cat'], { input: 'through\n' }).stdout, 'through\n');
    const list = 'cd /proc/self/fd && for n in *; do echo $n; done';
    const open = (prefix: readonly string[], flags: readonly string[]) => {
      const { stdout } = harness.succeed(['exec', ...flags, id, 'sh', '-c', list], { prefix });
      // The shell opens the directory to list it.
      return stdout.trim().split('\n').slice(0, -1).map(Number);
    };
    const passing = ['sh', '-c', 'exec 3</etc/hostname 4</etc/passwd 5</etc/group; exec "$@"', 'sh'];
    assert.deepEqual(open(passing, []), [0, 1, 2]);
    assert.deepEqual(open(passing, ['--preserve-fds', '2']), [0, 1, 2, 3, 4]);
    const { stdout } = harness.succeed(['exec', '--preserve-fds=2', id, 'cat', '/proc/self/fd/4'], {
      prefix: passing,
    });
    assert.match(stdout, /^root:/);
    end();
  });

  test(`${name}: exec --detach leaves, and the process lives on`, { skip }, async () => {
    const { id, end } = container();
    const pidFile = `${harness.directory}/exec-pid`;
    harness.succeed(['exec', '--detach', '--pid-file', pidFile, id, 'sleep', '1001']);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    assert.equal(readFileSync(`/proc/${pid}/cmdline`, 'latin1'), 'sleep\x001001\0');
    assert.match(shell(id, 'ps'), /sleep 1001/);
    harness.succeed(['delete', '--force', id]);
    await harness.untilTrue(() => !isAlive(pid), 'the end of the process with its container');
    end();
    harness.assertNothingLeft();
  });

  test(`${name}: exec: it ends with its container, and delete --force does not wait for it`, {
    skip,
  }, async () => {
    const { id } = container();
    const started = harness.start(['oci', 'exec', id, 'sh', '-c', 'echo ready; exec sleep 1002']);
    await started.untilPrinted('ready');
    harness.succeed(['delete', '--force', id]);
    assert.equal((await started.end()).code, 137);
    harness.assertNothingLeft();
  });

  test(`${name}: exec passes signals on`, { skip }, async () => {
    const { id, end } = container();
    const started = harness.start([
      'oci',
      'exec',
      id,
      'sh',
      '-c',
      'trap "exit 7" TERM; echo ready; while :; do sleep 0.05; done',
    ]);
    await started.untilPrinted('ready');
    started.kill('SIGTERM');
    assert.equal((await started.end()).code, 7);
    end();
  });

  test(`${name}: exec in a created and in a paused container`, { skip }, async () => {
    const id = harness.newId();
    harness.succeed(['create', '-b', harness.bundle({}, SLEEP), id]);
    assert.equal(shell(id, 'echo here'), 'here');
    harness.succeed(['start', id]);
    harness.succeed(['pause', id]);
    const refused = harness.call(['exec', id, 'true']);
    assert.equal(refused.code, 255);
    assert.match(refused.stderr, /cannot exec in a paused container \(use --ignore-paused to override\)/);
    const started = harness.start(['oci', 'exec', '--ignore-paused', id, 'echo', 'thawed']);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(started.stdout, '');
    harness.succeed(['resume', id]);
    const { code, stdout } = await started.end();
    assert.deepEqual([code, stdout], [0, 'thawed\n']);
    harness.succeed(['kill', id, 'KILL']);
    await harness.untilStatus(id, 'stopped');
    assert.match(harness.call(['exec', id, 'true']).stderr, /cannot exec in a stopped container/);
    harness.succeed(['delete', id]);
    harness.assertNothingLeft();
  });

  test(`${name}: exec --cgroup goes below the container's cgroups and nowhere else`, { skip }, () => {
    const { id, pid, end } = container();
    const unified =
      readFileSync(`/proc/${pid}/cgroup`, 'utf8')
        .split('\n')
        .find((line) => line.startsWith('0::'))
        ?.slice(3) ?? '';
    const mount = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .find((line) => line.includes(' - cgroup2 '))
      ?.split(' ')[4];
    for (const [flags, message] of [
      [['--cgroup', '..'], /bad sub cgroup path: \.\./],
      [['--cgroup', 'whaaat:/'], /unknown controller whaaat/],
      [['--cgroup', 'none'], / adding pid .*no such file or directory/i],
    ] as const)
      assert.match(harness.call(['exec', ...flags, id, 'true']).stderr, message);
    const own = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
    const hierarchies = own.split('\n').filter((line) => line !== '' && !line.startsWith('0::'));
    const memory = hierarchies.find((line) => line.split(':')[1] === 'memory');
    if (memory !== undefined) {
      const path = `/sys/fs/cgroup/memory${memory.split(':')[2]}/below`;
      mkdirSync(path);
      const lines = shell(id, 'cat /proc/self/cgroup', '--cgroup', 'memory:below').split('\n');
      for (const line of lines) assert.match(line, line.includes(':memory:') ? /\/below$/ : /[^w]$/);
      rmdirSync(path);
    } else if (mount !== undefined) {
      const path = `${mount}${unified}/below`;
      mkdirSync(path);
      assert.match(shell(id, 'cat /proc/self/cgroup', '--cgroup', 'below'), /\/below$/);
      rmdirSync(path);
    }
    end();
  });

  test(`${name}: exec -t has a terminal of the container's`, { skip }, () => {
    const { id, end } = container();
    assert.equal(shell(id, 'tty; ls -l /proc/self/fd/0', '-t').split(/\r?\n/)[0], '/dev/pts/0');
    assert.match(shell(id, 'ls -ln $(tty)', '-t', '-u', '1000:1001'), / 1000 /);
    end();
    // What the container has in place of its devpts is not used, and gets nothing.
    const fake = container({ mounts: MOUNTS.filter(({ destination }) => !/pts/.test(String(destination))) });
    for (const made of [
      'mkfifo /dev/pts/ptmx',
      'ln -s /dev/tty /dev/pts/ptmx',
      'ln -s /dev/zero /dev/pts/ptmx',
    ]) {
      shell(fake.id, `mkdir -p /dev/pts; rm -f /dev/pts/ptmx; ${made}`);
      const { code, stdout } = harness.call(['exec', '-t', fake.id, 'echo', 'ran']);
      assert.deepEqual([code, stdout], [255, ''], made);
    }
    fake.end();
  });

  test(`${name}: exec where a container shares namespaces, or joins those of another`, { skip }, () => {
    const host = container({ linux: { namespaces: [{ type: 'mount' }] } });
    assert.equal(shell(host.id, 'readlink /proc/self/ns/pid'), readlinkSync('/proc/self/ns/pid'));
    assert.equal(shell(host.id, 'ls /home'), 'alice');
    const joining = container({
      linux: {
        namespaces: [
          ...NAMESPACES.filter(
            ({ type }) => type !== ('pid' as unknown as Part) && type !== ('network' as unknown as Part),
          ),
          { type: 'pid', path: `/proc/${host.pid}/ns/pid` },
          { type: 'network', path: `/proc/${host.pid}/ns/net` },
        ],
      },
    });
    assert.equal(shell(joining.id, LINKS).split('\n')[1], readlinkSync(`/proc/${host.pid}/ns/net`));
    joining.end();
    host.end();
    const bare = container({ mounts: [], linux: { namespaces: [] } });
    assert.equal(
      shell(bare.id, 'ls /home; pwd'),
      'alice\n/',
      "the root is the container's, without a mount namespace too",
    );
    bare.end();
    harness.assertNothingLeft();
  });

  test(`${name}: exec in a user namespace and in a time namespace`, { skip }, () => {
    const mapping = [{ containerID: 0, hostID: 100000, size: 65536 }];
    const { id, pid, end } = container({
      process: { capabilities: capabilities(['CAP_SETUID', 'CAP_SETGID', 'CAP_SYS_ADMIN']) },
      linux: {
        namespaces: [...NAMESPACES, { type: 'user' }, { type: 'time' }],
        uidMappings: mapping,
        gidMappings: mapping,
        timeOffsets: { boottime: { secs: 1_000_000, nanosecs: 0 } },
      },
    });
    assert.equal(
      shell(id, 'id -u; id -G; readlink /proc/self/ns/user'),
      `0\n0\n${readlinkSync(`/proc/${pid}/ns/user`)}`,
    );
    assert.equal(shell(id, 'id -u; id -G', '-u', '1000:1001', '-g', '5'), '1000\n1001 5');
    assert.ok(Number(shell(id, 'cut -d. -f1 /proc/uptime')) > 1_000_000);
    assert.equal(shell(id, 'grep CapEff /proc/self/status'), shell(id, 'grep CapEff /proc/1/status'));
    assert.match(shell(id, 'ls -ln $(tty)', '-t', '-u', '1000:1001'), / 1000 /);
    end();
    harness.assertNothingLeft();
  });

  const user = subordinateCaller();
  const rootless = skip || (user === undefined && 'set-up has made no user');
  test(`${name}: exec of an ordinary user`, { skip: rootless }, () => {
    const own = new OciHarness(runtime, user);
    try {
      const id = own.newId();
      const mounts = MOUNTS;
      own.succeed(['run', '-d', '-b', own.bundle({ mounts }, SLEEP), id]);
      const run = (script: string, ...flags: readonly string[]) =>
        own.succeed(['exec', ...flags, id, 'sh', '-c', script]).stdout;
      assert.equal(run('id -u; ps | grep -c "[s]leep 1000"; echo $HOME'), '0\n1\n/root\n');
      assert.match(run('tty', '-t'), /\/dev\/pts\/0/);
      const file = `${own.directory}/process.json`;
      const process = {
        user: { uid: 0, gid: 0 },
        cwd: '/',
        args: ['cat', '/proc/self/oom_score_adj'],
        env: ['PATH=/bin'],
        oomScoreAdj: 900,
      };
      writeFileSync(file, JSON.stringify(process));
      assert.equal(own.succeed(['exec', '--process', file, id]).stdout, '900\n');
      own.succeed(['delete', '--force', id]);
    } finally {
      own.close();
    }
  });
}

function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
