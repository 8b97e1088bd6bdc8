// Archives between caisson, docker, podman, skopeo and umoci, both ways, plain and compressed.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { Docker } from '../dropin/docker.ts';
import { RUNTIMES, type Runtime } from '../dropin/runtimes.ts';
import { DAILY } from '../images/callers.ts';
import { busyboxLayer, layer, oldArchive } from '../images/image.ts';
import { World } from '../images/world.ts';
import { peer, peersMissing, podman, skopeo } from './peers.ts';

const UPPER = layer(['etc/motd', 'second\n'], ['etc/.wh.group']);
const NAME = 'caisson.test/box:1';
const CONFIG = { Cmd: ['cat', '/etc/motd'], Labels: { maker: 'tests' }, Env: ['PATH=/bin', 'A=b c'] };

/** What does not tell when it was loaded. */
function lasting({ Id, Config, RootFS }: Inspected): Inspected {
  return { Id, Config, RootFS };
}

interface Inspected {
  readonly Id: string;
  readonly Config: { readonly Cmd: readonly string[]; readonly Env: readonly string[] };
  readonly RootFS: { readonly Layers: readonly string[] };
}

for (const { who, caller, skip } of DAILY) {
  const reason = skip || peersMissing;
  if (reason !== false) {
    test(`archives of ${who}`, { skip: reason }, () => undefined);
    continue;
  }
  const world = new World(caller);
  const peers = `${world.harness.directory}/peers`;
  mkdirSync(peers);
  let docker: Docker | undefined;
  after(async () => {
    await docker?.close();
    rmSync(peers, { recursive: true, force: true });
    world.close();
  });
  const archive = oldArchive({
    name: NAME,
    layers: [busyboxLayer(world.directory), UPPER],
    config: CONFIG,
  });
  const file = world.file('box.tar', archive);

  const inspect = (name: string) => JSON.parse(world.output(['image', 'inspect', name]))[0] as Inspected;

  /** Loads an archive that somebody else has written into an empty store, and runs it. */
  const loaded = (path: string): Inspected => {
    world.call(['image', 'prune', '-af']);
    world.harness.own(path);
    world.output(['load', '-i', path]);
    assert.equal(world.output(['run', NAME]), 'second');
    return inspect(NAME);
  };

  test(`${who}: save and load keep every digest, plain and compressed, by file and by pipe`, () => {
    const before = loaded(file);
    for (const format of ['docker', 'oci']) {
      const saved = `${world.directory}/saved-${format}.tar`;
      world.output(['save', '--format', format, '-o', saved, NAME]);
      assert.ok(world.bytes(['save', '--format', format, NAME]).equals(readFileSync(saved)));
      for (const program of [['cat'], ['gzip', '-c'], ['zstd', '-c', '-q']]) {
        const [name = '', ...args] = program;
        const { stdout, status } = spawnSync(name, [...args, saved], { maxBuffer: 1 << 28 });
        if (status !== 0 && name === 'zstd') continue;
        const path = world.file('again.tar', stdout);
        assert.deepEqual(lasting(loaded(path)), lasting(before), name);
        world.output(['rmi', NAME]);
        assert.match(
          world.output(['load'], { input: stdout.toString('latin1') }),
          new RegExp(`Loaded image: ${NAME}`),
        );
      }
    }
  });

  test(`${who}: skopeo and umoci read what is saved, and the other way`, () => {
    const before = loaded(file);
    const saved = `${world.directory}/for-skopeo.tar`;
    world.output(['save', '-o', saved, NAME]);
    const show = (place: string) =>
      JSON.parse(skopeo('inspect', '--config', place)) as { config: { Cmd: string[] } };
    assert.deepEqual(show(`docker-archive:${saved}`).config.Cmd, CONFIG.Cmd);
    assert.deepEqual(show(`oci-archive:${saved}:${NAME}`).config.Cmd, CONFIG.Cmd);
    skopeo('copy', `oci-archive:${saved}:${NAME}`, `oci:${peers}/layout:box`);
    peer('umoci', 'unpack', '--image', `${peers}/layout:box`, `${peers}/bundle`);
    assert.equal(readFileSync(`${peers}/bundle/rootfs/etc/motd`, 'utf8'), 'second\n');

    for (const [place, suffix] of [
      ['docker-archive', NAME],
      ['oci-archive', NAME],
    ] as const) {
      const theirs = `${peers}/${place}.tar`;
      skopeo('copy', `oci:${peers}/layout:box`, `${place}:${theirs}:${suffix}`);
      copyFileSync(theirs, `${world.directory}/${place}.tar`);
      assert.equal(loaded(`${world.directory}/${place}.tar`).Id, before.Id);
    }
  });

  test(`${who}: podman loads what is saved, and the other way`, () => {
    const before = loaded(file);
    for (const format of ['docker', 'oci']) {
      const saved = `${peers}/for-podman-${format}.tar`;
      world.output(['save', '--format', format, '-o', `${world.directory}/p.tar`, NAME]);
      copyFileSync(`${world.directory}/p.tar`, saved);
      podman(peers, 'load', '-q', '-i', saved);
      const [found] = JSON.parse(podman(peers, 'inspect', '--type', 'image', NAME)) as [Inspected];
      assert.equal(`sha256:${found.Id}`, before.Id);
      for (const theirs of ['docker-archive', 'oci-archive']) {
        const path = `${peers}/podman-${theirs}.tar`;
        rmSync(path, { force: true });
        podman(peers, 'save', '-q', '--format', theirs, '-o', path, NAME);
        copyFileSync(path, `${world.directory}/theirs.tar`);
        assert.equal(loaded(`${world.directory}/theirs.tar`).Id, before.Id, theirs);
      }
      podman(peers, 'rmi', '-f', NAME);
    }
  });

  test(`${who}: docker loads what is saved, and the other way`, { timeout: 90_000 }, async () => {
    docker ??= await Docker.open(RUNTIMES[0] as Runtime);
    const { directory } = docker.room;
    const before = loaded(file);
    for (const format of ['docker', 'oci']) {
      world.output(['save', '--format', format, '-o', `${world.directory}/d.tar`, NAME]);
      copyFileSync(`${world.directory}/d.tar`, `${directory}/d.tar`);
      // docker's classic store reads docker's archives alone.
      if (format === 'docker') {
        assert.match(
          await docker.output(['load', '-i', `${directory}/d.tar`]),
          new RegExp(`Loaded image: ${NAME}`),
        );
        const [found] = JSON.parse(await docker.output(['inspect', NAME])) as [Inspected];
        assert.equal(found.Id, before.Id);
        assert.deepEqual(found.RootFS.Layers, before.RootFS.Layers);
        assert.equal(await docker.output(['run', '--rm', '--network', 'none', NAME]), 'second');
      }
    }
    await docker.output(['save', '-o', `${directory}/theirs.tar`, NAME]);
    copyFileSync(`${directory}/theirs.tar`, `${world.directory}/theirs.tar`);
    assert.equal(loaded(`${world.directory}/theirs.tar`).Id, before.Id);
    await docker.output(['rmi', NAME]);
    const exported = await docker.output(['create', '--network', 'none', 'caisson.test/busybox:1']);
    await docker.output(['export', '-o', `${directory}/export.tar`, exported]);
    copyFileSync(`${directory}/export.tar`, `${world.directory}/export.tar`);
    world.harness.own(`${world.directory}/export.tar`);
    world.output([
      'import',
      '--change',
      'CMD ["cat","/etc/passwd"]',
      `${world.directory}/export.tar`,
      'exported:1',
    ]);
    assert.match(world.output(['run', 'exported:1']), /^root:x:0:0/);
  });

  test(`${who}: inspect says what docker says of the same image`, async () => {
    assert.ok(docker !== undefined, 'the test before has opened it');
    const before = loaded(file);
    world.output(['save', '-o', `${world.directory}/i.tar`, NAME]);
    copyFileSync(`${world.directory}/i.tar`, `${docker.room.directory}/i.tar`);
    await docker.output(['load', '-i', `${docker.room.directory}/i.tar`]);
    const [theirs] = JSON.parse(await docker.output(['image', 'inspect', NAME])) as [Record<string, unknown>];
    const ours: Record<string, unknown> = { ...before };
    const same = [
      'Id',
      'RepoTags',
      'Parent',
      'Comment',
      'Created',
      'DockerVersion',
      'Author',
      'Architecture',
      'Os',
      'RootFS',
    ];
    for (const name of same) assert.deepEqual(ours[name], theirs[name], name);
    const config = theirs.Config as Record<string, unknown>;
    for (const name of ['User', 'Env', 'Cmd', 'Entrypoint', 'WorkingDir', 'Labels', 'Volumes', 'OnBuild'])
      assert.deepEqual((ours.Config as Record<string, unknown>)[name] ?? '', config[name] ?? '', name);
    const template =
      '{{.Id}} {{index .Config.Env 1}} {{json .Config.Labels}} {{len .RootFS.Layers}} {{.Config.Cmd}}';
    assert.equal(
      world.output(['image', 'inspect', '-f', template, NAME]),
      await docker.output(['image', 'inspect', '-f', template, NAME]),
    );
    for (const format of [
      'table {{.Repository}}\\t{{.Tag}}\\t{{.ID}}',
      '{{.Repository}}:{{.Tag}}',
      '{{.ID}}|{{.CreatedSince}}',
    ])
      assert.equal(
        world.output(['images', '--format', format, NAME]).trim(),
        (await docker.output(['images', '--format', format, NAME])).trim(),
      );
    const history = ['history', '--no-trunc', '--format', '{{.ID}}|{{.CreatedBy}}|{{.CreatedAt}}', NAME];
    assert.equal(
      world.output(history).replaceAll('Z', ''),
      (await docker.output(history)).replaceAll('+00:00', '').replaceAll('Z', ''),
    );
  });
}
