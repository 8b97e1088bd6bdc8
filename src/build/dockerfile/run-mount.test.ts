// Tests of RUN --mount.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { csvFields } from './csv.ts';
import { parseDockerfile } from './parse.ts';
import { readMount } from './run-mount.ts';

function mountOf(text: string, expand = (word: string) => word) {
  const [instruction] =
    parseDockerfile('Dockerfile', `FROM x\nRUN --mount=${text} true`).stages[0]?.instructions ?? [];
  assert.ok(instruction?.kind === 'run');
  const [word] = instruction.mounts;
  assert.ok(word !== undefined);
  return readMount(instruction.line, word, expand);
}

test('each kind with its defaults', () => {
  const shown = (text: string) => {
    const { type, readOnly, target, source, from, id, sharing } = mountOf(text);
    return { type, readOnly, target, source, from, id, sharing };
  };
  const plain = { target: '/t', source: '', from: '', id: '', sharing: 'shared' };
  assert.deepEqual(shown('target=/t'), { ...plain, type: 'bind', readOnly: true });
  assert.deepEqual(shown('type=bind,dst=/t,rw,from=a,src=b'), {
    ...plain,
    type: 'bind',
    readOnly: false,
    from: 'a',
    source: 'b',
  });
  assert.deepEqual(shown('type=cache,target=/t,id=i,sharing=locked'), {
    ...plain,
    type: 'cache',
    readOnly: false,
    id: 'i',
    sharing: 'locked',
  });
  assert.deepEqual(shown('type=tmpfs,target=/t'), { ...plain, type: 'tmpfs', readOnly: false });
  assert.equal(mountOf('type=tmpfs,target=/t,size=64m').size, 64 << 20);
});

test('secrets', () => {
  const found = mountOf('type=secret,id=a,target=/s,mode=0440,uid=1,gid=2,required,env=TOKEN');
  assert.deepEqual(
    [found.id, found.mode, found.uid, found.gid, found.required, found.env],
    ['a', 0o440, 1, 2, true, 'TOKEN'],
  );
});

test('variables are replaced in values, but for the stage', () => {
  const found = mountOf('type=cache,id=$X,target=/c', (word) => word.replace('$X', 'y'));
  assert.equal(found.id, 'y');
  assert.throws(() => mountOf('from=$X,target=/c'), /'from' doesn't support variable expansion/);
});

test('nothing but the known options is taken', () => {
  for (const [text, pattern] of [
    ['type=bnd,target=/t', /unsupported mount type "bnd", did you mean bind\?/],
    ['target=/t,bind-propagation=rshared', /unexpected key 'bind-propagation'/],
    ['target=/t,z', /unexpected key 'z'/],
    ['target=/t,mode=0755', /mode not allowed for "bind" type mounts/],
    ['type=cache,target=/t,size=1', /unexpected key 'size' for mount type 'cache'/],
    ['type=secret', /one of source, target required/],
    ['type=secret,id=a,src=b', /both source and id can't be set/],
    ['type=secret,id=a,from=b', /should not have a from/],
    ['type=tmpfs,target=/t,sharing=locked', /invalid cache sharing set for tmpfs mount/],
    ['type=ssh,source=x', /ssh does not support source/],
    ['type=cache,target=/t,uid=4294967295', /invalid value 4294967295 for uid/],
    ['type=cache,target=/t,mode=99', /invalid value 99 for mode/],
    ['target', /must be a key=value pair/],
    ['__proto__=x,target=/t', /unexpected key '__proto__'/],
  ] as const)
    assert.throws(() => mountOf(text), pattern, text);
});

test('comma-separated values', () => {
  assert.deepEqual(csvFields('a,"b,c",,"d""e"'), ['a', 'b,c', '', 'd"e']);
  assert.throws(() => csvFields('"a'), /missing "/);
  assert.throws(() => csvFields('a"b'), /bare "/);
  assert.throws(() => csvFields('"a"b'), /extraneous "/);
});
