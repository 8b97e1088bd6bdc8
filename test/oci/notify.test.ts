// SCMP_ACT_NOTIFY with a real agent: what it is told, that it decides, and that nothing of the hand-over is left.
//
// config-linux.md, Seccomp and The Container Process State.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { subordinateCaller } from '../harness/caisson.ts';
import { OciHarness, RUNTIMES } from './runtime.ts';

const EXDEV = 18;

/** What busybox says of EXDEV. */
const REFUSED = /can't create directory '\/tmp\/[a-z]+': (?:Invalid cross-device link|Cross-device link)/;

interface Told {
  readonly descriptors: number;
  readonly closed: boolean;
  readonly state: {
    readonly ociVersion: string;
    readonly fds: readonly string[];
    readonly pid: number;
    readonly metadata?: string;
    readonly state: {
      readonly id: string;
      readonly status: string;
      readonly pid: number;
      readonly bundle: string;
      readonly annotations?: Readonly<Record<string, string>>;
    };
  };
}

let built: string | undefined;

/** The compiled agent.c. */
function agentProgram(directory: string): string {
  built ??= `${directory}/agent`;
  if (!existsSync(built)) {
    const source = `${process.cwd()}/test/oci/agent.c`;
    execFileSync('gcc', ['-O1', '-static', '-o', built, source], { stdio: 'inherit' });
  }
  return built;
}

class Agent {
  readonly path: string;
  private readonly child: ChildProcess;
  private printed = '';

  constructor(harness: OciHarness, answer: string) {
    this.path = `${harness.makeDirectory('agent')}/socket`;
    this.child = spawn(agentProgram(harness.directory), [this.path, answer], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.printed += chunk.toString('utf8');
    });
  }

  async until(holds: () => boolean, what: string): Promise<void> {
    for (let tries = 0; tries < 500 && !holds(); tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    assert.ok(holds(), `waited in vain for ${what}: ${this.printed}`);
  }

  async ready(): Promise<void> {
    await this.until(() => this.printed.startsWith('ready'), 'the agent');
    chmodSync(this.path, 0o777);
  }

  get told(): Told[] {
    return this.lines('state').map((line) => {
      const [, descriptors, closed, text = ''] = /^(\d+) (\d) (.*)$/.exec(line) ?? [];
      return {
        descriptors: Number(descriptors),
        closed: closed === '1',
        state: JSON.parse(text) as Told['state'],
      };
    });
  }

  lines(word: string): string[] {
    return this.printed
      .split('\n')
      .filter((line) => line.startsWith(`${word} `))
      .map((line) => line.slice(word.length + 1));
  }

  close(): void {
    this.child.kill('SIGKILL');
  }
}

/** Everybody in the cgroups of a process. */
function companionsOf(pid: number): number[] {
  const cgroup = (process: string | number) => {
    try {
      return readFileSync(`/proc/${process}/cgroup`, 'utf8');
    } catch {
      return undefined;
    }
  };
  const own = cgroup(pid);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && cgroup(name) === own)
    .map(Number);
}

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());

  function parts(agent: Agent, noNewPrivileges: boolean, more: Record<string, unknown> = {}) {
    const syscalls = [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_NOTIFY' }];
    const seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      listenerPath: agent.path,
      listenerMetadata: 'says "hello"',
      syscalls,
    };
    const namespaces = ['mount', 'pid', 'uts', 'ipc'].map((type) => ({ type }));
    return {
      annotations: { 'org.example': 'x' },
      process: { noNewPrivileges },
      linux: { namespaces, seccomp, ...more },
    };
  }

  for (const noNewPrivileges of [true, false]) {
    const how = noNewPrivileges ? 'with no_new_privs' : 'without no_new_privs';

    test(`${name}: run, ${how}: the agent decides`, { skip }, async () => {
      const agent = new Agent(harness, String(EXDEV));
      try {
        await agent.ready();
        const id = harness.newId();
        const script =
          'mkdir /tmp/one; sh -c "mkdir /tmp/two"; echo /proc/[0-9]*; ls -l /proc/self/fd; exit 7';
        const bundle = harness.bundle(parts(agent, noNewPrivileges), script);
        const { code, stdout, stderr } = harness.call(['run', '--bundle', bundle, id]);
        assert.equal(code, 7, stderr);
        assert.match(stderr, REFUSED);
        assert.match(stdout, /^\/proc\/1$/m, 'nobody else is in the pid namespace');
        assert.doesNotMatch(stdout, /socket|anon_inode/);
        await agent.until(() => agent.lines('notified').length === 2, 'two calls');
        const [told, ...others] = agent.told;
        assert.ok(told !== undefined);
        assert.deepEqual(others, []);
        assert.equal(told.descriptors, 1);
        assert.ok(told.closed, 'one state for each connection');
        const { pid, state, ...rest } = told.state;
        assert.deepEqual(rest, { ociVersion: '1.3.0', fds: ['seccompFd'], metadata: 'says "hello"' });
        assert.equal(state.pid, pid);
        assert.deepEqual([state.id, state.status, state.bundle], [id, 'creating', bundle]);
        assert.deepEqual(state.annotations, { 'org.example': 'x' });
        harness.assertNothingLeft();
      } finally {
        agent.close();
      }
    });

    test(`${name}: create, start and exec, ${how}`, { skip }, async () => {
      const agent = new Agent(harness, String(EXDEV));
      try {
        await agent.ready();
        const id = harness.newId();
        const bundle = harness.bundle(parts(agent, noNewPrivileges), 'mkdir /tmp/one; exec sleep 1000');
        const { file } = harness.succeed(['create', '--bundle', bundle, id]);
        const { pid } = harness.stateOf(id);
        await agent.until(() => agent.told.length === 1, 'the state');
        assert.equal(agent.told[0]?.state.pid, pid);
        assert.deepEqual(companionsOf(pid), [pid]);
        harness.succeed(['start', id]);
        await agent.until(() => agent.lines('notified').length === 1, 'the call of the program');
        assert.equal(readFileSync(file, 'utf8'), '');

        const { code, stderr } = harness.call(['exec', id, 'mkdir', '/tmp/exec']);
        assert.equal(code, 1);
        assert.match(stderr, REFUSED);
        await agent.until(() => agent.told.length === 2, 'the state of exec');
        const last = agent.told.at(-1)?.state;
        assert.equal(last?.state.pid, pid, 'the container is the same');
        assert.notEqual(last?.pid, pid, 'the process is another');
        assert.equal(last?.state.status, 'running');
        const { stdout } = harness.succeed(['exec', id, 'sh', '-c', 'echo /proc/[0-9]*']);
        assert.match(stdout, /^\/proc\/1 \/proc\/\d+\n$/);
        assert.deepEqual(companionsOf(pid), [pid]);
        harness.succeed(['delete', '--force', id]);
        harness.assertNothingLeft();
      } finally {
        agent.close();
      }
    });

    test(`${name}: an agent that hangs up, or is not there, ends the start, ${how}`, { skip }, async () => {
      const agent = new Agent(harness, 'close');
      try {
        await agent.ready();
        for (const command of [['run'], ['run', '-d'], ['create']]) {
          const bundle = harness.bundle(parts(agent, noNewPrivileges), 'true');
          let ended = harness.call([...command, '--bundle', bundle, harness.newId()]);
          // An agent that is slower than the start hangs up too late for anybody to see it.
          for (let tries = 0; ended.code === 0 && tries < 50; tries++) {
            for (const id of readdirSync(harness.state)) harness.call(['delete', '--force', id]);
            ended = harness.call([...command, '--bundle', bundle, harness.newId()]);
          }
          assert.equal(ended.code, 1, ended.stdout);
          assert.match(ended.stderr, /send the listener to the agent: broken pipe/);
          assert.deepEqual(readdirSync(harness.state), []);
          harness.assertNothingLeft();
        }
      } finally {
        agent.close();
      }
      const bundle = harness.bundle(parts(agent, noNewPrivileges), 'true');
      const { code, stderr } = harness.call(['create', '--bundle', bundle, harness.newId()]);
      assert.equal(code, 1);
      assert.match(stderr, /connect to the agent at .*: connection refused/);
      harness.assertNothingLeft();
    });

    test(`${name}: a program that cannot be executed is still the error, ${how}`, { skip }, async () => {
      const agent = new Agent(harness, String(EXDEV));
      try {
        await agent.ready();
        for (const args of [['/nonexistent'], ['/etc/passwd']]) {
          const given = parts(agent, noNewPrivileges);
          const bundle = harness.bundle({ ...given, process: { noNewPrivileges, args } });
          for (const command of ['run', 'create']) {
            const { code, stderr } = harness.call([command, '--bundle', bundle, harness.newId()]);
            assert.equal(code, 1);
            assert.match(stderr, /no such file or directory|permission denied/);
            assert.deepEqual(readdirSync(harness.state), []);
          }
        }
        harness.assertNothingLeft();
      } finally {
        agent.close();
      }
    });
  }

  test(`${name}: in a pid namespace of another container the agent is told the host's number`, {
    skip,
  }, async () => {
    const agent = new Agent(harness, String(EXDEV));
    const [first, second] = [harness.newId(), harness.newId()];
    try {
      await agent.ready();
      harness.succeed(['run', '-d', '--bundle', harness.bundle({}, 'exec sleep 1000'), first]);
      const path = `/proc/${harness.stateOf(first).pid}/ns/pid`;
      const namespaces = [{ type: 'mount' }, { type: 'pid', path }];
      const bundle = harness.bundle(parts(agent, true, { namespaces }), 'mkdir /tmp/one; exec sleep 1000');
      harness.succeed(['run', '-d', '--bundle', bundle, second]);
      await agent.until(() => agent.lines('notified').length === 1, 'the call');
      const { pid } = harness.stateOf(second);
      assert.equal(agent.told[0]?.state.pid, pid);
      assert.deepEqual(companionsOf(pid), [pid]);
    } finally {
      for (const id of [second, first]) harness.call(['delete', '--force', id]);
      agent.close();
    }
    harness.assertNothingLeft();
  });

  test(`${name}: a startContainer hook has no agent: its calls are not there`, { skip }, async () => {
    const agent = new Agent(harness, String(EXDEV));
    try {
      await agent.ready();
      const hook = { path: '/bin/mkdir', args: ['mkdir', '/tmp/hook'] };
      const given = { ...parts(agent, true), hooks: { startContainer: [hook] } };
      const { stderr } = harness.call(['run', '--bundle', harness.bundle(given), harness.newId()]);
      assert.match(stderr, /startContainer hook #0: .*Function not implemented/);
    } finally {
      agent.close();
    }
  });

  const user = skip === false ? subordinateCaller() : undefined;
  const noUser = skip || (user === undefined && 'there is no user with subordinate ids');
  test(`${name}: an ordinary user has an agent too`, { skip: noUser }, async () => {
    const own = new OciHarness(runtime, user);
    const agent = new Agent(own, String(EXDEV));
    try {
      await agent.ready();
      const map = (hostID = 0) => [{ containerID: 0, hostID, size: 1 }];
      const namespaces = ['user', 'mount', 'pid', 'uts', 'ipc'].map((type) => ({ type }));
      const maps = { uidMappings: map(user?.uid), gidMappings: map(user?.gid) };
      const given = parts(agent, true, { namespaces, ...maps, resources: {} });
      const bundle = own.bundle(given, 'mkdir /tmp/one; exit 5');
      const { code, stderr } = own.call(['run', '--bundle', bundle, own.newId()]);
      assert.equal(code, 5, stderr);
      assert.match(stderr, REFUSED);
    } finally {
      agent.close();
      own.close();
    }
  });
}
