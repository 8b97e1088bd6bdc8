// Images in user namespaces: files show the container's ids inside and the mapped ones on the host; diff, commit, export.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { lstatSync, readdirSync } from 'node:fs';
import { after, test } from 'node:test';
import { listing, treeProgram } from '../layers/harness.ts';
import { CALLERS } from './callers.ts';
import { busyboxLayer, layer, oldArchive } from './image.ts';
import { World } from './world.ts';

const skip = CALLERS[0]?.skip ?? false;
const world = skip === false ? new World(CALLERS[0]?.caller) : undefined;

/** VFS_CAP_REVISION_2, effective, cap_net_raw (capabilities(7)). */
const CAPABILITY = '\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0';
const SEED = layer(
  ['etc/keep', 'keep\n'],
  ['etc/change', 'old\n'],
  [{ name: 'srv/', type: '5', mode: 0o751, uid: 1000, gid: 1001 }],
  [{ name: 'srv/file', uid: 1000, gid: 1001 }, 'from the image\n'],
  ['opt/dir/file', 'x\n'],
  [{ name: 'null', type: '3', mode: 0o666, device: [1, 3] }],
  [{ name: 'far', uid: 70_000, gid: 70_000 }, 'far\n'],
);
const MAP = ['--uidmap', '0:700000:65536'];

if (world !== undefined) {
  after(() => {
    world.close();
  });
  const many = Array.from({ length: 30 }, (_, at) => layer([`many/${at}`, `${at}\n`]));
  const base = busyboxLayer(world.directory);
  const archive = oldArchive(
    { name: 'base:1', layers: [base, SEED] },
    { name: 'many:1', layers: [base, ...many] },
    { name: 'nothing:1', layers: [], config: { Cmd: ['/none'] } },
    { name: 'root:1', layers: [base, layer([{ name: './', type: '5', mode: 0o551, uid: 12, gid: 13 }])] },
  );
  world.output(['load', '-q', '-i', world.file('images.tar', archive)]);
}

/** A test with the world that there is. */
function inWorld(name: string, body: (world: World) => void | Promise<void>): void {
  test(name, { skip }, async () => {
    if (world !== undefined) await body(world);
  });
}

/** Owner of a file on the host. */
function ownerOf(path: string): string {
  const { uid, gid } = lstatSync(path);
  return `${uid}:${gid}`;
}

inWorld('ids of the container inside, the mapped ones on the host', (world) => {
  const upper = world.harness.makeDirectory('upper');
  const script = [
    'cat /proc/self/uid_map | tr -s " "; id -u; stat -c "%u:%g %a %n" / /srv /srv/file /far',
    'echo more >> /srv/file; echo new > /etc/new; chown 7:8 /etc/new; mkdir /made; rm /etc/change; cat /srv/file',
    'cat /null 2>&1; mknod /device c 1 3 2>&1 || true',
  ].join('\n');
  const run = world.call(['run', '--rm', '--upper', upper, ...MAP, 'base:1', 'sh', '-c', script]);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(run.stdout.split('\n').slice(0, 7), [
    ' 0 700000 65536',
    '0',
    '0:0 755 /',
    '1000:1001 751 /srv',
    '1000:1001 644 /srv/file',
    '65534:65534 644 /far',
    'from the image',
  ]);
  assert.match(run.stdout, /\/null': Permission denied/, 'device nodes of the image do not open');
  assert.match(run.stdout, /\/device: Operation not permitted/);
  const changed = `${upper}/upper`;
  assert.equal(ownerOf(changed), '700000:700000');
  assert.equal(ownerOf(`${changed}/srv/file`), '701000:701001');
  assert.equal(ownerOf(`${changed}/etc/new`), '700007:700008');
  assert.equal(ownerOf(`${changed}/made`), '700000:700000');
  const again = [
    'run',
    '--upper',
    upper,
    ...MAP,
    'base:1',
    'sh',
    '-c',
    'cat /srv/file; stat -c %u /etc/new /made',
  ];
  assert.equal(world.output(again), 'from the image\nmore\n7\n0');
  assert.equal(
    world.output(['run', '--rm', 'base:1', 'cat', '/srv/file']),
    'from the image',
    'the layer is as it was',
  );
});

inWorld('two maps at once share the layers', (world) => {
  const stat = ['base:1', 'stat', '-c', '%u:%g', '/srv/file'];
  for (const at of [800_000, 900_000])
    assert.equal(world.output(['run', '--rm', '--uidmap', `0:${at}:65536`, ...stat]), '1000:1001');
  const pieces = ['--uidmap', '0:5000:1', '--uidmap', '1:100000:65535', '--gidmap', '0:6000:65536'];
  assert.equal(world.output(['run', '--rm', ...pieces, ...stat]), '1000:1001');
  assert.equal(world.output(['run', '--rm', '--uidmap', '0:700000:10', ...stat]), '65534:65534');
});

inWorld('many layers, none, and a root directory of its own', (world) => {
  assert.equal(world.output(['run', '--rm', ...MAP, 'many:1', 'sh', '-c', 'ls /many | wc -l']), '30');
  assert.equal(world.call(['run', '--rm', ...MAP, 'nothing:1']).code, 127);
  assert.equal(world.output(['run', '--rm', ...MAP, 'root:1', 'stat', '-c', '%u:%g %a', '/']), '12:13 551');
});

inWorld('volumes of a read-only root, a bind and a user who is not root', (world) => {
  const directory = world.harness.makeDirectory('bound');
  const flags = [
    '--read-only',
    '-v',
    `${directory}:/bound:ro`,
    '-u',
    '1000:1001',
    '--tmpfs',
    '/tmp:mode=1777',
  ];
  const script = 'id -u; cat /srv/file; touch /x 2>/dev/null || echo read-only; touch /tmp/x && ls -d /bound';
  assert.equal(
    world.output(['run', '--rm', ...flags, ...MAP, 'base:1', 'sh', '-c', script]),
    '1000\nfrom the image\nread-only\n/bound',
  );
});

const CHANGES = [
  'echo new > /etc/new; chown 1000:1001 /etc/new; chmod 4755 /etc/new; echo new > /etc/change; rm /etc/keep',
  'rm -r /opt/dir; mkdir /opt/dir; echo other > /opt/dir/other; chown 5 /srv; mkdir /made; ln -s x /made/link',
  'echo ready; sleep 100',
].join('\n');

inWorld('diff, commit and export have the ids that the container sees', async (world) => {
  const started = world.start(['run', '--rm', '--name', 'mapped', ...MAP, 'base:1', 'sh', '-c', CHANGES]);
  await started.untilPrinted('ready');
  assert.deepEqual(world.output(['diff', 'mapped']).split('\n'), [
    'C /etc',
    'C /etc/change',
    'D /etc/keep',
    'A /etc/new',
    'A /made',
    'A /made/link',
    'C /opt',
    'C /opt/dir',
    'A /opt/dir/other',
    'C /srv',
  ]);
  // A file capability that root of the container has given, as the kernel keeps it: with the root's id on the host.
  const [place = ''] = readdirSync(`${world.dataRoot}/containers`);
  const file = `${world.dataRoot}/containers/${place}/upper/etc/new`;
  assert.equal(ownerOf(file), '701000:701001');
  execFileSync(treeProgram(), ['--set', file, 'security.capability', namespaced(700_000)]);
  execFileSync(treeProgram(), ['--set', file, 'system.posix_acl_access', accessList(700_042)]);
  world.output(['commit', 'mapped', 'committed:1']);
  const listed = spawnSync('tar', ['-tv', '--numeric-owner'], {
    input: world.bytes(['export', 'mapped']),
    encoding: 'utf8',
  });
  assert.match(listed.stdout.split('\n').find((line) => line.endsWith(' etc/new')) ?? '', / 1000\/1001 +4 /);
  started.kill('SIGKILL');
  await started.end();
  world.output(['system', 'repair']);
  world.harness.lookAgain();
  const stat = 'stat -c "%u:%g %a" /etc/new /srv /made /opt/dir/other; ls /etc/keep /opt/dir 2>/dev/null';
  const expected = '1000:1001 4755\n5:1001 751\n0:0 755\n0:0 644\n/opt/dir:\nother';
  for (const flags of [[], MAP, ['--uidmap', '0:800000:65536']])
    assert.equal(
      world.call(['run', '--rm', ...flags, 'committed:1', 'sh', '-c', stat]).stdout.trim(),
      expected,
    );
  const layers = readdirSync(`${world.dataRoot}/layers`).map(
    (name) => `${world.dataRoot}/layers/${name}/tree`,
  );
  const committed = layers.find((path) => readdirSync(path).includes('made')) ?? '';
  const line = listing(committed).find((each) => each.includes('etc/new ')) ?? '';
  assert.match(line, new RegExp(`security.capability=${hex(CAPABILITY)}`));
  assert.match(line, new RegExp(`system.posix_acl_access=${accessList(42)}`));
});

function hex(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('hex');
}

/** VFS_CAP_REVISION_3: the same for the root of one user namespace. */
function namespaced(root: number): string {
  const bytes = Buffer.concat([Buffer.from(CAPABILITY, 'latin1'), Buffer.alloc(4)]);
  bytes.writeUInt8(3, 3);
  bytes.writeUInt32LE(root, 20);
  return bytes.toString('hex');
}

inWorld('the plan says what the launcher does, and starts nothing', (world) => {
  const plan = world.output(['plan', ...MAP, 'base:1']);
  assert.match(plan, /open a user namespace of the ids of the container/);
  assert.match(plan, /overlay 2 layers of the image, their ids mapped/);
  world.assertNoPlaces();
});

/** An access list that lets one more user read (struct posix_acl_xattr_header and its entries). */
function accessList(uid: number): string {
  const entries: readonly (readonly [tag: number, permissions: number, id: number])[] = [
    [1, 7, 0xffffffff],
    [2, 4, uid],
    [4, 5, 0xffffffff],
    [0x10, 5, 0xffffffff],
    [0x20, 5, 0xffffffff],
  ];
  const bytes = Buffer.alloc(4 + entries.length * 8);
  bytes.writeUInt32LE(2, 0);
  entries.forEach(([tag, permissions, id], index) => {
    bytes.writeUInt16LE(tag, 4 + index * 8);
    bytes.writeUInt16LE(permissions, 6 + index * 8);
    bytes.writeUInt32LE(id, 8 + index * 8);
  });
  return bytes.toString('hex');
}

inWorld('--userns auto: ids of the user containers that no other container has', (world) => {
  const ids = world.file('subids', 'containers:2000000:4000\nroot:300000:65536\n');
  const [program = '', ...before] = world.harness.commandLine([]);
  const script = `mount --bind ${ids} /etc/subuid && mount --bind ${ids} /etc/subgid || exit 1
    export CAISSON_DATA_ROOT=${world.dataRoot}
    caisson() { ${[program, ...before].join(' ')} "$@"; }
    map() { caisson run --rm --userns "$@" base:1 sh -c 'tr -s " " < /proc/self/uid_map; stat -c %u:%g /srv/file'; }
    map auto:size=2000
    map auto:size=2000,uidmapping=7:5:1
    ${[program, ...before].join(' ')} run --rm --userns auto --name first base:1 sh -c 'echo up; sleep 100' > ${world.directory}/first & first=$!
    for try in $(seq 100); do grep -q up ${world.directory}/first && break; sleep 0.05; done
    map auto
    map auto:size=3000 2>&1
    kill -9 $first; wait $first
    map auto
    caisson system repair > /dev/null
    caisson run --rm --userns auto host true 2>&1
    caisson run --rm --userns nomap base:1 true 2>&1 | head -n 1
    caisson run --rm --userns keep-id:uid=5,gid=6 base:1 sh -c 'id -u; id -g; tr -s " " < /proc/self/uid_map'`;
  const { stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', script], { encoding: 'utf8' });
  world.harness.lookAgain();
  assert.deepEqual(
    stdout.trimEnd().split('\n'),
    [
      [' 0 2000000 2000', '1000:1001'],
      [' 0 2000000 7', ' 8 2000007 1992', ' 7 5 1', '1000:1001'],
      [' 0 2001024 1024', '1000:1001'],
      [
        'caisson: --userns auto:size=3000: not enough unused ids of the user containers in /etc/subuid for 3000 more',
      ],
      [' 0 2000000 1024', '1000:1001'],
      ['caisson: --userns auto: auto is for images of the store, whose files tell how many ids they have'],
      ['caisson: --userns nomap: nomap is only supported in rootless mode'],
      ['5', '6', ' 0 0 4294967295'],
    ].flat(),
    stderr,
  );
});

const ordinary = CALLERS[1];
test('a user with keep-id', { skip: ordinary?.skip ?? true }, async () => {
  if (ordinary === undefined) return;
  const { uid, gid } = ordinary.caller;
  const world = new World(ordinary.caller);
  try {
    const layers = [
      busyboxLayer(world.directory),
      layer([{ name: 'srv/file', uid: 1000, gid: 1001 }, 'x\n']),
    ];
    world.output(['load', '-q', '-i', world.file('images.tar', oldArchive({ name: 'base:1', layers }))]);
    const count = () => readdirSync(`${world.dataRoot}/layers`).length;
    assert.equal(count(), 2);
    const stat =
      'id -u; id -g; stat -c "%u:%g %n" / /bin /srv/file; touch /home/x 2>/dev/null || echo closed';
    const run = (...flags: string[]) =>
      world.output(['run', '--rm', ...flags, 'base:1', 'sh', '-c', stat]).split('\n');
    const files = ['0:0 /', '0:0 /bin', '1000:1001 /srv/file'];
    assert.deepEqual(run('--userns', 'keep-id'), [`${uid}`, `${gid}`, ...files, 'closed']);
    assert.equal(count(), 4, 'unpacked once more for this map');
    assert.deepEqual(run('--userns', 'keep-id'), [`${uid}`, `${gid}`, ...files, 'closed']);
    assert.equal(count(), 4);
    assert.deepEqual(run('--userns', 'keep-id:uid=5,gid=6'), ['5', '6', ...files, 'closed']);
    assert.deepEqual(run('--userns', 'keep-id', '-u', '0'), ['0', '0', ...files]);
    assert.match(
      world.call(['run', '--rm', '--userns', 'nomap', 'base:1', 'true']).stderr,
      /you, the user [0-9]+, .* are not mapped/,
    );
    assert.deepEqual(run(), ['0', '0', ...files]);
    assert.match(
      world.call(['run', '--rm', '--userns', 'auto', 'base:1', 'true']).stderr,
      /is for root: each run/,
    );
    await keepIdCommit(world);
    world.output(['rmi', '-f', 'base:1', 'kept:1']);
    world.output(['image', 'prune', '-f']);
    assert.equal(count(), 0, 'no layer is left');
  } finally {
    world.close();
  }
});

async function keepIdCommit(world: World): Promise<void> {
  const script =
    'echo x > /srv/new; chown 1000:1001 /srv/new; echo y > /made; rm /srv/file; echo ready; sleep 100';
  const flags = ['--userns', 'keep-id', '-u', '0', '--name', 'kept'];
  const started = world.start(['run', '--rm', ...flags, 'base:1', 'sh', '-c', script]);
  await started.untilPrinted('ready');
  assert.deepEqual(world.output(['diff', 'kept']).split('\n'), [
    'A /made',
    'C /srv',
    'D /srv/file',
    'A /srv/new',
  ]);
  world.output(['image', 'prune', '-f']);
  world.output(['commit', 'kept', 'kept:1']);
  started.kill('SIGKILL');
  await started.end();
  world.output(['system', 'repair']);
  world.harness.lookAgain();
  const stat = 'stat -c %u:%g /srv/new /made; ls /srv';
  for (const flag of [[], ['--userns', 'keep-id']])
    assert.equal(world.output(['run', '--rm', ...flag, 'kept:1', 'sh', '-c', stat]), '1000:1001\n0:0\nnew');
}
