// What a build is given by flags alone: agents and keys for ssh, and commands without confinement.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { ROOT, skip } from '../harness/caisson.ts';
import { CALLERS } from '../images/callers.ts';
import { Site } from './site.ts';

const site = skip === false ? new Site(ROOT) : undefined;
after(() => site?.close());

const missing = spawnSync('ssh-keygen', ['-?']).error !== undefined && 'OpenSSH is not installed';

/** A fresh key pair; its fingerprint. */
function key(name: string, passphrase = ''): { path: string; fingerprint: string } {
  assert.ok(site !== undefined);
  const path = `${site.directory}/${name}`;
  spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-C', name, '-f', path]);
  const shown = spawnSync('ssh-keygen', ['-lf', `${path}.pub`], { encoding: 'utf8' }).stdout;
  return { path, fingerprint: shown.split(' ')[1] ?? '' };
}

/** Programs of this machine that have this word on their command line. */
function processes(word: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/comm`, 'latin1').trim() === word;
      } catch {
        return false;
      }
    });
}

// The client is this machine's own: busybox has none.
const LIST = 'FROM host\nRUN --mount=type=ssh ssh-add -l\nRUN --mount=type=ssh,id=two,required ssh-add -l';
const FLAGS = ['--allow', 'host.files', '-o', 'type=cacheonly'];

test('--ssh with keys: an agent that has them, and is gone after the build', {
  skip: skip || missing,
}, async () => {
  assert.ok(site !== undefined);
  const before = new Set(processes('ssh-agent'));
  const [a, b, c] = [key('a'), key('b'), key('c')];
  const ended = site.build(LIST, {}, [
    ...FLAGS,
    '--ssh',
    `default=${a.path},${b.path}`,
    '--ssh',
    `two=${c.path}`,
  ]);
  assert.equal(ended.code, 0, ended.stderr);
  const shown = [...ended.stderr.matchAll(/ (SHA256:\S+) (\w) /g)].map(([, print, name]) => [name, print]);
  assert.deepEqual(shown, [
    ['a', a.fingerprint],
    ['b', b.fingerprint],
    ['c', c.fingerprint],
  ]);
  const left = () => processes('ssh-agent').filter((pid) => !before.has(pid));
  // Of its own it would look for the build after ten seconds.
  for (let tries = 0; tries < 200 && left().length > 0; tries++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(left(), []);
});

test("--ssh with a socket: the caller's own agent", { skip: skip || missing }, async () => {
  assert.ok(site !== undefined);
  const { path, fingerprint } = key('own');
  const socket = `${site.directory}/own.socket`;
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  try {
    for (let tries = 0; tries < 200; tries++) {
      if (spawnSync('ssh-add', ['-q', path], { env: { SSH_AUTH_SOCK: socket } }).status === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const { code, stderr } = site.build(LIST, {}, [...FLAGS, '--ssh', 'default', '--ssh', `two=${socket}`], {
      env: { SSH_AUTH_SOCK: socket },
    });
    assert.equal(code, 0, stderr);
    assert.equal(stderr.split(fingerprint).length, 3);
  } finally {
    agent.kill();
  }
});

test('--ssh: what is no key, a passphrase, what was not given', { skip: skip || missing }, () => {
  assert.ok(site !== undefined);
  const locked = key('locked', 'canary-passphrase');
  const text = site.file('text', 'no key\n');
  for (const [flags, pattern] of [
    [['--ssh', `default=${locked.path}`], /2:1: .*locked: no key that an agent takes/],
    [['--ssh', `default=${text}`], /2:1: .*text: no key that an agent takes/],
    [['--ssh', `default=${site.directory}`], /invalid --ssh .*is neither the socket of an agent nor a key/],
    [['--ssh', 'two'], /invalid --ssh two: there is no agent/],
    [['--ssh', `default=${key('some').path}`], /3:5: --mount: the agent two was not given/],
  ] as const) {
    const { code, stderr } = site.build(LIST, {}, [...FLAGS, ...flags], { env: { SSH_AUTH_SOCK: '' } });
    assert.notEqual(code, 0);
    assert.match(stderr, pattern);
    assert.doesNotMatch(stderr, /PRIVATE KEY/);
  }
});

for (const { who, caller, skip: reason } of CALLERS) {
  test(`--security=insecure: all capabilities, and no filter, once it is allowed (${who})`, {
    skip: reason,
  }, () => {
    const own = new Site(caller);
    try {
      const dockerfile =
        "FROM bb\nRUN --security=insecure grep -E '^(CapEff|Seccomp|NoNewPrivs):' /proc/self/status\nRUN grep ^CapEff /proc/self/status";
      const refused = own.build(dockerfile);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /2:5: security.insecure is not allowed: --allow security.insecure/);
      const { code, stderr } = own.build(dockerfile, {}, ['--allow', 'security.insecure']);
      assert.equal(code, 0, stderr);
      const found = [...stderr.matchAll(/ (\w+):\t(\w+)$/gm)].map(([, name, value]) => [name, value]);
      const [all, ...rest] = found.map(([name, value]) => (name === 'CapEff' ? BigInt(`0x${value}`) : value));
      assert.ok(typeof all === 'bigint' && (all & (1n << 21n)) !== 0n, stderr);
      assert.deepEqual(rest.slice(0, 2), ['0', '0']);
      assert.ok(typeof rest[2] === 'bigint' && (rest[2] & (1n << 21n)) === 0n, stderr);
    } finally {
      own.close();
    }
  });
}
