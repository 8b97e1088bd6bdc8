// The commands of docs/demonstrations.md, docs/secrets.md and README.md are run, and do what the pages claim.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { after, test } from 'node:test';
import { type Demonstration, demonstrations, transcripts } from './pages.ts';

const EXECUTABLE = process.env.CAISSON ?? `${process.cwd()}/dist/caisson`;

function missing(): string | false {
  if (process.getuid?.() !== 0) return "the demonstrations are root's";
  if (!existsSync(EXECUTABLE)) return `${EXECUTABLE} is not built`;
  const absent = ['cpu', 'cpuacct', 'cpuset', 'memory', 'pids'].filter(
    (name) => !existsSync(`/sys/fs/cgroup/${name}`),
  );
  return absent.length > 0 && `the pages show cgroup v1, and there is no ${absent.join(', ')} here`;
}

const skip = missing();
const directory = mkdtempSync(`${tmpdir()}/caisson-docs-`);
mkdirSync(`${directory}/bin`);
symlinkSync(EXECUTABLE, `${directory}/bin/caisson`);
after(() => {
  rmSync(directory, { recursive: true });
  // What the commands make and take away, should they have been interrupted.
  for (const name of ['team', 'slow']) removeCgroups(name);
});

function removeCgroups(name: string): void {
  for (const hierarchy of readFileSync('/proc/self/mountinfo', 'utf8').matchAll(
    /^(?:\S+ ){4}(\S+) .* - cgroup2? /gm,
  )) {
    const path = `${hierarchy[1]}/${name}`;
    if (existsSync(path)) rmdirSync(path);
  }
}

/** Runs a script; `stdout` has both streams when `merged`. */
function shell(script: string, merged = false) {
  const { stdout, stderr, error } = spawnSync('sh', ['-c', merged ? `exec 2>&1\n${script}` : script], {
    cwd: directory,
    env: {
      PATH: `${directory}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      HOME: '/root',
    },
    encoding: 'utf8',
    timeout: 20_000,
  });
  if (error !== undefined) throw error;
  return { stdout, stderr, lines: stdout.trimEnd().split('\n') };
}

const PAGES = ['docs/demonstrations.md', 'docs/secrets.md'];
const known = new Map(PAGES.flatMap(demonstrations).map((each) => [each.name, each]));
const tested = new Set<string>();

/** One test for one marked block. */
function demonstrate(name: string, claim: string, check: (shown: Demonstration) => void): void {
  tested.add(name);
  test(`${name}: ${claim}`, { skip }, () => {
    const shown = known.get(name);
    assert.ok(shown, `no block of that name in ${PAGES.join(' or ')}`);
    check(shown);
  });
}

/** Nanoseconds after `label` in a line of output. */
function nanoseconds(lines: readonly string[], label: string): number {
  const line = lines.find((each) => each.startsWith(`${label}: `));
  assert.ok(line, `no "${label}" in ${lines.join('\n')}`);
  return Number(/: (\d+) ns$/.exec(line)?.[1]);
}

/** Seconds in which core 0 had nothing to do (proc(5): USER_HZ is 100). */
function idleOfCore0(): number {
  const fields = /^cpu0 (.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]?.split(' ').map(Number) ?? [];
  return ((fields[3] ?? 0) + (fields[4] ?? 0)) / 100;
}

const processesOf = (lines: readonly string[]) => lines.filter((line) => / processes$/.test(line)).at(-1);

demonstrate('shares', 'two to one within 10 %', ({ commands }) => {
  // On a machine that does other things as well the two may start at different moments; once more, then.
  const ratio = () => {
    const { lines } = shell(commands);
    return nanoseconds(lines, '1024 shares') / nanoseconds(lines, '512 shares');
  };
  const close = (value: number) => value > 1.8 && value < 2.2;
  const first = ratio();
  if (close(first)) return;
  const second = ratio();
  assert.ok(close(second), `ratios ${first} and ${second}`);
});

demonstrate('burst', 'alone the smaller share takes whatever nobody else wants', ({ commands }) => {
  const before = idleOfCore0();
  const used = nanoseconds(shell(commands).lines, '512 shares, alone') / 1e9;
  const idle = idleOfCore0() - before;
  assert.ok(idle < 0.25, `core 0 was idle for ${idle} s of 2 s`);
  assert.ok(used > 0.5 && used < 2.4, `${used} s`);
});

demonstrate('cap', 'a quarter of a core, however idle it is', ({ commands }) => {
  const used = nanoseconds(shell(commands).lines, 'a quarter of a core') / 1e9;
  assert.ok(used > 0.2 && used < 0.62, `${used} s of 2 s`);
});

demonstrate('processes', 'the 21st is refused, and the limit is named', ({ commands }) => {
  const { lines, stderr } = shell(commands);
  assert.equal(processesOf(lines), '20 processes');
  assert.match(lines.at(-1) ?? '', /^exit code [1-9]/);
  assert.match(stderr, /^caisson: the limit of 20 processes was reached$/m);
});

demonstrate('memory', 'killed, and told why', ({ commands, output }) => {
  assert.equal(shell(commands, true).stdout, output);
});

demonstrate('inherit', 'a child is in the namespaces and cgroups of its parent', ({ commands }) => {
  const { lines } = shell(commands);
  assert.equal(lines.length, 8);
  assert.deepEqual(lines.slice(1, 4), lines.slice(5));
  assert.notEqual(lines[1], readlinkSync('/proc/self/ns/mnt'));
  assert.match(lines[3] ?? '', /:pids:\/caisson\/[0-9a-f]{64}$/);
});

demonstrate('inherited-limit', 'a grandchild counts', ({ commands }) => {
  const { lines } = shell(commands);
  assert.equal(processesOf(lines), '20 processes');
  assert.match(lines.at(-1) ?? '', /^the child ended with [1-9]/);
});

demonstrate('parent', "the parent's 10 hold below the container's 20", ({ commands }) => {
  const { lines, stderr } = shell(commands);
  assert.equal(processesOf(lines.filter((line) => !line.startsWith(' '))), '10 processes');
  assert.match(stderr, /^caisson: a limit on processes was reached .*of a cgroup above/m);
  assert.ok(
    lines.some((line) => /^ {2}processes +10 +\/sys\/fs\/cgroup\/pids\/team +20$/.test(line)),
    lines.join('\n'),
  );
  assert.equal(existsSync('/sys/fs/cgroup/pids/team'), false, 'the last command takes it away');
});

demonstrate('move', 'a process changes its cgroup', ({ commands }) => {
  const { lines } = shell(commands);
  assert.match(lines[0] ?? '', /^moved process \d+ to \/slow \((?:pids, cpu|cpu, pids)\)$/);
  const [pids, cpu] = [/^\d+:pids:\/slow$/, /^\d+:cpu:\/slow$/].map((form) =>
    lines.some((line) => form.test(line)),
  );
  assert.ok(pids && cpu, lines.join('\n'));
});

demonstrate('mounts', 'its own mounts, and nothing else', ({ commands, output }) => {
  assert.equal(shell(commands).stdout, output);
});

for (const [name, claim] of [
  ['leak', 'the host reads the environment'],
  ['file', 'a file is not in the environment'],
  ['input', 'nor is standard input'],
  ['masked', 'a plan does not show it'],
] as const) {
  demonstrate(name, claim, ({ commands, output }) => {
    assert.equal(shell(commands).stdout, output);
  });
}

test('every marked block has a test', () => {
  assert.deepEqual([...known.keys()].sort(), [...tested].sort());
});

test('README.md: the output of its commands', { skip }, () => {
  const found = transcripts('README.md');
  assert.ok(found.length >= 3);
  for (const { commands, text, shortened } of found) {
    const script = commands.map(
      (command) => `printf '%s\\n' '$ ${command.replaceAll("'", "'\\''")}'\n${restoring(command)}`,
    );
    const printed = normal(shell(`status=0\n${script.join('\n')}`, true).stdout);
    if (shortened) assertExcerpt(printed.split('\n'), normal(text).trimEnd().split('\n'));
    else assert.equal(printed, normal(text));
  }
});

/** Steps are numbered for this machine's own cgroups, and a program's pid depends on its shell. */
function normal(text: string): string {
  return text
    .replace(/step \d+ of \d+/g, 'step N of N')
    .replace(/^ +\d+ ps /gm, ' N ps ')
    .replace(/^ +\d+ {2}(?=\S)/gm, ' N  ');
}

/** The lines that are shown are there, in this order. */
function assertExcerpt(lines: readonly string[], shown: readonly string[]): void {
  let at = 0;
  for (const line of shown.filter((each) => each !== '...')) {
    const next = lines.indexOf(line, at);
    assert.ok(next >= 0, `no line "${line}" (after line ${at}) in the output`);
    at = next + 1;
  }
}

/** `$?` of the command before, as a person at the prompt sees it. */
function restoring(command: string): string {
  return `(exit $status)\n${command}\nstatus=$?`;
}

test('README.md: the program that uses the library', {
  skip: skip || (!existsSync('build/src/index.js') && 'not compiled'),
}, () => {
  const [, program = ''] = /```ts\n(.*?)```/s.exec(readFileSync('README.md', 'utf8')) ?? [];
  const [, expected] = /console\.log\(.*\); \/\/ (.*)$/m.exec(program) ?? [];
  mkdirSync(`${directory}/node_modules`);
  symlinkSync(process.cwd(), `${directory}/node_modules/caisson`);
  writeFileSync(`${directory}/program.mjs`, program);
  const { stdout, stderr } = spawnSync(process.execPath, ['program.mjs'], {
    cwd: directory,
    encoding: 'utf8',
    timeout: 20_000,
  });
  assert.equal(stdout.trim(), expected, stderr);
});
