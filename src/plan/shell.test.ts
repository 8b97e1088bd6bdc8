// Scripts of `plan --sh`: quoting, comments, here-documents, environment, and what of a configuration becomes what.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleSpec } from '../spec/defaults.ts';
import type { Spec } from '../spec/runtime-spec.ts';
import { slot } from './call.ts';
import { ROOT_FACTS } from './facts.testing.ts';
import type { HostFacts } from './facts.ts';
import { comment, hereDocument, quote, words } from './shell/quote.ts';
import { planShell } from './shell.ts';
import { type Plan, type Step, step } from './step.ts';
import * as sys from './syscalls.ts';

const FACTS: HostFacts = {
  ...ROOT_FACTS,
  uid: 1000,
  gid: 1000,
  privileged: false,
  permitted: [0, 0],
  files: new Map(),
};

const plan = (...steps: readonly Step[]): Plan => ({ steps });

function script(change: (spec: Spec) => Spec, made: Plan = plan(), showSecrets = false): string {
  return planShell(change(exampleSpec()), { plan: made, facts: FACTS, showSecrets });
}

test('words are quoted where a shell would read more into them', () => {
  assert.equal(quote('/srv/data-1_x.y:z=@%+,'), '/srv/data-1_x.y:z=@%+,');
  assert.equal(quote(''), "''");
  assert.equal(quote("it's"), "'it'\\''s'");
  assert.equal(words('echo', '$(x)', '`x`', '~', 'a b'), "echo '$(x)' '`x`' '~' 'a b'");
});

test('a comment is one line, whatever it holds', () => {
  assert.equal(comment('a\nrm -rf /\r\x1b'), '# a?rm -rf /??');
});

test('no line of a here-document is its end', () => {
  const { end, text } = hereDocument('CAISSON\nCAISSON_\n');
  assert.equal(end, 'CAISSON__');
  assert.equal(text, 'CAISSON\nCAISSON_\nCAISSON__\n');
});

test('values of the environment come from the caller unless they are shown', () => {
  const change = (spec: Spec): Spec => ({
    ...spec,
    process: { user: { uid: 0, gid: 0 }, cwd: '/', args: ['/x'], env: ['TOKEN=hunter2', 'a-b=1', 'NONE'] },
  });
  const masked = script(change);
  assert.ok(!masked.includes('hunter2'));
  assert.match(masked, /exec env -i TOKEN="\$\{TOKEN-\}" "\$capsh"/);
  assert.match(script(change, plan(), true), /exec env -i TOKEN=hunter2 a-b=1 "\$capsh"/);
});

test('namespaces become flags of unshare, joined ones of nsenter', () => {
  const namespaces = [
    { type: 'pid' },
    { type: 'network', path: '/run/net ns' },
    { type: 'mount' },
    { type: 'user' },
    { type: 'time' },
  ] as const;
  const made = script((spec) => ({
    ...spec,
    linux: { namespaces, timeOffsets: { boottime: { secs: 5, nanosecs: 0 } } },
  }));
  assert.match(
    made,
    /exec nsenter '--net=\/run\/net ns' unshare --user --mount --pid --time --propagation=slave --fork --kill-child --map-root-user --boottime=5 sh -eu/,
  );
  const mapped = script((spec) => ({
    ...spec,
    linux: {
      namespaces: [{ type: 'user' }],
      uidMappings: [{ containerID: 0, hostID: 100000, size: 10 }],
      gidMappings: [{ containerID: 0, hostID: 100000, size: 10 }],
    },
  }));
  assert.match(mapped, /--map-users=100000,0,10 --map-groups=100000,0,10/);
});

test('without a mount namespace nothing is mounted', () => {
  const made = script((spec) => ({ ...spec, linux: { namespaces: [{ type: 'pid' }] } }));
  assert.ok(!/^mount /m.test(made), made);
  assert.match(made, /^cd rootfs$/m);
});

test('masks, devices and names take the paths as they are, quoted', () => {
  const made = script((spec) => ({
    ...spec,
    hostname: "o'hara",
    linux: {
      namespaces: [{ type: 'mount' }, { type: 'uts' }],
      maskedPaths: ['/a b'],
      devices: [{ path: '/dev/x y', type: 'b', major: 8, minor: 1, fileMode: 0o600, uid: 5 }],
    },
  }));
  assert.match(made, /^hostname 'o'\\''hara'$/m);
  assert.match(made, /^if \[ -d '\.\/a b' \]; then mount -t tmpfs/m);
  assert.match(made, /^mknod -m 600 '\.\/dev\/x y' b 8 1$/m);
  assert.match(made, /^chown 5:0 '\.\/dev\/x y'$/m);
});

test('cgroups are made, written and joined as the plan does it', () => {
  const [limit, procs] = [slot('limit'), slot('procs')];
  const made = script(
    (spec) => spec,
    plan(
      step('parent', 'cgroup-create', 'make', '/x', [sys.mkdirat(-100, '/cg/a b', 0o755)]),
      step('parent', 'cgroup-limit', 'limit', '/x', [
        sys.openat(-100, '/cg/a b/pids.max', 1, 0, { result: limit }),
        sys.write(limit, '20'),
      ]),
      step('parent', 'cgroup-open', 'open', '/x', [
        sys.openat(-100, '/cg/a b/cgroup.procs', 1, 0, { result: procs }),
      ]),
      step('child', 'cgroup-join', 'join', '/x', [sys.write(procs, '0')]),
    ),
  );
  assert.match(made, /mkdir -p '\/cg\/a b'\necho 20 > '\/cg\/a b\/pids\.max'/);
  assert.match(made, /set -e\necho 0 > '\/cg\/a b\/cgroup\.procs'\nexec unshare/);
  assert.match(made, /status=\$\?\nrmdir '\/cg\/a b'\nexit \$status\n$/);
});

test('what is left out stands at the top', () => {
  const made = script((spec) => ({
    ...spec,
    linux: { ...spec.linux, seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } },
    mounts: [{ destination: '/x', source: '/y', options: ['bind', 'rro', 'idmap'] }],
  }));
  assert.match(made, /^# {3}the seccomp filter$/m);
  assert.match(made, /^# {3}the terminal: it has yours$/m);
  assert.match(made, /^# {3}the options rro, idmap of \/x$/m);
});
