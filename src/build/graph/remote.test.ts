// Tests of addresses that ADD and builds take: git and http.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isGitSource, isHttpSource, nameOfUrl, parseGitSource } from './remote.ts';

test('what is a repository, and what a file on the network', () => {
  for (const text of [
    'https://h/x.git',
    'http://h/x.git#main',
    'git://h/x',
    'ssh://g@h/x',
    'git@h.org:a/b',
    'https://h/a.git?ref=x',
  ])
    assert.ok(isGitSource(text) && !isHttpSource(text), text);
  for (const text of ['https://h/x', 'http://h/x.tar.gz', 'https://h/x.git/file'])
    assert.ok(isHttpSource(text), text);
  for (const text of ['a/b', './x.git', 'git', 'x:y'])
    assert.ok(!isHttpSource(text) && !isGitSource(text), text);
});

test('refs and subdirectories', () => {
  const { remote, ref, subdirectory } = parseGitSource('https://h/x.git#v1.2:a/b');
  assert.deepEqual([remote, ref, subdirectory], ['https://h/x.git', 'v1.2', 'a/b']);
  const query = parseGitSource(
    'https://h/x.git?tag=v1&subdir=a&keep-git-dir=1&submodules=false&commit=abcdef0',
  );
  assert.deepEqual(
    [query.ref, query.subdirectory, query.keepGitDirectory, query.submodules, query.commit],
    ['refs/tags/v1', 'a', true, false, 'abcdef0'],
  );
});

test('T45: nothing that git would take for an option, no way out of the repository', () => {
  for (const text of [
    'https://h/x.git#--upload-pack=touch x',
    'https://h/x.git#-x',
    'https://h/x.git#a..b',
    'https://h/x.git#a b',
    'https://h/x.git#x.lock',
    'https://h/x.git#@{1}',
    'https://h/x.git#:../../etc',
    'https://h/x.git?ref=--x',
    'https://h/x.git?ref=a&branch=b',
    'https://h/x.git?subdir=a%2F..%2F..%2Fetc',
    'https://h/x.git?nope=1',
    'https://h/x.git?ref=%zz',
    'ssh://-oProxyCommand=x/y',
    'git://-x/y',
    'ssh:///y',
    'https://h/x\n.git',
    'git@h:x y',
  ])
    assert.throws(() => parseGitSource(text), /git|host|white|query|ref|subdirectory|encoded/, text);
});

test('the name of a file from a URL', () => {
  for (const [url, name] of [
    ['https://h/a/b.txt?x=1#y', 'b.txt'],
    ['https://h/a%20b', 'a b'],
    ['https://h/', '__unnamed__'],
    ['https://h/a%2Fb', '__unnamed__'],
    ['https://h/%2e%2e', '__unnamed__'],
  ] as const)
    assert.equal(nameOfUrl(url), name, url);
});
