// Errors as a person sees them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CaissonError } from '../spec/error.ts';
import { exitCodeOf, reportError } from './report.ts';

const PLAIN = { colour: false, debug: false };

test('the message, the flag, the step', () => {
  const error = new CaissonError('mount /x on /y: no such file or directory (ENOENT)', {
    code: 'ESYSCALL',
    provenance: ['/mounts/7'],
    sources: ['--volume /x:/y'],
    details: ['step 31 of 58: mount /x on /y'],
  });
  assert.equal(
    reportError(error, PLAIN),
    'caisson: mount /x on /y: no such file or directory (ENOENT)\n' +
      '  caused by --volume /x:/y\n' +
      '  step 31 of 58: mount /x on /y\n',
  );
});

test('without words of a front end the pointers are shown, once', () => {
  const error = new CaissonError('config.json: /process/cwd: expected a string', {
    code: 'EINVALIDSPEC',
    provenance: ['/process/cwd', '/mounts/0', ''],
  });
  assert.equal(
    reportError(error, PLAIN),
    'caisson: config.json: /process/cwd: expected a string\n  caused by /mounts/0\n',
  );
});

test('usage errors as docker prints them', () => {
  const error = new CaissonError('unknown flag: --foo', {
    code: 'EUSAGE',
    details: ["See 'caisson run --help'."],
  });
  assert.equal(reportError(error, PLAIN), "caisson: unknown flag: --foo\nSee 'caisson run --help'.\n");
  const later = new CaissonError('caisson run: --ip comes with networks (issue 6), not there yet', {
    code: 'ELATER',
  });
  assert.equal(reportError(later, PLAIN), 'caisson run: --ip comes with networks (issue 6), not there yet\n');
});

test('bytes stay bytes, control characters do not reach the terminal', () => {
  const error = new CaissonError('no file \xe9\xc3\xa9\x1b[2J\n\x9b x \xc2\x9b', { code: 'ENOTFOUND' });
  assert.equal(reportError(error, PLAIN), 'caisson: no file \xe9\xc3\xa9^[[2J\\n\x9b x ?\n');
  assert.equal(
    reportError(new CaissonError('found "\u2026"', { code: 'EX' }), PLAIN),
    'caisson: found "\xe2\x80\xa6"\n',
  );
});

test('colour and stack only when asked for', () => {
  const error = new CaissonError('x', { code: 'EX', cause: new TypeError('inner') });
  assert.match(reportError(error, { colour: true, debug: false }), /^\x1b\[31mcaisson: x\x1b\[0m\n$/);
  const report = reportError(error, { colour: false, debug: true });
  assert.match(report, /report\.test/);
  assert.match(report, /TypeError: inner/);
  assert.match(reportError(new TypeError('boom'), PLAIN), /^caisson: unexpected: boom\n$/);
});

test('what the machine has run out of is told of with what to do', () => {
  const of = (code: string, message: string) =>
    reportError(Object.assign(new Error(message), { code }), PLAIN);
  const full = of('ENOSPC', "ENOSPC: no space left on device, open '/var/x'");
  assert.match(
    full,
    /^caisson: open \/var\/x: no space left on device \(ENOSPC\)\n {2}make room on the disk: /,
  );
  assert.match(of('ENOSPC', "ENOSPC: no space left on device, write '3'"), /^caisson: write: no space/);
  assert.match(
    of('EMFILE', "EMFILE: too many open files, socketpair ''"),
    /^caisson: socketpair: too many open files/,
  );
  assert.match(
    of('EAGAIN', 'spawn /x EAGAIN'),
    /^caisson: spawn \/x EAGAIN\n {2}there may be no more processes/,
  );
  assert.match(of('EBADF', "EBADF: bad file descriptor, write '3'"), /^caisson: unexpected: EBADF/);
});

test('exit codes', () => {
  assert.equal(exitCodeOf(new CaissonError('x', { code: 'EX', exitCode: 127 })), 127);
  assert.equal(exitCodeOf(new Error('x')), 125);
});
