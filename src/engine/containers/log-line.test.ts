// Lines of a log in both formats, and damaged ones.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLogLine } from './log-line.ts';

const TIME = '2026-12-01T00:35:33.573388114Z';
const json = (log: string, stream = 'stdout', time = TIME): string =>
  `{"log":"${log}","stream":"${stream}","time":"${time}"}`;

test('lines of the monitor in both formats', () => {
  assert.deepEqual(parseLogLine(json('out\\n'), 'json-file'), { stream: 1, time: TIME, text: 'out\n' });
  assert.deepEqual(parseLogLine(json('piece', 'stderr'), 'json-file'), {
    stream: 2,
    time: TIME,
    text: 'piece',
  });
  assert.equal(parseLogLine(json('a\\"b\\\\\\u003c\\n'), 'json-file')?.text, 'a"b\\<\n');
  assert.equal(parseLogLine(json('\\u2028\\ufffd'), 'json-file')?.text, '\xe2\x80\xa8\xef\xbf\xbd');
  assert.deepEqual(parseLogLine(`${TIME} stderr F text`, 'k8s-file'), {
    stream: 2,
    time: TIME,
    text: 'text\n',
  });
  assert.deepEqual(parseLogLine(`${TIME} stdout P text`, 'k8s-file'), {
    stream: 1,
    time: TIME,
    text: 'text',
  });
  assert.deepEqual(parseLogLine(`${TIME} stdout F `, 'k8s-file')?.text, '\n');
});

test('other writers: fields in another order, and more of them', () => {
  const line = `{"stream":"stderr","attrs":{"a":"b"},"log":"x\\n","time":"${TIME}"}`;
  assert.deepEqual(parseLogLine(line, 'json-file'), { stream: 2, time: TIME, text: 'x\n' });
});

test('text that looks like the end of an entry is text', () => {
  const text = '\\",\\"stream\\":\\"stderr\\",\\"time\\":\\"x\\"}';
  assert.deepEqual(parseLogLine(json(text), 'json-file'), {
    stream: 1,
    time: TIME,
    text: '","stream":"stderr","time":"x"}',
  });
});

test('damaged lines are none (Z11)', () => {
  const good = json('some text\\n');
  for (const line of [
    '',
    '{}',
    'null',
    '[]',
    good.slice(0, -1),
    good.slice(5),
    `${good}x`,
    json('a"b'),
    json('bad \\x escape'),
    json('x', 'stdin'),
    json('x', 'stdout', 'yesterday'),
    `{"log":1,"stream":"stdout","time":"${TIME}"}`,
    '\0\0\0\0',
  ])
    assert.equal(parseLogLine(line, 'json-file'), undefined, JSON.stringify(line));
  for (const line of [
    '',
    'x',
    `${TIME} `,
    `${TIME} stdout`,
    `${TIME} stdin F x`,
    `${TIME} stdout X x`,
    'T stdout F x',
  ])
    assert.equal(parseLogLine(line, 'k8s-file'), undefined, JSON.stringify(line));
});

test('cut and changed at every byte, a line never throws (Z11)', () => {
  for (const [line, format] of [
    [json('a\\u0026\\n', 'stderr'), 'json-file'],
    [`${TIME} stdout F some text`, 'k8s-file'],
  ] as const)
    for (let at = 0; at < line.length; at++)
      for (const byte of ['\0', '"', '\\', '\xff', '{'])
        for (const text of [line.slice(0, at), line.slice(0, at) + byte + line.slice(at + 1)])
          parseLogLine(text, format);
});
