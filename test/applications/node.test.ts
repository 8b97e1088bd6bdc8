// An HTTP server of Node in a container: driven by fetch over loopback, stopped gracefully, its log complete.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { debianImage, debianMissing } from '../harness/debian.ts';
import { DAILY } from '../images/callers.ts';
import { Application, freePort } from './application.ts';

const SERVER = `import { createServer } from 'node:http';
let served = 0;
let stopping = false;
const server = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  if (request.url === '/crash') throw new Error('crashed');
  if (request.url === '/slow') await new Promise((resolve) => setTimeout(resolve, 1000));
  if (stopping) response.setHeader('connection', 'close');
  console.log('request ' + ++served + ' ' + request.method + ' ' + request.url);
  response.end(JSON.stringify({ served, length: body.length, greeting: process.env.GREETING }));
});
process.on('SIGTERM', () => {
  stopping = true;
  console.error('stopping');
  server.close(() => {
    console.log('served ' + served);
    process.exit(0);
  });
  server.closeIdleConnections();
});
server.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('listening'));
`;

const IMAGE = {
  packages: ['nodejs'],
  lines: [
    'COPY server.mjs package.json /app/',
    'ENV GREETING=hello NODE_ENV=production',
    'WORKDIR /app',
    'RUN useradd --system app && node --check server.mjs',
    'USER app',
    'HEALTHCHECK --interval=500ms --timeout=5s --retries=3 CMD node -e "fetch(\'http://127.0.0.1:\' + process.env.PORT).then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"',
    'CMD ["node", "server.mjs"]',
  ],
  files: { 'server.mjs': SERVER, 'package.json': '{ "name": "app", "type": "module" }\n' },
};

interface Answer {
  readonly served: number;
  readonly length: number;
  readonly greeting: string;
}

for (const { who, caller, skip } of DAILY) {
  const reason = skip || debianMissing;
  let box: Application;
  let port: string;
  before(async () => {
    if (reason !== false) return;
    box = new Application(caller);
    debianImage(box, 'app:1', IMAGE);
    port = await freePort();
  });
  after(() => {
    if (reason === false) box.close();
  });
  const serve = (...flags: string[]) =>
    box.output(['run', '-d', '--name', 'app', '--network', 'host', '-e', `PORT=${port}`, ...flags, 'app:1']);
  const ask = async (path: string, body?: string): Promise<Answer> => {
    const init = body === undefined ? {} : { method: 'POST', body };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
    assert.equal(response.status, 200);
    return (await response.json()) as Answer;
  };

  test(`${who}: a Node server answers, ends gracefully in the middle of a request, and loses no line`, {
    skip: reason,
  }, async () => {
    serve('--no-healthcheck');
    await box.until(() => box.call(['logs', 'app']).stdout.includes('listening'), 'a server');
    const body = 'x'.repeat(1_000_000);
    assert.deepEqual(await ask('/', body), { served: 1, length: body.length, greeting: 'hello' });
    const answers = await Promise.all(Array.from({ length: 200 }, (_, index) => ask(`/${index}`)));
    assert.deepEqual(
      answers.map(({ served }) => served).sort((a, b) => a - b),
      Array.from({ length: 200 }, (_, index) => index + 2),
    );
    assert.equal(box.output(['exec', 'app', 'id', '-un']), 'app');
    const slow = ask('/slow');
    await new Promise((resolve) => setTimeout(resolve, 200));
    const begun = Date.now();
    const stopping = box.start(['stop', '-t', '20', 'app']);
    assert.equal((await slow).served, 202, 'the request that was on its way is answered');
    assert.equal((await stopping.end()).code, 0);
    assert.ok(Date.now() - begun < 15_000, 'it was not killed at the end of the timeout');
    const { Status, ExitCode } = box.state('app');
    assert.deepEqual([Status, ExitCode], ['exited', 0]);
    await assert.rejects(ask('/'), 'nobody listens any more');
    const { stdout, stderr } = box.call(['logs', 'app']);
    const lines = stdout.trim().split('\n');
    assert.deepEqual([lines[0], lines.at(-1), stderr], ['listening', 'served 202', 'stopping\n']);
    assert.deepEqual(
      lines.slice(1, -1).map((line) => Number(line.split(' ')[1])),
      Array.from({ length: 202 }, (_, index) => index + 1),
    );
    box.output(['rm', 'app']);
  });

  test(`${who}: its health check is the image's; a server that crashes is started again and is well again`, {
    skip: reason,
  }, async () => {
    serve('--restart', 'on-failure:3');
    assert.deepEqual(await box.untilHealth('app', 'healthy'), ['starting', 'healthy']);
    const { Pid } = box.state('app');
    await assert.rejects(ask('/crash'));
    await box.untilState(
      'app',
      (state) => String(state.Pid),
      (pid) => pid !== '0' && pid !== String(Pid),
    );
    await box.untilHealth('app', 'healthy');
    assert.equal((await ask('/')).greeting, 'hello');
    assert.equal(box.output(['inspect', '-f', '{{.RestartCount}}', 'app']), '1');
    box.output(['rm', '-f', 'app']);
  });
}
