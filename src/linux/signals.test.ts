// Tests of signal names as people write them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSignal, SIGNALS, signalName } from './signals.ts';

test('names, numbers and aliases', () => {
  assert.equal(parseSignal('TERM'), 15);
  assert.equal(parseSignal('SIGTERM'), 15);
  assert.equal(parseSignal('sigkill'), 9);
  assert.equal(parseSignal('15'), 15);
  assert.equal(parseSignal('64'), 64);
  assert.equal(parseSignal('CLD'), 17);
  assert.equal(parseSignal('POLL'), 29);
  assert.equal(parseSignal('SIGIOT'), 6);
});

test('real-time signals', () => {
  assert.equal(parseSignal('RTMIN'), 34);
  assert.equal(parseSignal('RTMIN+3'), 37);
  assert.equal(parseSignal('SIGRTMAX-1'), 63);
  assert.equal(parseSignal('RTMAX'), 64);
  assert.equal(parseSignal('RTMIN+31'), undefined);
  assert.equal(parseSignal('RTMAX-31'), undefined);
  assert.equal(parseSignal('RTMIN-1'), undefined);
  assert.equal(parseSignal('RTMAX+1'), undefined);
});

test('no such signal', () => {
  for (const text of [
    '',
    '0',
    '65',
    '-9',
    '9999',
    'SIG',
    'NOPE',
    'constructor',
    '1.5',
    ' 9',
    'SIGSIGTERM',
    'SIGRTMIN+',
  ]) {
    assert.equal(parseSignal(text), undefined, text);
  }
});

test('names round trip', () => {
  assert.equal(signalName(9), 'SIGKILL');
  assert.equal(signalName(37), 'SIGRTMIN+3');
  assert.equal(signalName(49), 'SIGRTMIN+15');
  assert.equal(signalName(50), 'SIGRTMAX-14');
  assert.equal(signalName(32), 'signal 32');
  assert.equal(signalName(0), 'signal 0');
  for (let number = 1; number <= 64; number++) {
    if (number !== 32 && number !== 33) assert.equal(parseSignal(signalName(number)), number);
  }
  assert.equal(Object.keys(SIGNALS).length, 31);
});
