// Pushing to a registry: monolithic, in chunks, mounted, and gone on with after everything that may break it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseReference } from '../../src/spec/reference.ts';
import { FakeRegistry } from './fake-registry.ts';
import { bodyOf, saying, send } from './fake-server.ts';
import { addImage, described, failure, Home, noise, open, piecesOf } from './surroundings.ts';

const LARGE = noise(5 << 20);

async function withRegistry(
  run: (fake: FakeRegistry, opened: Awaited<ReturnType<typeof open>>) => Promise<void>,
): Promise<void> {
  const home = new Home();
  const fake = await new FakeRegistry().listen();
  const opened = await open(home, `${fake.host}/team/app:1`, 'push');
  try {
    await run(fake, opened);
  } finally {
    opened.registry.close();
    await fake.close();
    home.remove();
  }
}

test('push: a small blob in one request, a large one as a chunk, an empty one, and the manifest', async () => {
  await withRegistry(async (fake, { registry, events }) => {
    for (const bytes of [noise(1000), LARGE, Buffer.alloc(0)]) {
      const blob = described(bytes);
      assert.equal(await registry.hasBlob(blob), false);
      await registry.uploadBlob(blob, piecesOf(bytes));
      assert.equal(await registry.hasBlob(blob), true);
      assert.ok(fake.blobs.get(blob.digest)?.equals(bytes));
    }
    assert.equal(fake.count(/^PATCH/), 1);
    assert.ok(events.some((event) => event.kind === 'bytes' && event.at === LARGE.length));
    const ref = parseReference(`${fake.host}/team/app:1`);
    const bytes = Buffer.from('{"schemaVersion":2}');
    const type = 'application/vnd.oci.image.manifest.v1+json';
    const put = await registry.putManifest(ref, type, bytes);
    assert.equal(put.size, bytes.length);
    assert.equal((await registry.resolve(ref)).digest, put.digest);
  });
});

test('push: an upload goes on where its connection broke', async () => {
  await withRegistry(async (fake, { registry, events }) => {
    let breaks = 0;
    fake.script(
      /^PATCH/,
      async (request) => {
        const id = /uploads\/([^?]+)/.exec(request.url ?? '')?.[1] ?? '';
        const upload = fake.uploads.get(id);
        const { socket } = request;
        let taken = 0;
        for await (const chunk of request) {
          if (upload !== undefined) upload.bytes = Buffer.concat([upload.bytes, chunk as Buffer]);
          taken += (chunk as Buffer).length;
          if (taken > 1 << 20) break;
        }
        breaks++;
        socket.destroy();
        return true;
      },
      3,
    );
    const blob = described(LARGE);
    await registry.uploadBlob(blob, piecesOf(LARGE));
    assert.equal(breaks, 3);
    assert.ok(fake.blobs.get(blob.digest)?.equals(LARGE));
    const sent = fake.seen
      .filter(({ method }) => method === 'PATCH')
      .map(({ headers }) => headers['content-range']);
    assert.equal(sent[0], `0-${LARGE.length - 1}`);
    assert.equal(new Set(sent).size, 4, 'each chunk begins where the last one ended');
    assert.equal(events.filter(({ kind }) => kind === 'retry').length, 3);
  });
});

test('push: a proxy that takes less at once gets smaller chunks; a registry may want them longer', async () => {
  await withRegistry(async (fake, { registry }) => {
    fake.script(/^PATCH/, async (request, response) => {
      if (Number(request.headers['content-length']) <= 3 << 20) return false;
      // As nginx does: an answer before the body has been read.
      send(response, 413, { Connection: 'close' }, '<html>Request Entity Too Large</html>');
      request.resume();
      return true;
    });
    const blob = described(LARGE);
    await registry.uploadBlob(blob, piecesOf(LARGE));
    assert.ok(fake.blobs.get(blob.digest)?.equals(LARGE));
    assert.ok(fake.count(/^PATCH/) >= 3);
  });
});

test('push: a registry that takes less of a chunk than it was sent', async () => {
  await withRegistry(async (fake, { registry }) => {
    fake.script(/^PATCH/, async (request, response) => {
      const id = /uploads\/([^?]+)/.exec(request.url ?? '')?.[1] ?? '';
      const upload = fake.uploads.get(id);
      const body = await bodyOf(request);
      if (upload === undefined) return false;
      upload.bytes = Buffer.concat([upload.bytes, body.subarray(0, 2 << 20)]);
      return send(response, 202, { Location: request.url ?? '', Range: `0-${upload.bytes.length - 1}` }, '');
    });
    const blob = described(LARGE);
    await registry.uploadBlob(blob, piecesOf(LARGE));
    assert.ok(fake.blobs.get(blob.digest)?.equals(LARGE));
    assert.equal(fake.count(/^PATCH/), 3);
  });
});

test('push: an upload that the registry has forgotten begins again, but not for ever', async () => {
  await withRegistry(async (fake, { registry }) => {
    fake.script(/^PATCH/, saying(404, {}, '{}'), 2);
    const blob = described(LARGE);
    await registry.uploadBlob(blob, piecesOf(LARGE));
    assert.ok(fake.blobs.has(blob.digest));
    fake.script(/^PATCH/, saying(404, {}, '{}'));
    const other = noise(2 << 20, 9);
    const error = await failure(registry.uploadBlob(described(other), piecesOf(other)));
    assert.equal(error.code, 'EUPLOAD');
    assert.equal(fake.count(/^POST/), 3 + 4);
  });
});

test('push: no chunks at this registry; a PUT whose answer was lost', async () => {
  await withRegistry(async (fake, { registry }) => {
    fake.script(/^PATCH/, saying(400, {}, '{"errors":[{"code":"UNSUPPORTED"}]}'), 1);
    const first = noise(2 << 20, 3);
    await registry.uploadBlob(described(first), piecesOf(first));
    assert.ok(fake.blobs.get(described(first).digest)?.equals(first));
    fake.script(/^PATCH/, saying(405), 1);
    const blob = described(LARGE);
    await registry.uploadBlob(blob, piecesOf(LARGE));
    assert.ok(fake.blobs.get(blob.digest)?.equals(LARGE));
    const small = noise(500, 4);
    fake.script(
      /^PUT .*uploads/,
      async (request) => {
        const { socket } = request;
        fake.blobs.set(described(small).digest, await bodyOf(request));
        socket.destroy();
        return true;
      },
      1,
    );
    await registry.uploadBlob(described(small), piecesOf(small));
    assert.ok(fake.blobs.get(described(small).digest)?.equals(small));
  });
});

test('push: a mount that is taken, one that is not, one that is refused', async () => {
  await withRegistry(async (fake, { registry }) => {
    const { layer } = addImage(fake, 'other/app', '1', noise(100));
    assert.equal(await registry.mount(layer, 'other/app'), true);
    const blob = described(noise(2000, 5));
    assert.equal(await registry.mount(blob, 'other/app'), false);
    await registry.uploadBlob(blob, piecesOf(noise(2000, 5)));
    // The upload that the registry began instead was used.
    assert.equal(fake.count(/^POST/), 2);
    fake.script(/^POST .*mount=/, saying(403, {}, '{"errors":[{"code":"DENIED"}]}'), 1);
    assert.equal(await registry.mount(blob, 'secret/app'), false);
  });
});

test('push: content that is not as long as it was said, and content with another digest', async () => {
  await withRegistry(async (fake, { registry }) => {
    for (const length of [100, 3 << 20]) {
      const blob = { ...described(noise(length, 6)), size: length + 1 };
      const error = await failure(registry.uploadBlob(blob, piecesOf(noise(length, 6))));
      assert.equal(error.code, 'ESIZE');
    }
    const wrong = { ...described(noise(100, 7)), digest: described(noise(100, 8)).digest };
    assert.equal((await failure(registry.uploadBlob(wrong, piecesOf(noise(100, 7))))).code, 'EDIGEST');
    assert.equal(fake.blobs.size, 0);
    fake.script(/^PUT .*manifests/, saying(201, { 'Docker-Content-Digest': described(noise(1)).digest }));
    const put = registry.putManifest(parseReference(`${fake.host}/team/app:1`), 'a/b', Buffer.from('{}'));
    assert.equal((await failure(put)).code, 'EDIGEST');
  });
});

test('push: a registry that takes a byte at a time is given up', async () => {
  await withRegistry(async (fake, { registry }) => {
    let taken = 0;
    fake.script(/^PATCH/, async (request, response) => {
      await bodyOf(request);
      return send(response, 202, { Location: request.url ?? '', Range: `0-${taken++ + 1}` }, '');
    });
    const bytes = noise(2 << 20);
    const error = await failure(registry.uploadBlob(described(bytes), piecesOf(bytes)));
    assert.equal(error.code, 'EUPLOAD');
    assert.ok(fake.count(/^PATCH/) < 60);
  });
});

test('push: a registry that loses what was sent is given up', async () => {
  await withRegistry(async (fake, { registry }) => {
    fake.script(/^PATCH/, async (request, response) => {
      await bodyOf(request);
      return send(response, 202, { Location: request.url ?? '', Range: '0-0' }, '');
    });
    const error = await failure(registry.uploadBlob(described(LARGE), piecesOf(LARGE)));
    assert.equal(error.code, 'EUPLOAD');
    assert.ok(fake.count(/^PATCH/) <= 4);
  });
});
