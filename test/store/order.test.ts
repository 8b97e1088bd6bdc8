// The order of fsync, rename and syncfs as the kernel sees it: strace of a real pull (F16; facts of durability in docs/store.md).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { splitDigest } from '../../src/spec/digest.ts';
import { images, makeTemporary, work } from './world.ts';

const directory = makeTemporary();
after(() => {
  rmSync(directory, { recursive: true, force: true });
});

const skip = spawnSync('strace', ['-V']).status === 0 ? false : 'strace is not installed';

interface Event {
  /** Seconds. */
  readonly end: number;
  readonly begin: number;
  readonly call: string;
  /** Of the descriptor or the first path. */
  readonly path: string;
  readonly to: string;
}

/** The calls of all processes and threads that took effect, by the time when they were done. */
function events(log: string): Event[] {
  const found: Event[] = [];
  for (const name of readdirSync(log)) {
    for (const line of readFileSync(`${log}/${name}`, 'latin1').split('\n')) {
      const match = /^(\d+\.\d+) (\w+)\((.*)\) += 0 <(\d+\.\d+)>$/.exec(line);
      if (match === null) continue;
      const [, begin = '', call = '', args = '', took = ''] = match;
      const paths = [...args.matchAll(/"([^"]*)"|<([^>]*)>/g)].map(([, text, open]) => text ?? open ?? '');
      const absolute = paths.filter((path) => path.startsWith('/'));
      const end = Number(begin) + Number(took);
      found.push({ begin: Number(begin), end, call, path: absolute[0] ?? '', to: absolute.at(-1) ?? '' });
    }
  }
  return found.sort((one, other) => one.end - other.end);
}

test('contents are synced before they get names, names before anything is built on them', {
  skip,
}, async () => {
  const root = `${directory}/store`;
  const log = `${directory}/log`;
  mkdirSync(log);
  const calls = 'trace=fsync,fdatasync,syncfs,rename,renameat,renameat2';
  const { code, stderr } = await work({ root, actions: [['pull', 'one']] }, [
    ...['strace', '-f', '-ff', '-y', '-ttt', '-T', '-s', '1000', '-e', calls, '-o', `${log}/trace`],
  ]);
  assert.equal(code, 0, stderr);
  const all = events(log);
  const at = (what: string, matches: (event: Event) => boolean): Event => {
    const event = all.find(matches);
    assert.ok(event !== undefined, `${what} is not in the trace`);
    return event;
  };
  const renamed = (to: string) =>
    at(`rename to ${to}`, ({ call, to: target }) => call.startsWith('rename') && target === to);
  const synced = (path: string, after: Event) =>
    at(
      `fsync of ${path}`,
      (event) => event.call === 'fsync' && event.path === path && event.begin >= after.begin,
    );
  const before = (one: Event, other: Event, what: string) => {
    assert.ok(one.end <= other.begin, what);
  };
  const image = images.one;
  assert.ok(image !== undefined);
  const name = renamed(`${root}/index.json`);
  const named =
    all.filter(({ call, to }) => call.startsWith('rename') && to === `${root}/index.json`).at(-1) ?? name;
  for (const { digest } of [...image.layers, image.config, image.manifest]) {
    const { hex } = splitDigest(digest);
    const rename = renamed(`${root}/blobs/sha256/${hex}`);
    const content = at(`fsync of ${hex}`, ({ call, path }) => call === 'fsync' && path === rename.path);
    before(content, rename, `content of ${hex} before its name`);
    before(synced(`${root}/blobs/sha256`, rename), named, `name of ${hex} before that of the image`);
  }
  before(
    at(
      'fsync of index.json.tmp',
      ({ call, path, begin }) => call === 'fsync' && path === `${root}/index.json.tmp` && begin > name.end,
    ),
    named,
    'index.json before its name',
  );
  synced(root, named);
  const layers = all.filter(
    ({ call, path }) => call.startsWith('rename') && path.includes('/layers/.new-') && !path.endsWith('.tmp'),
  );
  assert.equal(layers.length, image.layers.length);
  for (const [index, layer] of layers.entries()) {
    // One after the other here: a syncfs for each.
    const since = layers[index - 1]?.end ?? 0;
    before(
      at(
        `syncfs for ${layer.path}`,
        ({ call, path, begin }) => call === 'syncfs' && path === `${root}/layers` && begin > since,
      ),
      layer,
      'files of a layer before its name',
    );
    synced(`${root}/layers`, layer);
  }
});

test('without durability nothing is synced', { skip }, async () => {
  const root = `${directory}/off`;
  const log = `${directory}/off-log`;
  mkdirSync(log);
  const { code } = await work({ root, actions: [['pull', 'one']], durability: 'off' }, [
    ...['strace', '-f', '-ff', '-e', 'trace=fsync,fdatasync,syncfs', '-o', `${log}/trace`],
  ]);
  assert.equal(code, 0);
  assert.ok(existsSync(`${root}/format`));
  const text = readdirSync(log).map((name) => readFileSync(`${log}/${name}`, 'latin1'));
  assert.doesNotMatch(text.join(''), /sync/);
});
