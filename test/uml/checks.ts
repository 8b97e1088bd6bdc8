// Many checks in one virtual machine: each is a shell script with the output and status it must have, and a test.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeRootfs } from '../harness/rootfs.ts';
import { runInUml, type UmlOptions, umlMissing } from './harness.ts';

/** The executable; not below /tmp, which is the machine's own. */
export const EXECUTABLE = process.env.CAISSON ?? join(process.cwd(), 'dist/caisson');

/** One subject; it runs by sh(1) in a shell of its own, with the functions of PRELUDE. */
export interface Check {
  readonly name: string;
  readonly script: string;
  /** All of its output, without the last line break; a function throws when it is wrong. */
  readonly output: string | RegExp | ((output: string) => void);
  /** 0 unless told. */
  readonly status?: number;
  /** Only in the long round. */
  readonly long?: true;
}

/** What is the same for all checks of a machine. */
export interface Machine extends Omit<UmlOptions, 'script'> {
  readonly skip?: string | false;
  /** Run once, before the checks; made when the test runs. */
  readonly setUp?: () => string;
}

// `caisson FLAGS.. SCRIPT` runs a shell script in a container of busybox, `host FLAGS.. SCRIPT` in the image `host`.
const PRELUDE = `
cd /
ROOT=/tmp/rootfs
[ -d $ROOT ] || cp -a "$BUILT_ROOT" $ROOT
caisson() { run_flags "$@"; eval "$EXECUTABLE run --rm $flags --rootfs $ROOT /bin/sh -c \\"\\$script\\""; }
host() { run_flags "$@"; eval "$EXECUTABLE run --rm $flags host /bin/sh -c \\"\\$script\\""; }
run_flags() {
  flags=
  while [ $# -gt 1 ]; do flags="$flags '$1'"; shift; done
  script=$1
}
`;

function missing(): string | false {
  return umlMissing() ?? (existsSync(EXECUTABLE) ? false : `${EXECUTABLE} is not built`);
}

const long = process.env.CAISSON_LONG === '1';

/** Defines one test with one subtest per check, all of them done in one boot. */
export function testInUml(title: string, machine: Machine, checks: readonly Check[]): void {
  const { skip = false, setUp, env, ...options } = machine;
  const wanted = checks.filter((check) => long || check.long !== true);
  test(title, { skip: missing() || skip }, async (context) => {
    const built = join(process.cwd(), 'build/uml-rootfs');
    if (!existsSync(join(built, 'etc/group'))) makeRootfs(built);
    const script = [PRELUDE, setUp?.() ?? '', ...wanted.map(marked)].join('\n');
    const result = await runInUml({
      timeout: 120,
      ...options,
      script,
      env: { EXECUTABLE, BUILT_ROOT: built, ...env },
    });
    const [before = '', ...parts] = result.output.split(/^=== begin \d+\n/m);
    for (const [index, check] of wanted.entries()) {
      await context.test(check.name, () => {
        const part = parts[index];
        assert.ok(
          part !== undefined,
          `not reached: ${before}${parts.at(-1) ?? ''}${result.log.slice(-2000)}`,
        );
        judge(check, part);
      });
    }
  });
}

function marked({ script }: Check, index: number): string {
  return `echo "=== begin ${index}"\n(\n${script}\n) </dev/null 2>&1\necho "=== status $?"`;
}

function judge({ output, status = 0 }: Check, part: string): void {
  const [, text = '', ended] = /^([\s\S]*?)\n?=== status (\d+)\s*$/.exec(part) ?? [];
  assert.equal(ended, String(status), `exit status, after: ${part}`);
  if (typeof output === 'function') output(text);
  else if (typeof output === 'string') assert.equal(text, output);
  else assert.match(text, output);
}
