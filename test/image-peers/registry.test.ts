// A real registry: pull what peers pushed, push what peers pull, log in, platforms and manifest lists.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { DAILY } from '../images/callers.ts';
import { busyboxLayer, layer, oldArchive } from '../images/image.ts';
import { World } from '../images/world.ts';
import { DockerRegistry, missing } from '../registry/docker-registry.ts';
import { peersMissing, podman, skopeo } from './peers.ts';

const UPPER = layer(['etc/motd', 'from the registry\n']);

for (const { who, caller, skip } of DAILY) {
  const reason = skip || missing || peersMissing;
  if (reason !== false) {
    test(`the registry of ${who}`, { skip: reason }, () => undefined);
    continue;
  }
  const world = new World(caller);
  let registry: DockerRegistry;
  before(async () => {
    registry = await DockerRegistry.start();
  });
  after(async () => {
    await registry.stop();
    world.close();
  });
  const parts = { layers: [busyboxLayer(world.directory), UPPER], config: { Cmd: ['cat', '/etc/motd'] } };
  const file = world.file(
    'box.tar',
    oldArchive(
      { name: 'box:1', ...parts },
      { name: 'box:arm', ...parts, platform: { architecture: 'arm64', variant: 'v8' } },
    ),
  );
  const named = (rest: string) => `${registry.host}/${rest}`;
  const remote = (rest: string) => `docker://${named(rest)}`;
  const clear = () => world.call(['image', 'prune', '-af']);

  test(`${who}: pulls what skopeo pushed, in both formats, and runs it`, () => {
    for (const format of ['oci', 'v2s2']) {
      skopeo(
        'copy',
        '--format',
        format,
        '--dest-tls-verify=false',
        `docker-archive:${file}:box:1`,
        remote(`${format}/box:1`),
      );
      clear();
      const lines = world.output(['pull', named(`${format}/box:1`)]).split('\n');
      assert.equal(lines[0], `1: Pulling from ${format}/box`);
      assert.equal(lines.filter((line) => line.endsWith(': Pull complete')).length, 2);
      assert.match(lines.at(-3) ?? '', /^Digest: sha256:[0-9a-f]{64}$/);
      assert.equal(lines.at(-2), `Status: Downloaded newer image for ${named(`${format}/box:1`)}`);
      assert.equal(lines.at(-1), named(`${format}/box:1`));
      assert.equal(world.output(['run', named(`${format}/box:1`)]), 'from the registry');
      const again = world.output(['pull', named(`${format}/box:1`)]);
      assert.match(again, /Already exists/);
      assert.match(again, /Status: Image is up to date for /);
      assert.equal(world.output(['pull', '-q', named(`${format}/box:1`)]), named(`${format}/box:1`));
    }
  });

  test(`${who}: peers pull what was pushed; what the registry has does not go again`, () => {
    clear();
    world.output(['load', '-q', '-i', file]);
    world.output(['tag', 'box:1', named('team/app:1')]);
    const first = world.output(['push', named('team/app:1')]);
    assert.match(first, new RegExp(`^The push refers to repository \\[${named('team/app')}\\]`));
    assert.equal(first.match(/: Pushed$/gm)?.length, 2);
    const digest = /1: digest: (sha256:[0-9a-f]{64}) size: [0-9]+$/.exec(first)?.[1];
    const seen = JSON.parse(skopeo('inspect', '--tls-verify=false', remote('team/app:1'))) as {
      Digest: string;
    };
    assert.equal(seen.Digest, digest);
    const second = world.output(['push', named('team/app:1')]);
    assert.equal(second.match(/: Layer already exists$/gm)?.length, 2);
    world.output(['tag', 'box:1', named('team/other:1')]);
    assert.equal(
      world.output(['push', named('team/other:1')]).match(/: Mounted from team\/app$/gm)?.length,
      2,
    );

    const peers = `${world.harness.directory}/podman-${who.length}`;
    podman(peers, 'pull', '-q', '--tls-verify=false', named('team/app:1'));
    const [id] = podman(peers, 'images', '-q', '--no-trunc', named('team/app:1')).split('\n');
    assert.equal(id, world.output(['images', '-q', '--no-trunc', named('team/app:1')]));
    podman(peers, 'rmi', '-af');
  });

  test(`${who}: run pulls what is missing, and again when it must`, () => {
    clear();
    skopeo('copy', '--dest-tls-verify=false', `docker-archive:${file}:box:1`, remote('run/box:1'));
    const first = world.call(['run', named('run/box:1')]);
    assert.equal(first.stdout, 'from the registry\n');
    assert.match(first.stderr, /Unable to find image .* locally\n1: Pulling from run\/box/);
    assert.equal(world.call(['run', named('run/box:1')]).stderr, '');
    assert.match(world.call(['run', '--pull', 'always', named('run/box:1')]).stderr, /Image is up to date/);
    assert.equal(world.call(['run', '--pull', 'always', '-q', named('run/box:1')]).stderr, '');
  });

  test(`${who}: a list of images for several platforms, made and pushed here`, () => {
    clear();
    world.output(['load', '-q', '-i', file]);
    for (const tag of ['1', 'arm']) {
      world.output(['tag', `box:${tag}`, named(`multi/box:${tag}`)]);
      world.output(['push', '-q', named(`multi/box:${tag}`)]);
    }
    const list = named('multi/box:all');
    world.output(['manifest', 'create', list, named('multi/box:1'), named('multi/box:arm')]);
    assert.match(world.call(['manifest', 'create', list, named('multi/box:1')]).stderr, /no --amend flag/);
    const digest = world.output(['manifest', 'push', '--purge', list]);
    assert.match(digest, /^sha256:[0-9a-f]{64}$/);
    assert.match(world.call(['manifest', 'push', list]).stderr, /No such manifest/);
    const seen = JSON.parse(skopeo('inspect', '--raw', '--tls-verify=false', remote('multi/box:all'))) as {
      manifests: { platform: { architecture: string; variant?: string } }[];
    };
    assert.deepEqual(
      seen.manifests.map(({ platform }) => platform.architecture),
      ['amd64', 'arm64'],
    );
    const arm = JSON.parse(
      skopeo('inspect', '--override-arch', 'arm64', '--tls-verify=false', remote('multi/box:all')),
    ) as { Architecture: string };
    assert.equal(arm.Architecture, 'arm64');

    clear();
    const refused = world.call(['pull', '--platform', 'linux/s390x', list]);
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /no matching manifest for linux\/s390x .* it has linux\/amd64, linux\/arm64/,
    );
    world.output(['pull', '-q', list]);
    assert.equal(world.output(['run', list]), 'from the registry');
    assert.equal(world.output(['image', 'inspect', '-f', '{{.Architecture}}', list]), 'amd64');
    assert.match(
      world.call(['run', '--pull', 'never', '--platform', 'linux/arm64', list]).stderr,
      /No such image/,
    );
    world.output(['pull', '-q', '--platform', 'linux/arm64', list]);
    assert.equal(
      world.output(['image', 'inspect', '--platform', 'linux/arm64', '-f', '{{.Architecture}}', list]),
      'arm64',
    );
    // Both are here now, and each is found.
    assert.equal(world.output(['run', list]), 'from the registry');
    const other = world.output(['pull', '-q', named(`multi/box@${digest}`)]);
    assert.equal(other, named(`multi/box@${digest}`));
  });

  test(`${who}: a registry that wants a password`, async () => {
    const closed = await DockerRegistry.start({ auth: true });
    try {
      clear();
      world.output(['load', '-q', '-i', file]);
      const name = `${closed.host}/private/box:1`;
      world.output(['tag', 'box:1', name]);
      const refused = world.call(['push', name]);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /authentication is required|caisson login/);
      const wrong = world.call(['login', '-u', 'alice', '--password-stdin', closed.host], {
        input: 'nonsense\n',
      });
      assert.notEqual(wrong.code, 0);
      assert.doesNotMatch(wrong.stderr, /nonsense/);
      const login = world.call(['login', '-u', 'alice', '--password-stdin', closed.host], {
        input: 'canary-pass\n',
      });
      assert.equal(login.stdout, 'Login Succeeded\n', login.stderr);
      assert.doesNotMatch(login.stderr + login.stdout, /canary-pass/);
      world.output(['push', '-q', name]);
      clear();
      assert.equal(world.output(['run', '-q', name]), 'from the registry');
      assert.match(readFileSync(`${world.directory}/docker/config.json`, 'utf8'), new RegExp(closed.host));
      assert.match(world.output(['logout', closed.host]), /Removing login credentials for /);
      assert.match(world.output(['logout', closed.host]), /Not logged in to /);
      assert.equal(world.call(['pull', name]).code, 1);
    } finally {
      await closed.stop();
    }
  });

  test(`${who}: search in the catalog, and the tags of a repository`, () => {
    const found = world.output(['search', '--format', '{{.Name}}', named('team')]).split('\n');
    assert.deepEqual(found, [named('team/app'), named('team/other')]);
    clear();
    const all = world.output(['pull', '-a', '-q', named('multi/box')]);
    assert.equal(all, named('multi/box'));
    const tags = world
      .output(['images', '--format', '{{.Tag}}', named('multi/box')])
      .split('\n')
      .sort();
    assert.deepEqual(tags, ['1', 'all', 'arm']);
    assert.match(world.call(['pull', named('none/such:1')]).stderr, /not found/);
    assert.equal(world.call(['pull', named('none/such:1')]).code, 1);
  });
}
