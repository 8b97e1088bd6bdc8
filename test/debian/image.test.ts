// A large real image: a Debian made by debootstrap, built, pushed to docker-registry, pulled by another store, and run;
// in the long round with PostgreSQL, whose server answers a query.
import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { debianImage, debianMissing } from '../harness/debian.ts';
import { DAILY } from '../images/callers.ts';
import { readText, World } from '../images/world.ts';
import { listing } from '../layers/harness.ts';
import { DockerRegistry, missing } from '../registry/docker-registry.ts';

const long = process.env.CAISSON_LONG === '1';
const PATIENCE = { timeout: 240_000 };

let registry: DockerRegistry;
const needed = debianMissing || missing;
before(async () => {
  if (needed === false) registry = await DockerRegistry.start();
});
after(async () => {
  if (needed === false) await registry.stop();
});

/** Chain IDs of unpacked layers. */
function chains({ dataRoot }: World): string[] {
  return readdirSync(`${dataRoot}/layers`).filter((name) => !name.startsWith('.'));
}

/** Root and files of a layer; of a whiteout that it is there. */
function tree({ dataRoot }: World, chain: string): unknown[] {
  const path = `${dataRoot}/layers/${chain}/tree`;
  const { mode, uid, gid } = statSync(path);
  const lines = listing(path).map((line) => line.replace(/^(\S+ c 0000 \S+ 0,0) .*$/, '$1'));
  return [{ mode, uid, gid }, ...lines];
}

/** Pushes the image and pulls it into a store of another; the layers of both are the same, file by file. */
function travel(from: World, to: World, name: string): void {
  const remote = `${registry.host}/${name}`;
  from.output(['tag', name, remote]);
  from.output(['push', '-q', remote], PATIENCE);
  to.output(['pull', '-q', remote], PATIENCE);
  const there = chains(to);
  const here = new Set(chains(from));
  assert.ok(there.length > 0);
  for (const chain of there) {
    assert.ok(here.has(chain), `${chain} was not built`);
    assert.deepEqual(tree(to, chain), tree(from, chain));
    const facts = ({ dataRoot }: World) => readText(`${dataRoot}/layers/${chain}/facts.json`);
    assert.deepEqual(JSON.parse(facts(to)), JSON.parse(facts(from)));
  }
}

const LINES = [
  'RUN useradd --create-home --shell /bin/bash alice && id alice > /who && dpkg-query -W -f "\\${Package}\\n" | wc -l > /count',
  'RUN rm -r /usr/share/doc && perl -e "print qq(perl\\n)" >> /who',
  'USER alice',
];

for (const { who, caller, skip } of DAILY) {
  test(`a minimal Debian: built, pushed, pulled, run (${who})`, { skip: skip || needed }, () => {
    const [from, to] = [new World(caller), new World(caller)];
    try {
      const said = debianImage(from, 'debian:minimal', { lines: LINES });
      assert.match(said, /exporting to image/);
      const run = (world: World, name: string, script: string) =>
        world.output(['run', '--rm', '-q', name, 'bash', '-c', script], PATIENCE);
      const script =
        'cat /who; test "$(cat /count)" -gt 70 && id -un; ls /usr/share/doc 2>&1 | head -1; . /etc/os-release; echo $ID';
      const expected = /^uid=1000\(alice\) .*\nperl\nalice\nls: cannot access '\/usr\/share\/doc'.*\ndebian$/;
      assert.match(run(from, 'debian:minimal', script), expected);
      travel(from, to, 'debian:minimal');
      assert.match(run(to, `${registry.host}/debian:minimal`, script), expected);
    } finally {
      from.close();
      to.close();
    }
  });
}

const SERVER = `set -e
PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
postgres --version
initdb -D /tmp/data -A trust > /tmp/log
pg_ctl -D /tmp/data -o "-k /tmp -c listen_addresses=" -l /tmp/log -w start > /dev/null || { cat /tmp/log; exit 1; }
psql -h /tmp -At postgres -c "create table t as select generate_series(1, 100000) as n" -c "select sum(n) from t"
pgbench -h /tmp -q -i -s 1 postgres > /dev/null 2>&1 && pgbench -h /tmp -t 200 -c 4 postgres 2>&1 | grep "actually processed"
pg_ctl -D /tmp/data -m fast -w stop > /dev/null`;

const POSTGRES = {
  packages: ['postgresql'],
  lines: ['RUN rm -r /var/lib/postgresql/*/main', 'USER postgres'],
  timeout: 600_000,
};

for (const { who, caller, skip } of DAILY) {
  const reason = skip || needed || (!long && 'in the long round');
  test(`Debian with PostgreSQL: built, pushed, pulled, and answers (${who})`, { skip: reason }, () => {
    const [from, to] = [new World(caller), new World(caller)];
    try {
      debianImage(from, 'postgres:1', POSTGRES);
      travel(from, to, 'postgres:1');
      const said = to.output(
        ['run', '--rm', '-q', `${registry.host}/postgres:1`, 'bash', '-c', SERVER],
        PATIENCE,
      );
      const expected =
        /^postgres \(PostgreSQL\) 15\.\d+ .*\nSELECT 100000\n5000050000\nnumber of transactions actually processed: 800\/800$/;
      assert.match(said, expected);
    } finally {
      from.close();
      to.close();
    }
  });
}
