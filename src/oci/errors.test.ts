// Texts that engines search for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { doesNotExist } from '../runtime/container.ts';
import { executionError } from '../runtime/execution.ts';
import { checkId } from '../runtime/state.ts';
import { CaissonError } from '../spec/error.ts';
import { errorText } from './errors.ts';

const START = 'unable to start container process: ';

function thrown(run: () => void): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

test('the texts of runc', () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [doesNotExist('x'), 'container does not exist'],
    [thrown(() => checkId('../x')), 'invalid container ID format'],
    [executionError('nope', 2), `${START}exec: "nope": executable file not found in $PATH`],
    [executionError('/nope', 2), `${START}exec: "/nope": no such file or directory`],
    [executionError('/etc', 13), `${START}exec: "/etc": permission denied`],
    [new CaissonError('anything', { code: 'ENOTRUNNING' }), 'container not running'],
    [
      new CaissonError('container with given ID already exists: x', { code: 'ECONFLICT' }),
      'container with given ID already exists',
    ],
  ];
  for (const [error, text] of cases) assert.equal(errorText(error), text);
});

test('a failed step names its fields, once', () => {
  const error = new CaissonError('bind /a at /b: no such file or directory (ENOENT)', {
    code: 'ESYSCALL',
    syscall: 'open_tree',
    errno: 2,
    provenance: ['/mounts/3/source', '/mounts/3'],
    details: ['step 3 of 5'],
  });
  assert.equal(
    errorText(error),
    `${START}error during container init: error mounting: bind /a at /b: no such file or directory (ENOENT) (/mounts/3/source, /mounts/3); step 3 of 5`,
  );
});

test('all problems of a configuration are told', () => {
  const error = new CaissonError('config.json: /process/cwd: is missing', {
    code: 'EINVALIDSPEC',
    provenance: ['/process/cwd', '/hostname'],
    details: ['config.json: /hostname: is a number'],
  });
  assert.equal(
    errorText(error),
    'config.json: /process/cwd: is missing (/hostname); config.json: /hostname: is a number',
  );
});

test('anything else is a bug, and says so', () => {
  assert.equal(errorText(new TypeError('\u00e4')), 'unexpected: \xc3\xa4');
  assert.equal(errorText('x'), 'unexpected: x');
});
