// PostgreSQL with a named volume and a health check: driven by psql; its data survive stop, kill -9 of everything that
// belongs to the container, and an upgrade of the image.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { rounds } from '../engine/containers.ts';
import { debianImage, debianMissing } from '../harness/debian.ts';
import { DAILY } from '../images/callers.ts';
import { Application, freePort } from './application.ts';

/** What the official image does, too: a new volume becomes a cluster, then the server takes the place of the script. */
const ENTRY = `#!/bin/sh
set -e
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --auth trust --no-sync > /dev/null
  echo 'initialized'
fi
exec postgres -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c port="$PGPORT" "$@"
`;

const CHECK =
  'HEALTHCHECK --interval=300ms --timeout=5s --retries=2 --start-period=60s CMD pg_isready -q -t 1 -h 127.0.0.1';

const LINES = [
  'RUN rm -r /var/lib/postgresql/*/main && ln -s /usr/lib/postgresql/*/bin /usr/lib/postgresql/bin',
  'RUN mkdir -m 0700 /var/lib/postgresql/data && chown postgres:postgres /var/lib/postgresql/data',
  'COPY --chmod=755 entry.sh /entry.sh',
  'ENV PATH=/usr/lib/postgresql/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data PGHOST=127.0.0.1',
  'USER postgres',
  'STOPSIGNAL SIGINT',
  CHECK,
  'ENTRYPOINT ["/entry.sh"]',
  'CMD []',
];

const IMAGE = { packages: ['postgresql'], lines: LINES, files: { 'entry.sh': ENTRY }, timeout: 240_000 };

/** The next version of the image: another default, and a label that says so. */
const UPGRADE = `FROM postgres:1
LABEL version=2
CMD ["-c", "application_name=second"]
`;

/** Inserts rows one transaction at a time, and says each number when it has been committed, without end. */
const WRITER = `i=0; while :; do i=$((i+1)); echo "insert into kept values ($i) returning n;"; done | psql -qAt postgres`;

for (const { who, caller, skip } of DAILY) {
  const reason = skip || debianMissing;
  let box: Application;
  let port: string;
  before(async () => {
    if (reason !== false) return;
    box = new Application(caller);
    debianImage(box, 'postgres:1', IMAGE);
    port = await freePort();
  });
  after(() => {
    if (reason === false) box.close();
  });

  const serve = (image: string): string =>
    box.output([
      ...['run', '-d', '--name', 'base', '--network', 'host', '--shm-size', '64m', '-e', `PGPORT=${port}`],
      ...['-v', 'pg-data:/var/lib/postgresql/data', image],
    ]);
  const sql = (statement: string): string =>
    box.output(['exec', 'base', 'psql', '-qAt', 'postgres', '-c', statement]);
  /** The same, by a client in a container of its own. */
  const remotely = (statement: string): string => {
    const client = ['run', '--network', 'host', '--no-healthcheck', '--entrypoint', 'psql'];
    const words = ['-h', '127.0.0.1', '-p', port, '-U', 'postgres', '-qAt', '-c', statement];
    return box.output([...client, 'postgres:1', ...words]);
  };
  const healthy = (): Promise<string[]> => box.untilHealth('base', 'healthy');

  /** Everything is killed while rows are written; each of which the client was told is there afterwards. */
  const killedWhileWriting = async (): Promise<void> => {
    sql('drop table if exists kept; create table kept (n int)');
    const writer = box.start(['exec', 'base', 'sh', '-c', WRITER]);
    await writer.until(() => writer.stdout.split('\n').length > 300, 'rows');
    assert.ok((await box.killEverything('base')) > 7, 'monitor, postmaster, workers, clients');
    await writer.end();
    const { Status, Running, ExitCode } = box.state('base');
    assert.deepEqual([Status, Running, ExitCode], ['exited', false, -1], 'nobody saw its end');
    const committed = writer.stdout.split('\n').slice(0, -1).map(Number);
    box.output(['start', 'base']);
    await healthy();
    const rows = sql('select n from kept order by n').split('\n').map(Number);
    assert.deepEqual(rows.slice(0, committed.length), committed);
    // One more may have been committed and not yet said so.
    assert.ok(rows.length - committed.length <= 1, `${rows.length} rows, ${committed.length} said`);
  };

  test(`${who}: PostgreSQL becomes healthy and keeps rows of two clients over stop and start`, {
    skip: reason,
  }, async () => {
    serve('postgres:1');
    assert.deepEqual(await healthy(), ['starting', 'healthy']);
    assert.match(box.output(['ps', '--format', '{{.Status}}']), /^Up .* \(healthy\)$/);
    assert.match(box.output(['logs', 'base']), /initialized/);
    assert.equal(
      sql('create table t as select generate_series(1, 1000) as n; select count(*) from t'),
      '1000',
    );
    remotely('insert into t values (1001), (1002)');
    assert.equal(remotely('select sum(n) from t'), '502503');
    box.output(['stop', '-t', '30', 'base']);
    const { ExitCode, Health } = box.state('base');
    assert.equal(ExitCode, 0, 'a graceful end');
    assert.notEqual(Health?.Status, 'starting');
    box.output(['start', 'base']);
    assert.deepEqual(await healthy(), ['starting', 'healthy'], 'its health begins anew');
    assert.equal(sql('select sum(n) from t'), '502503');
    assert.match(box.call(['logs', 'base']).stderr, /database system was shut down/);
  });

  test(`${who}: a server that is stopped by SIGSTOP is unhealthy until it goes on`, {
    skip: reason,
  }, async () => {
    box.output(['kill', '-s', 'STOP', 'base']);
    assert.deepEqual(await box.untilHealth('base', 'unhealthy'), ['healthy', 'unhealthy']);
    const { Health, Status } = box.state('base');
    assert.equal(Status, 'running');
    assert.ok((Health?.FailingStreak ?? 0) >= 2);
    assert.equal(Health?.Log.at(-1)?.ExitCode, 2, 'pg_isready: no response');
    assert.match(box.output(['ps', '--format', '{{.Status}}', '-f', 'health=unhealthy']), /\(unhealthy\)$/);
    box.output(['kill', '-s', 'CONT', 'base']);
    await healthy();
    assert.equal(sql('select 1'), '1');
  });

  test(`${who}: kill -9 of monitor, server and every process at once: what was committed is there`, {
    skip: reason,
  }, async () => {
    for (let round = 0; round < rounds(1, 10); round++) await killedWhileWriting();
    assert.equal(sql('select sum(n) from t'), '502503');
    assert.match(box.call(['logs', 'base']).stderr, /automatic recovery in progress/);
  });

  test(`${who}: an upgrade of the image: the new container has the old one's data`, {
    skip: reason,
  }, async () => {
    box.output(['build', '-q', '-t', 'postgres:2', '-'], { input: UPGRADE });
    box.output(['stop', '-t', '30', 'base']);
    assert.notEqual(box.call(['volume', 'rm', 'pg-data']).code, 0, 'a container uses it');
    box.output(['rm', '-v', 'base']);
    serve('postgres:2');
    await healthy();
    assert.equal(sql('show application_name; select sum(n) from t'), 'psql\n502503');
    assert.equal(box.output(['inspect', '-f', '{{index .Config.Labels "version"}}', 'base']), '2');
    assert.doesNotMatch(box.output(['logs', 'base']), /initialized/);
    box.output(['stop', '-t', '30', 'base']);
    box.output(['rm', 'base']);
    box.output(['volume', 'rm', 'pg-data']);
  });
}
