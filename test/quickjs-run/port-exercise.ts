// What every host must do alike: a walk through the port in a directory of the test's own, told as lines.

import { libraryRun } from '../../src/engine/library-run.ts';
import type { Port } from '../../src/host/port.ts';
import { SIGNALS } from '../../src/linux/signals.ts';

type Tell = (what: string, value: unknown) => void;

/** Sorted keys, so that hosts may build their objects in any order. */
function shown(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}

/** The code of the error, or that there was none. */
function failureOf(action: () => unknown): string {
  try {
    action();
    return 'no error';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'an error';
  }
}

async function files(port: Port, directory: string, tell: Tell): Promise<void> {
  const path = `${directory}/a/b/file`;
  tell('absent', [port.readFile(path), port.stat(path), port.list(path), port.entries(path)]);
  tell('made', [port.makeDirectory(`${directory}/a/b`), port.makeDirectory(`${directory}/a/b`)]);
  tell('mode of a directory', (port.stat(`${directory}/a/b`)?.mode ?? 0).toString(8));
  tell(
    'no directory',
    failureOf(() => port.makeDirectory(`${directory}/given/empty/x`)),
  );
  port.replaceFile(path, 'first\xff\0\x80');
  port.replaceFile(path, 'second \xe4\n\0', 0o644);
  const stat = port.stat(path);
  tell('replaced', [port.readFile(path), stat?.type, stat?.size, stat?.uid, stat?.gid]);
  tell('alone', port.list(`${directory}/a/b`));
  tell(
    'into nothing',
    failureOf(() => port.replaceFile(`${directory}/none/x`, '')),
  );
  tell('limit', [port.readFile(path, 10)?.length, failureOf(() => port.readFile(path, 9))]);
  tell(
    'a directory',
    failureOf(() => port.readFile(directory)),
  );
  tell('below a file', [port.readFile(`${path}/x`), port.stat(`${path}/x`)]);
  tell('proc', [port.readFile('/proc/sys/kernel/ostype'), port.readFile('/proc/1234567890/stat')]);
  const entries = port.entries(`${directory}/given`) ?? [];
  tell(
    'entries',
    [...entries].sort((a, b) => (a.name < b.name ? -1 : 1)),
  );
  for (const name of [
    '/dev/null',
    '/dev/tty',
    `${directory}/given/fifo`,
    `${directory}/given/link`,
    '/proc',
  ]) {
    const { type, rdev, uid } = port.stat(name) ?? {};
    tell(name.replace(`${directory}/`, ''), [type, rdev, uid]);
  }
  const pieces: number[] = [];
  let sum = 0;
  for await (const piece of port.readChunks(`${directory}/given/large`)) {
    pieces.push(piece.length);
    for (const byte of piece) sum = (sum * 31 + byte) >>> 0;
  }
  tell('chunks', [pieces.reduce((all, length) => all + length, 0), sum]);
  port.remove(`${directory}/a`);
  port.remove(`${directory}/a`);
  tell('removed', port.stat(`${directory}/a`));
}

async function programs(port: Port, tell: Tell): Promise<void> {
  const env = ['A=1', 'B=x=y', 'C='];
  const sh = (script: string, more: { stdin?: string; timeout?: number; cwd?: string } = {}) =>
    port.spawn('/bin/sh', ['-c', script], { env, ...more });
  tell('environment', await sh('echo "$A $B [$C] [$HOME]"; pwd; echo wrong >&2; exit 3', { cwd: '/proc' }));
  tell('input', await sh('wc -c', { stdin: 'x\xff\0'.repeat(100_000) }));
  tell('input that nobody reads', await sh('exit 4', { stdin: 'x'.repeat(300_000) }));
  tell('large output', (await sh('head -c 300000 /dev/zero')).stdout.length);
  tell('killed', await sh('kill -KILL $$'));
  tell('too slow', await sh('exec sleep 30', { timeout: 50 }));
  tell('found', [
    port.findProgram('sh') !== undefined,
    port.findProgram('no-such-program'),
    port.findProgram('../bin'),
  ]);
}

async function time(port: Port, tell: Tell): Promise<void> {
  const before = port.monotonic();
  const order: string[] = [];
  const cancel = port.after(5, () => order.push('cancelled'));
  await new Promise<void>((resolve) => {
    port.after(30, () => {
      order.push('late');
      resolve();
    });
    port.after(10, () => order.push('early'));
    cancel();
  });
  const elapsed = (port.monotonic() - before) / 1e6;
  tell('order', [order, elapsed >= 29, elapsed < 5000]);
  const [first, second] = [port.random(300), port.random(300)];
  tell('random', [
    first.length,
    first.some((byte, index) => byte !== second[index]),
    new Set(first).size > 50,
  ]);
}

async function signals(port: Port, tell: Tell): Promise<void> {
  const seen: number[] = [];
  const both = new Promise<void>((resolve) => {
    const end = port.onSignals([SIGNALS.SIGUSR1, SIGNALS.SIGHUP], (signal) => {
      seen.push(signal);
      if (seen.length < 2) return;
      end();
      resolve();
    });
  });
  const stop = port.after(10_000, () => undefined);
  await port.spawn('/bin/sh', ['-c', `kill -USR1 ${port.pid}; sleep 0.1; kill -HUP ${port.pid}`], {
    env: [],
  });
  await both;
  stop();
  tell('signals', seen);
}

async function containers(port: Port, directory: string, tell: Tell): Promise<void> {
  const script = 'cat; head -c 200000 /dev/zero | tr "\\0" x; echo error >&2; exit 5';
  const one = () =>
    libraryRun(port, {
      command: ['/bin/sh', '-c', script],
      flags: { rootfs: `${directory}/rootfs`, hostname: 'x' },
      stateRoot: `${directory}/state`,
    });
  const { stdout, ...rest } = await one();
  tell('run', { ...rest, stdout: [stdout.length, new Set(stdout).size] });
  const several = await Promise.all([one(), one(), one()]);
  tell(
    'three at once',
    several.map(({ exitCode, stdout: text }) => [exitCode, text.length]),
  );
  const channel = await port.openChannel();
  await channel.close();
  await channel.close();
  tell('an idle launcher', port.readFile(`/proc/${channel.pid}/stat`));
}

/** Lines that are the same under every host. `directory` has given/ and rootfs/ in it. */
export async function exercise(port: Port, directory: string): Promise<string[]> {
  const lines: string[] = [];
  const tell: Tell = (what, value) => lines.push(`${what}: ${shown(value) ?? 'undefined'}`);
  tell('self', [
    port.arch,
    port.uid,
    port.gid,
    port.cwd,
    port.environment.includes('MARK=\xe4'),
    port.terminal,
  ]);
  tell('arguments', port.arguments.slice(-2));
  tell('init', port.initProgram().startsWith('\x7fELF'));
  await files(port, directory, tell);
  await programs(port, tell);
  await time(port, tell);
  await signals(port, tell);
  await containers(port, directory, tell);
  return lines;
}
