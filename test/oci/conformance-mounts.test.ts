// Each mount option that can be seen, by what it does to a tree of mounts (config.md, Linux mount options).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { after, test } from 'node:test';
import { MOUNTS } from '../harness/caisson.ts';
import { OciHarness, RUNTIMES } from './runtime.ts';

/** What mountinfo must have of the mount and of the one below it: `+` is there, `-` is not. */
interface Seen {
  /** How the source is mounted beforehand. */
  readonly from?: string;
  readonly top?: string;
  readonly below?: string;
}

/** [option, what is seen]; the plain ones leave the mount below alone. */
const OPTIONS: readonly (readonly [string, Seen])[] = [
  ['ro', { top: '+ro', below: '-ro' }],
  ['rw', { from: 'ro', top: '-ro', below: '+ro' }],
  ['nosuid', { top: '+nosuid', below: '-nosuid' }],
  ['suid', { from: 'nosuid', top: '-nosuid', below: '+nosuid' }],
  ['nodev', { top: '+nodev', below: '-nodev' }],
  ['dev', { from: 'nodev', top: '-nodev', below: '+nodev' }],
  ['noexec', { top: '+noexec', below: '-noexec' }],
  ['exec', { from: 'noexec', top: '-noexec', below: '+noexec' }],
  ['noatime', { top: '+noatime', below: '-noatime' }],
  ['atime', { from: 'noatime', top: '-noatime', below: '+noatime' }],
  ['nodiratime', { top: '+nodiratime', below: '-nodiratime' }],
  ['diratime', { from: 'nodiratime', top: '-nodiratime', below: '+nodiratime' }],
  ['relatime', { from: 'noatime', top: '+relatime', below: '+noatime' }],
  ['strictatime', { top: '-relatime', below: '+relatime' }],
  ['nostrictatime', { from: 'strictatime', top: '+relatime', below: '-relatime' }],
  ['nosymfollow', { top: '+nosymfollow', below: '-nosymfollow' }],
  ['symfollow', { from: 'nosymfollow', top: '-nosymfollow', below: '+nosymfollow' }],
  ['rro', { top: '+ro', below: '+ro' }],
  ['rrw', { from: 'ro', top: '-ro', below: '-ro' }],
  ['rnosuid', { top: '+nosuid', below: '+nosuid' }],
  ['rsuid', { from: 'nosuid', top: '-nosuid', below: '-nosuid' }],
  ['rdev', { from: 'nodev', top: '-nodev', below: '-nodev' }],
  ['rnoexec', { top: '+noexec', below: '+noexec' }],
  ['rexec', { from: 'noexec', top: '-noexec', below: '-noexec' }],
  ['rnoatime', { top: '+noatime', below: '+noatime' }],
  ['ratime', { from: 'noatime', top: '-noatime', below: '-noatime' }],
  ['rnodiratime', { top: '+nodiratime', below: '+nodiratime' }],
  ['rdiratime', { from: 'nodiratime', top: '-nodiratime', below: '-nodiratime' }],
  ['rrelatime', { from: 'noatime', top: '+relatime', below: '+relatime' }],
  ['rstrictatime', { top: '-relatime', below: '-relatime' }],
  ['rnostrictatime', { from: 'strictatime', top: '+relatime', below: '+relatime' }],
  ['rnosymfollow', { top: '+nosymfollow', below: '+nosymfollow' }],
  ['rsymfollow', { from: 'nosymfollow', top: '-nosymfollow', below: '-nosymfollow' }],
  ['shared', { top: '+shared', below: '-shared' }],
  ['slave', { from: 'shared', top: '+master', below: '-unbindable' }],
  ['private', { from: 'shared', top: '-shared,-master', below: '-unbindable' }],
  ['unbindable', { top: '+unbindable', below: '-unbindable' }],
  ['rshared', { top: '+shared', below: '+shared' }],
  ['rslave', { from: 'shared', top: '+master', below: '+master' }],
  ['rprivate', { from: 'shared', top: '-shared,-master', below: '-shared,-master' }],
  ['runbindable', { top: '+unbindable', below: '+unbindable' }],
];

/** The words of a line of mountinfo: attributes and propagation. */
function words(line: string): string[] {
  const [left = ''] = line.split(' - ');
  const fields = left.trim().split(' ');
  return [...(fields[5] ?? '').split(','), ...fields.slice(6).map((field) => field.replace(/:\d+$/, ''))];
}

function check(line: string, wanted: string, what: string): void {
  assert.ok(line !== '', `${what} is not mounted`);
  for (const word of wanted.split(','))
    assert.equal(words(line).includes(word.slice(1)), word.startsWith('+'), `${what}: ${wanted}: ${line}`);
}

for (const runtime of RUNTIMES) {
  const { name, skip } = runtime;
  const harness = new OciHarness(runtime);
  after(() => harness.close());
  const source = harness.makeDirectory('tree');

  /** What mountinfo of a container has with these options of a bind of a directory that is mounted `from`. */
  function mounted(from: string | undefined, options: readonly string[]): string {
    const isFlag = from !== undefined && from !== 'shared';
    const mount = (where: string) => {
      execFileSync('mount', ['-t', 'tmpfs', 'tree', where]);
      mkdirSync(`${where}/below`, { recursive: true });
      execFileSync('mount', ['--make-private', where]);
      if (isFlag) execFileSync('mount', ['-o', `remount,bind,${from}`, where]);
    };
    try {
      execFileSync('mount', ['-t', 'tmpfs', 'tree', source]);
      execFileSync('mount', ['--make-private', source]);
      mkdirSync(`${source}/below`);
      mount(`${source}/below`);
      if (isFlag) execFileSync('mount', ['-o', `remount,bind,${from}`, source]);
      if (from === 'shared') execFileSync('mount', ['--make-rshared', source]);
      const bundle = harness.bundle(
        { mounts: [...MOUNTS, { destination: '/data', type: 'none', source, options }] },
        'grep " /data" /proc/self/mountinfo',
      );
      return harness.succeed(['run', '--bundle', bundle, harness.newId()]).stdout;
    } finally {
      execFileSync('umount', ['-R', source]);
    }
  }

  const line = (text: string, path: string) =>
    text.split('\n').find((each) => each.includes(` ${path} `)) ?? '';

  for (const [option, { from, top, below }] of OPTIONS) {
    test(`${name}: mount option ${option}`, { skip }, () => {
      const text = mounted(from, ['rbind', option]);
      if (top !== undefined) check(line(text, '/data'), top, 'the mount');
      if (below !== undefined) check(line(text, '/data/below'), below, 'the mount below');
    });
  }

  test(`${name}: mount option bind`, { skip }, () => {
    const text = mounted(undefined, ['bind']);
    check(line(text, '/data'), '+rw', 'the mount');
    assert.equal(line(text, '/data/below'), '');
  });

  /** Owners of the mount and of the one below it, which are root's on the host. */
  function owners(option: string): string {
    execFileSync('mount', ['-t', 'tmpfs', 'tree', source]);
    try {
      mkdirSync(`${source}/below`);
      execFileSync('mount', ['-t', 'tmpfs', 'tree', `${source}/below`]);
      const map = [{ containerID: 0, hostID: 1000, size: 10 }];
      const mount = { destination: '/data', type: 'none', source, options: ['rbind', option] };
      const mounts = [...MOUNTS, { ...mount, uidMappings: map, gidMappings: map }];
      const bundle = harness.bundle({ mounts }, 'stat -c %u:%g /data /data/below');
      return harness.succeed(['run', '--bundle', bundle, harness.newId()]).stdout;
    } finally {
      execFileSync('umount', ['-R', source]);
    }
  }

  test(`${name}: idmap maps the ids of one mount by its own mappings`, { skip }, () => {
    assert.equal(owners('idmap'), '1000:1000\n0:0\n');
  });

  test(`${name}: ridmap maps the ids of the mounts below too`, { skip }, () => {
    assert.equal(owners('ridmap'), '1000:1000\n1000:1000\n');
  });

  test(`${name}: mount option rbind`, { skip }, () => {
    const text = mounted(undefined, ['rbind']);
    check(line(text, '/data/below'), '+rw', 'the mount below');
  });
}
