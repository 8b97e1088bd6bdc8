// Hooks of all six kinds: when and where they run, what they are told, and what happens when one fails.
//
// config.md POSIX-platform Hooks, runtime.md Lifecycle.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { after, test } from 'node:test';
import { subordinateCaller } from '../harness/caisson.ts';
import { OciHarness, RUNTIMES } from './runtime.ts';

const KINDS = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const;
type Kind = (typeof KINDS)[number];

const STATUS: Readonly<Record<Kind, string>> = {
  prestart: 'creating',
  createRuntime: 'creating',
  createContainer: 'creating',
  startContainer: 'created',
  poststart: 'running',
  poststop: 'stopped',
};

interface Hook {
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  readonly timeout?: number;
}

function shell(script: string, more: Partial<Hook> = {}): Hook {
  return { path: '/bin/sh', args: ['sh', '-c', script], ...more };
}

/** A hook of each kind that says where it is: in a file of the host, or of the root for startContainer. */
function spies(directory: string, tag: string): Record<Kind, Hook[]> {
  const spy = (kind: Kind) => {
    const file = kind === 'startContainer' ? `/tmp/${tag}` : `${directory}/${tag}`;
    const facts = ['uts', 'mnt', 'pid', 'net'].map((name) => `readlink /proc/self/ns/${name}`).join('; ');
    const own = kind === 'startContainer' ? 'id -u' : 'echo host';
    return [
      shell(
        `{ echo ${kind}; pwd; ${facts}; ${own}; cat; echo; } >>${file}; echo ${kind} >>${file}.order`,
        kind === 'startContainer' ? {} : { env: [`KIND=${kind}`] },
      ),
    ];
  };
  return Object.fromEntries(KINDS.map((kind) => [kind, spy(kind)])) as Record<Kind, Hook[]>;
}

interface Seen {
  readonly cwd: string;
  readonly uts: string;
  readonly mnt: string;
  readonly pid: string;
  readonly net: string;
  readonly user: string;
  readonly state: {
    readonly status: string;
    readonly pid?: number;
    readonly id: string;
    readonly bundle: string;
  };
}

const LINES = 8;

function seen(file: string): Map<string, Seen> {
  const lines = readFileSync(file, 'utf8').split('\n');
  const found = new Map<string, Seen>();
  for (let at = 0; at + LINES <= lines.length; at += LINES) {
    const [kind = '', cwd = '', uts = '', mnt = '', pid = '', net = '', user = '', state = '{}'] =
      lines.slice(at);
    found.set(kind, { cwd, uts, mnt, pid, net, user, state: JSON.parse(state) as Seen['state'] });
  }
  return found;
}

const host = (name: string) => readlinkSync(`/proc/self/ns/${name}`);

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());
  if (skip === false) chmodSync(`${harness.rootfs}/tmp`, 0o1777);
  let count = 0;
  const newTag = () => `hooks-${process.pid}-${count++}`;

  /** Where each hook was: called by create, start and delete, or by run. */
  function check(bundle: string, tag: string, id: string, pid: number | undefined): void {
    const outside = seen(`${harness.directory}/${tag}`);
    const inside = seen(`${harness.rootfs}/tmp/${tag}`);
    const all = new Map([...outside, ...inside]);
    assert.deepEqual([...all.keys()].sort(), [...KINDS].sort());
    const order = (file: string) => readFileSync(`${file}.order`, 'utf8').trim().split('\n');
    assert.deepEqual(
      order(`${harness.directory}/${tag}`),
      KINDS.filter((kind) => kind !== 'startContainer'),
    );
    for (const kind of KINDS) {
      const at = all.get(kind);
      assert.ok(at !== undefined);
      assert.equal(at.state.status, STATUS[kind], kind);
      assert.equal(at.state.id, id);
      assert.equal(at.state.bundle, bundle);
      const onHost = kind !== 'createContainer' && kind !== 'startContainer';
      for (const namespace of ['uts', 'mnt', 'pid'] as const)
        assert.equal(at[namespace] === host(namespace), onHost, `${kind} ${namespace}`);
      assert.equal(at.net, host('net'), 'the container has no network namespace of its own');
      if (kind === 'createContainer' || kind === 'startContainer') assert.equal(at.state.pid, 1, kind);
      else if (kind !== 'poststop' && pid !== undefined) assert.equal(at.state.pid, pid, kind);
    }
    const cwd = (kind: Kind) => all.get(kind)?.cwd;
    for (const kind of ['prestart', 'createRuntime', 'poststart', 'poststop'] as const)
      assert.equal(cwd(kind), bundle, kind);
    assert.equal(cwd('createContainer'), harness.rootfs);
    assert.equal(cwd('startContainer'), '/home');
    assert.equal(all.get('startContainer')?.user, '1000', 'a startContainer hook is the user of the process');
  }

  const linux = { namespaces: ['mount', 'pid', 'uts', 'ipc'].map((type) => ({ type })) };
  const asAlice = { cwd: '/home', user: { uid: 1000, gid: 1000 } };

  test(`${name}: a poststart hook may use the runtime on its container`, { skip }, () => {
    const [tag, id] = [newTag(), harness.newId()];
    const said = `${harness.directory}/${tag}`;
    const line = harness.commandLine(['oci', 'exec', id, 'echo', 'inside']).map((word) => `'${word}'`);
    const script = `timeout 10 ${line.join(' ')} > ${said} 2>&1 < /dev/null`;
    const poststart = [{ path: '/bin/sh', args: ['sh', '-c', script] }];
    harness.succeed(['create', '-b', harness.bundle({ hooks: { poststart } }, 'sleep 60'), id]);
    harness.succeed(['start', id]);
    assert.equal(readFileSync(said, 'utf8'), 'inside\n');
    harness.succeed(['delete', '-f', id]);
  });

  test(`${name}: create, start and delete run the six kinds in order and place`, { skip }, async () => {
    const [tag, id] = [newTag(), harness.newId()];
    const hooks = spies(harness.directory, tag);
    const bundle = harness.bundle({ hooks, linux, process: { ...asAlice, args: ['sleep', '1000'] } });
    harness.succeed(['create', '--bundle', bundle, id]);
    const { pid } = harness.stateOf(id);
    assert.ok(!existsSync(`${harness.rootfs}/tmp/${tag}`), 'startContainer belongs to start');
    assert.ok(!seen(`${harness.directory}/${tag}`).has('poststart'));
    harness.succeed(['start', id]);
    assert.ok(!seen(`${harness.directory}/${tag}`).has('poststop'));
    harness.succeed(['delete', '--force', id]);
    check(bundle, tag, id, pid);
    harness.assertNothingLeft();
  });

  test(`${name}: run and run --detach run them too`, { skip }, async () => {
    for (const detach of [false, true]) {
      const [tag, id] = [newTag(), harness.newId()];
      const hooks = spies(harness.directory, tag);
      const args = detach ? ['sleep', '1000'] : ['true'];
      const bundle = harness.bundle({ hooks, linux, process: { ...asAlice, args } });
      harness.succeed(['run', ...(detach ? ['--detach'] : []), '--bundle', bundle, id]);
      if (detach) harness.succeed(['delete', '--force', id]);
      check(bundle, tag, id, undefined);
      harness.assertNothingLeft();
    }
  });

  /** A bundle in which the second hook of a kind fails, and poststop hooks that leave a trace. */
  function failing(kind: Kind, hook: Hook, tag: string): string {
    const poststop = [shell(`echo stopped >>${harness.directory}/${tag}`)];
    const hooks = { poststop, [kind]: [{ path: '/bin/true' }, hook] };
    return harness.bundle({ hooks, linux }, `echo ran >/tmp/${tag}; exec sleep 1000`);
  }

  for (const kind of KINDS.slice(0, 5)) {
    test(`${name}: a ${kind} hook that fails ends the container, and poststop hooks run`, { skip }, () => {
      const word = `error running ${kind} hook #1: exit status 3, stdout: out`;
      for (const command of ['run', 'run -d', 'create']) {
        const [tag, id] = [newTag(), harness.newId()];
        // The program has been executed by then; that it has come to its first word is waited for.
        const wait =
          kind === 'poststart'
            ? `for i in $(seq 100); do [ -e ${harness.rootfs}/tmp/${tag} ] && break; sleep 0.1; done; `
            : '';
        const bundle = failing(kind, shell(`${wait}echo out; echo err >&2; exit 3`), tag);
        const early = kind !== 'startContainer' && kind !== 'poststart';
        if (command === 'create' && !early) harness.succeed(['create', '--bundle', bundle, id]);
        const ended =
          command === 'create' && !early
            ? harness.call(['start', id])
            : harness.call([...command.split(' '), '--bundle', bundle, id]);
        assert.equal(ended.code, 1, `${command}: ${ended.stderr}`);
        assert.ok(ended.stderr.includes(word), `${command}: ${ended.stderr}`);
        assert.match(ended.stderr, /stderr: err/);
        assert.equal(
          existsSync(`${harness.rootfs}/tmp/${tag}`),
          kind === 'poststart',
          `${command}: the program`,
        );
        assert.equal(readFileSync(`${harness.directory}/${tag}`, 'utf8'), 'stopped\n', command);
        assert.deepEqual(readdirSync(harness.state), [], command);
        harness.assertNothingLeft();
      }
    });
  }

  test(`${name}: poststop hooks that fail are warned of, and the others run`, { skip }, () => {
    const [tag, id] = [newTag(), harness.newId()];
    const file = `${harness.directory}/${tag}`;
    const poststop = [shell('exit 4'), { path: '/nonexistent' }, shell(`echo last >${file}`)];
    const bundle = harness.bundle({ hooks: { poststop }, linux }, 'exec sleep 1000');
    harness.succeed(['run', '--detach', '--bundle', bundle, id]);
    const { stderr } = harness.succeed(['delete', '--force', id]);
    assert.match(stderr, /level=warning msg="error running poststop hook #0: exit status 4/);
    assert.match(stderr, /poststop hook #1: fork\/exec \/nonexistent: no such file or directory/);
    assert.equal(readFileSync(file, 'utf8'), 'last\n');
  });

  test(`${name}: a hook that hangs is killed when its time is over, with what it has started`, {
    skip,
  }, () => {
    for (const kind of ['createRuntime', 'createContainer', 'startContainer'] as const) {
      const began = Date.now();
      const tag = newTag();
      const bundle = failing(kind, shell('sleep 4321; true', { timeout: 1 }), tag);
      const { code, stderr } = harness.call(['run', '--bundle', bundle, harness.newId()]);
      assert.equal(code, 1);
      assert.ok(stderr.includes(`${kind} hook #1: hook ran past specified timeout of 1.0s`), stderr);
      assert.ok(Date.now() - began < 10_000);
      harness.assertNothingLeft();
    }
  });

  test(`${name}: a hook that kills its launcher has failed, and the next poststop hook runs`, {
    skip,
  }, () => {
    const file = `${harness.directory}/${newTag()}`;
    const suicide = shell('kill -KILL $PPID; sleep 1');
    for (const kind of ['createRuntime', 'createContainer', 'poststart'] as const) {
      const hooks = { [kind]: [suicide], poststop: [suicide, shell(`echo ${kind} >>${file}`)] };
      const bundle = harness.bundle({ hooks, linux }, 'exec sleep 1000');
      const { code, stderr } = harness.call(['run', '--bundle', bundle, harness.newId()]);
      assert.equal(code, 1, `${kind}: ${stderr}`);
      assert.ok(readFileSync(file, 'utf8').endsWith(`${kind}\n`), `${kind}: ${stderr}`);
      assert.deepEqual(readdirSync(harness.state), []);
      harness.assertNothingLeft();
    }
  });

  test(`${name}: argv is the configured one, whatever it is`, { skip }, () => {
    const hook = { path: '/bin/busybox', args: ['cat', '/nosuchfile'] };
    const bundle = harness.bundle({ hooks: { startContainer: [hook] }, linux }, 'true');
    const { stderr } = harness.call(['run', '--bundle', bundle, harness.newId()]);
    assert.match(stderr, /hook #0: exit status 1, stdout: , stderr: cat: can't open '\/nosuchfile'/);
  });

  test(`${name}: output goes to the files that annotations name`, { skip }, () => {
    const directory = harness.makeDirectory('output');
    const annotations = {
      'run.oci.hooks.stdout': `${directory}/out`,
      'run.oci.hooks.stderr': `${directory}/err`,
    };
    const say = shell('echo said; echo complained >&2');
    const hooks = { createRuntime: [say], createContainer: [say], startContainer: [say] };
    const bundle = harness.bundle({ annotations, hooks, linux }, 'true');
    harness.succeed(['run', '--bundle', bundle, harness.newId()]);
    assert.equal(readFileSync(`${directory}/out`, 'utf8'), 'said\n'.repeat(3));
    assert.equal(readFileSync(`${directory}/err`, 'utf8'), 'complained\n'.repeat(3));
  });

  test(`${name}: what a createContainer hook mounts, the container has; a read-only root is still written to`, {
    skip,
  }, () => {
    const hook = shell(
      'mkdir -p tmp/grown && mount -t tmpfs -o size=64k grown tmp/grown && echo hi >tmp/grown/x',
    );
    const parts = { hooks: { createContainer: [hook] }, linux, root: { readonly: true } };
    const bundle = harness.bundle(parts, 'cat /tmp/grown/x; echo no >/refused');
    const { stdout, stderr } = harness.call(['run', '--bundle', bundle, harness.newId()]);
    assert.match(stdout, /^hi/m, stderr);
    assert.match(stderr, /Read-only file system/);
    harness.assertNothingLeft();
  });

  const user = skip === false ? subordinateCaller() : undefined;
  const noUser = skip || (user === undefined && 'there is no user with subordinate ids');
  test(`${name}: an ordinary user's container runs its hooks in its user namespace`, { skip: noUser }, () => {
    const own = new OciHarness(runtime, user);
    try {
      const map = (hostID = 0) => [{ containerID: 0, hostID, size: 1 }];
      const [uidMappings, gidMappings] = [map(user?.uid), map(user?.gid)];
      const namespaces = ['user', 'mount', 'pid', 'uts', 'ipc'].map((type) => ({ type }));
      const tell = shell('id -u; cat /proc/self/uid_map; exit 9');
      for (const kind of ['createContainer', 'startContainer'] as const) {
        for (const command of [['run'], ['run', '-d']]) {
          const hooks = { [kind]: [tell] };
          const parts = { hooks, linux: { namespaces, uidMappings, gidMappings, resources: {} } };
          const bundle = own.bundle(parts, 'true');
          const { code, stderr } = own.call([...command, '--bundle', bundle, own.newId()]);
          assert.equal(code, 1);
          const said = `${kind} hook #0: exit status 9, stdout: 0`;
          assert.ok(stderr.includes(said), `${kind} ${command.join(' ')}: ${stderr}`);
          assert.match(stderr, new RegExp(`0 +${user?.uid} +1`));
        }
      }
    } finally {
      own.close();
    }
  });
}
