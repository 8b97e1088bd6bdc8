// `engine.images.build`: an image from a directory, its events, and what a broken Dockerfile throws.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { type BuildEvent, CaissonError, Engine } from '../../src/index.ts';
import { Harness, rootOnly as skip } from '../harness/caisson.ts';
import { busyboxLayer, oldArchive } from '../images/image.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

test('a build, the same again, and a broken one', { skip }, async () => {
  const { directory } = harness;
  const engine = await Engine.open({ dataRoot: `${directory}/data`, stateRoot: harness.state });
  const base = `${directory}/base.tar`;
  writeFileSync(base, oldArchive({ name: 'base:1', layers: [busyboxLayer(directory)], config: {} }));
  await engine.images.load(base);
  const context = `${directory}/context`;
  mkdirSync(context);
  writeFileSync(`${context}/given`, 'given\n');
  const dockerfile = 'FROM base:1\nARG WHO\nCOPY given /given\nRUN echo "by $WHO" > /made && echo told\n';
  writeFileSync(`${context}/Dockerfile`, dockerfile);
  const events: BuildEvent[] = [];
  const choice = {
    context,
    tags: ['built:1'],
    buildArgs: { WHO: 'ä' },
    labels: { a: 'b' },
    network: 'none' as const,
    onEvent: (event: BuildEvent) => events.push(event),
  };
  const id = await engine.images.build(choice);
  assert.match(id, /^sha256:[0-9a-f]{64}$/);
  assert.ok(events.some(({ kind, text }) => kind === 'output' && text?.includes('told')));
  const begun = events.filter(({ kind }) => kind === 'begin').map(({ title }) => title);
  assert.ok(
    begun.some((title) => title.includes('COPY given /given')),
    begun.join('; '),
  );
  events.splice(0);
  assert.equal(await engine.images.build(choice), id);
  assert.ok(events.some(({ kind, title }) => kind === 'cached' && title.includes('RUN')));
  const flags = { cgroupParent: `/${harness.cgroup}`, network: 'none' };
  const container = await engine.containers.run({
    image: 'built:1',
    command: ['cat', '/given', '/made'],
    flags,
  });
  await container.wait();
  const said = [];
  for await (const { text } of container.logs()) said.push(text);
  assert.equal(said.join(''), 'given\nby ä\n');
  await container.remove();

  writeFileSync(`${context}/Dockerfile`, 'FROM base:1\nRUN exit 3\n');
  await assert.rejects(engine.images.build(choice), (error) => {
    assert.ok(error instanceof CaissonError);
    assert.match([error.message, ...error.details].join('\n'), /Dockerfile:2/);
    return true;
  });
});
