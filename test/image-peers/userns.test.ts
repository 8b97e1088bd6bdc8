// Images in user namespaces of root, as podman runs them with the same flags.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, test } from 'node:test';
import { busyboxLayer, layer, oldArchive } from '../images/image.ts';
import { World } from '../images/world.ts';
import { runInPeers } from '../peers/harness.ts';
import { peersMissing } from './peers.ts';

const FLAGS: readonly string[] = [
  '--uidmap 0:700000:65536',
  '--uidmap 0:700000:100',
  '--uidmap 0:700000:10 --uidmap 10:800000:60000 --gidmap 0:900000:65536',
  '--userns keep-id',
  '--userns keep-id:uid=5,gid=6',
  '--userns auto',
  '--userns auto:size=4096',
  '--userns auto:size=4096,uidmapping=7:5:1',
];
/** Files of the image, and of the container's, as it sees them. */
const SCRIPT = [
  'cat /proc/self/uid_map /proc/self/gid_map | tr -s " " | sort',
  'id -u; id -g; stat -c %u:%g /; stat -c "%u:%g %a %n" /bin /srv /srv/file',
  'cp /srv/file /tmp/copy; stat -c %u:%g /tmp/copy',
  'touch /new 2>/dev/null && chown 7:8 /new && stat -c %u:%g /new',
].join('\n');
const SUBORDINATE = 'containers:2000000:200000';

if (peersMissing !== false)
  test('user namespaces as podman has them', { skip: peersMissing }, () => undefined);
else {
  const world = new World();
  after(() => {
    world.close();
  });
  const seed = layer(
    [{ name: 'srv/', type: '5', mode: 0o751, uid: 1000, gid: 1001 }],
    [{ name: 'srv/file', uid: 1000, gid: 1001 }, 'x\n'],
    [{ name: 'tmp/', type: '5', mode: 0o1777 }],
    ['etc/passwd', 'root:x:0:0::/:/bin/sh\nalice:x:5000:5000::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n'],
  );
  const layers = [busyboxLayer(world.directory), seed];
  const archive = world.file('images.tar', oldArchive({ name: 'localhost/base:1', layers }));
  const script = world.file('script', SCRIPT);
  world.output(['load', '-q', '-i', archive]);
  const [program = '', ...before] = world.harness.commandLine([]);
  // A private /etc has the subordinate ids, for both.
  const etc = `mount -t tmpfs tmpfs /mnt && cp -a /etc /mnt/etc && mount --bind /mnt/etc /etc || exit 1
    for file in subuid subgid; do rm -f /etc/$file; echo ${SUBORDINATE} > /etc/$file; done
    grep -q ^containers: /etc/passwd || echo containers:x:999:999::/:/bin/false >> /etc/passwd`;
  const loop = (run: string) =>
    `${etc}\nwhile read -r flags; do echo "== $flags"; ${run}; done <<'END'\n${FLAGS.join('\n')}\nEND`;
  const podman = `podman --root ${world.directory}/podman --runroot ${world.directory}/podman-run --cgroup-manager cgroupfs --log-level error`;

  test('user namespaces of root as podman has them', () => {
    const plain = '--rm --network none --cgroups disabled --security-opt seccomp=unconfined';
    const theirs = runInPeers([
      'sh',
      '-c',
      `export PODMAN_IGNORE_CGROUPSV1_WARNING=1
      ${podman} load -q -i ${archive} > /dev/null || exit 1
      ${loop(`${podman} run ${plain} $flags localhost/base:1 sh -c "$(cat ${script})" < /dev/null`)}
      ${podman} system reset -f > /dev/null 2>&1`,
    ]);
    const ours = spawnSync(
      'unshare',
      [
        '-m',
        'sh',
        '-c',
        `export CAISSON_DATA_ROOT=${world.dataRoot}
        ${loop(`${[program, ...before].join(' ')} run --rm $flags localhost/base:1 sh -c "$(cat ${script})" < /dev/null`)}`,
      ],
      { encoding: 'utf8' },
    );
    world.harness.lookAgain();
    assert.ok(theirs.stdout.includes(' 0 2000000 5001'), theirs.stderr);
    assert.equal(ours.stdout, theirs.stdout, ours.stderr);
  });
}
