// Extended attributes: those of files that are copied into a new volume, and labels of a whole tree (z, Z).
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { changeTree } from '../../src/engine/volumes/change-tree.ts';
import { nodePort } from '../../src/host/node.ts';
import { builtPrograms } from '../../src/host/programs.ts';
import { openTarget } from '../../src/image/extract-target.ts';
import { Conversation } from '../../src/image/layer/conversation.ts';
import { TreeCalls } from '../../src/image/layer/tree-calls.ts';
import { TreeReader } from '../../src/image/layer/tree-reader.ts';
import { concat, END, member, pax } from '../../src/image/tar.testing.ts';
import { openFileLauncher } from '../../src/image/user-namespace.ts';
import { skip } from '../harness/caisson.ts';
import { busyboxLayer, oldArchive } from '../images/image.ts';
import { World } from '../images/world.ts';

const LABEL = 'system_u:object_r:container_file_t:s0';

/** The labels of all files in a directory, by their names. */
async function labelsIn(directory: string): Promise<Map<string, string | undefined>> {
  const port = nodePort(builtPrograms());
  const { channel } = await openFileLauncher(port, 'test');
  try {
    const conversation = new Conversation(channel, 'test');
    const calls = new TreeCalls(port.arch);
    const tree = await openTarget(conversation, calls, directory, {
      confine: false,
      fresh: false,
      writable: false,
    });
    const reader = new TreeReader(conversation, tree, port.arch);
    const found = new Map<string, string | undefined>();
    const root = await reader.directory('');
    assert.ok(root !== undefined);
    for await (const { node } of reader.complete(
      '',
      [{ ...root, path: '.' }, ...(await reader.entries(''))],
      false,
    ))
      found.set(node.path, node.xattrs.get('security.selinux'));
    return found;
  } finally {
    await channel.close();
  }
}

test('a label for a whole tree, and nothing behind its links', { skip }, async () => {
  const world = new World();
  try {
    const directory = world.harness.makeDirectory('labelled');
    const canary = world.harness.makeDirectory('canary');
    writeFileSync(`${canary}/secret`, '');
    mkdirSync(`${directory}/dir`);
    writeFileSync(`${directory}/dir/file`, '');
    writeFileSync(`${directory}/file`, '');
    symlinkSync(canary, `${directory}/link`);
    symlinkSync(`${canary}/secret`, `${directory}/dir/link`);
    await changeTree(nodePort(builtPrograms()), directory, { kind: 'label', label: LABEL }, 'test');
    const label = `${LABEL}\0`;
    const expected = ['.', 'dir', 'file', 'link'].map((name) => [name, label]);
    assert.deepEqual([...(await labelsIn(directory))], expected);
    assert.deepEqual(
      [...(await labelsIn(`${directory}/dir`))],
      [
        ['.', label],
        ['file', label],
        ['link', label],
      ],
    );
    assert.deepEqual(
      [...(await labelsIn(canary))],
      [
        ['.', undefined],
        ['secret', undefined],
      ],
    );
  } finally {
    world.close();
  }
});

test('attributes of the files of an image, and of an archive', { skip }, () => {
  const world = new World();
  after(() => {
    world.close();
  });
  const seed = concat(
    member({ name: 'data/', type: '5' }),
    pax(['SCHILY.xattr.user.kept', 'value'], ['SCHILY.xattr.user.overlay.opaque', 'y']),
    member({ name: 'data/file' }, 'x'),
    END,
  );
  const layers = [busyboxLayer(world.directory), Buffer.from(seed)];
  world.output(['load', '-q', '-i', world.file('images.tar', oldArchive({ name: 'seed:1', layers }))]);
  world.output(['run', '--rm', '-v', 'first:/data', 'seed:1', 'true']);
  const archive = world.bytes(['volume', 'export', 'first']);
  assert.match(archive.toString('latin1'), /SCHILY\.xattr\.user\.kept=value\n/);
  assert.doesNotMatch(archive.toString('latin1'), /overlay/);
  world.output(['volume', 'create', 'second']);
  world.output(['volume', 'import', 'second', world.file('first.tar', archive)]);
  assert.deepEqual(world.bytes(['volume', 'export', 'second']), archive);
});
