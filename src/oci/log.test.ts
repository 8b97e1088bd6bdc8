// Log lines in logrus's three shapes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8ToBytes } from '../linux/bytes.ts';
import { Log, logLine } from './log.ts';
import { machine } from './port.testing.ts';

const time = '2026-11-24T14:04:05Z';

function line(
  style: 'text' | 'json' | 'terminal',
  message: string,
  level: 'error' | 'debug' = 'error',
): string {
  return logLine(style, { level, message, time, seconds: 3 });
}

test('text: quotes where there is more than a plain word', () => {
  const head = `time="${time}" level=error msg=`;
  const cases: readonly (readonly [string, string])[] = [
    ['plain/word@1.2_x^+-', 'plain/word@1.2_x^+-'],
    ['', ''],
    ['two words', '"two words"'],
    ['a "b" \\ c', '"a \\"b\\" \\\\ c"'],
    ['line\nand\ttab\r\x07\x1b\x7f', '"line\\nand\\ttab\\r\\a\\x1b\\x7f"'],
    [utf8ToBytes('größe €'), `"${utf8ToBytes('größe €')}"`],
    ['no utf8 \xff\xc3(', '"no utf8 \\xff\\xc3("'],
  ];
  for (const [message, quoted] of cases) assert.equal(line('text', message), `${head}${quoted}\n`);
});

test('JSON: names in order, and nothing that HTML would read', () => {
  assert.equal(
    line('json', 'a <b> & "c"\n'),
    `{"level":"error","msg":"a \\u003cb\\u003e \\u0026 \\"c\\"\\n","time":"${time}"}\n`,
  );
});

test('terminal: colour, level in four letters, seconds, and no escapes from outside', () => {
  assert.equal(line('terminal', 'short'), `\x1b[31mERRO\x1b[0m[0003] ${'short'.padEnd(44)} \n`);
  assert.equal(
    line('terminal', 'x\x1b[2J', 'debug'),
    `\x1b[37mDEBU\x1b[0m[0003] ${'x\\x1b[2J'.padEnd(44)} \n`,
  );
});

test('a log is added to its file; without one it is standard error', () => {
  const { port, files, printed } = machine({ '/log': 'old\n' });
  const log = new Log(port);
  assert.ok(log.isVisible);
  log.error('seen');
  assert.match(printed.stderr, /^time="20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ" level=error msg=seen\n$/);
  log.open('/log', true);
  assert.ok(!log.isVisible);
  log.warn('w');
  log.debug('not wanted');
  log.debugging = true;
  log.debug('wanted');
  assert.match(
    files.get('/log') ?? '',
    /^old\n\{"level":"warning","msg":"w","time":"[^"]*"\}\n\{"level":"debug","msg":"wanted",.*\n$/,
  );
});
