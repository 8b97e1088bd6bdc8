// `--cache-to` and `--cache-from`: results of one store serve a build in another, through a registry.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ROOT, skip } from '../harness/caisson.ts';
import { DockerRegistry, missing } from '../registry/docker-registry.ts';
import { cached, Site } from './site.ts';

const without = skip || missing;
const site = without === false ? new Site(ROOT) : undefined;
after(() => site?.close());

const DOCKERFILE = `FROM bb AS tools
RUN echo tool > /tool
FROM bb
COPY f /f
RUN date +%N > /when; rm /etc/group
COPY --from=tools /tool /tool`;

test('results go to a registry and serve another machine', { skip: without }, async () => {
  assert.ok(site !== undefined);
  const registry = await DockerRegistry.start();
  const other = new Site(ROOT);
  const ref = `127.0.0.1:${registry.port}/cache/app:latest`;
  const build = async (at: Site, args: readonly string[]) => {
    const context = at.context({ Dockerfile: DOCKERFILE, f: 'f' });
    const ended = await at.start(['build', '--progress', 'plain', '-t', 'app', ...args, context]).end();
    assert.equal(ended.code, 0, ended.stderr);
    return ended;
  };
  try {
    // Both have the very same base image.
    other.output(['rmi', 'bb']);
    site.output(['save', '-o', `${site.directory}/bb.tar`, 'bb']);
    other.output(['load', '-q', '-i', `${site.directory}/bb.tar`]);
    assert.equal(cached(await build(site, ['--cache-to', `type=registry,ref=${ref},mode=max`])), 0);
    assert.equal(cached(await build(other, ['--cache-from', ref])), 4);
    const show = (at: Site) =>
      at.output(['run', '--rm', '-q', 'app', 'sh', '-c', 'cat /f /when /tool; ls /etc']);
    assert.equal(show(other), show(site));
    // What has come is a part of the local cache.
    assert.equal(cached(await build(other, [])), 4);
    const none = await build(other, ['--cache-from', `127.0.0.1:${registry.port}/cache/none`, '--no-cache']);
    assert.match(none.stderr, /warning: the cache is not used/);
  } finally {
    other.close();
    await registry.stop();
  }
});

test('places of caches', { skip }, () => {
  assert.ok(site !== undefined);
  for (const text of ['type=local,dest=x', 'type=registry', 'type=registry,ref=x,mode=y'])
    assert.match(site.build('FROM bb', {}, ['--cache-to', text]).stderr, /invalid --cache-to/);
});
