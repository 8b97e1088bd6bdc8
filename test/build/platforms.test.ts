// Several platforms in one build: an index, directories; commands for another processor are refused with the reason.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { ROOT, skip } from '../harness/caisson.ts';
import { readText } from '../images/world.ts';
import { DockerRegistry, missing } from '../registry/docker-registry.ts';
import { Site } from './site.ts';

const site = skip === false ? new Site(ROOT) : undefined;
let registry: DockerRegistry | undefined;
before(async () => {
  registry = skip === false && missing === false ? await DockerRegistry.start() : undefined;
});
after(async () => {
  site?.close();
  await registry?.stop();
});

const [OWN, FOREIGN] = process.arch === 'arm64' ? ['arm64', 'amd64'] : ['amd64', 'arm64'];
const BOTH = `linux/${OWN},linux/${FOREIGN}`;
const emulated = existsSync(`/proc/sys/fs/binfmt_misc/qemu-${FOREIGN === 'arm64' ? 'aarch64' : 'x86_64'}`);

/** This machine makes the files of every platform. */
const CROSS = `FROM --platform=$BUILDPLATFORM bb AS make
ARG TARGETPLATFORM TARGETARCH
RUN echo "for $TARGETPLATFORM" > /out
FROM scratch
ARG TARGETARCH
LABEL arch=$TARGETARCH
COPY --from=make /out /out`;

interface Index {
  readonly manifests: readonly {
    readonly digest: string;
    readonly platform: { readonly os: string; readonly architecture: string };
  }[];
}

test('--platform with two makes an index, that a registry takes and gives', { skip: skip || missing }, () => {
  assert.ok(site !== undefined && registry !== undefined);
  const name = `${registry.host}/multi:1`;
  const ended = site.build(CROSS, {}, ['--platform', BOTH, '-t', name, '--iidfile', `${site.directory}/iid`]);
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(ended.stderr, new RegExp(`\\[linux/${FOREIGN} make 2/2\\] RUN echo`));
  const id = readText(`${site.directory}/iid`);
  const index = JSON.parse(readText(site.blobPath(id))) as Index;
  assert.deepEqual(
    index.manifests.map(({ platform }) => platform),
    [
      { architecture: OWN, os: 'linux' },
      { architecture: FOREIGN, os: 'linux' },
    ],
  );
  site.output(['push', name]);
  const other = new Site(ROOT);
  try {
    for (const arch of [OWN, FOREIGN]) {
      other.output(['pull', '-q', '--platform', `linux/${arch}`, name]);
      const layers = readdirSync(`${other.dataRoot}/layers`).map(
        (layer) => `${other.dataRoot}/layers/${layer}/tree/out`,
      );
      const texts = layers.filter((path) => existsSync(path)).map(readText);
      assert.ok(texts.includes(`for linux/${arch}\n`), texts.join());
    }
  } finally {
    other.close();
  }
});

test('type=local has a directory for each, and what has room for one is refused', { skip }, () => {
  assert.ok(site !== undefined);
  const out = `${site.directory}/out`;
  assert.equal(site.build(CROSS, {}, ['--platform', BOTH, '-o', out]).code, 0);
  for (const arch of [OWN, FOREIGN])
    assert.equal(readText(`${out}/linux_${arch}/out`), `for linux/${arch}\n`);
  const { code, stderr } = site.build(CROSS, {}, ['--platform', BOTH, '-o', `type=docker,dest=${out}.tar`]);
  assert.notEqual(code, 0);
  assert.match(stderr, /--output type=docker has room for one platform/);
});

test('RUN for another processor is refused with the reason and what would help', {
  skip: skip || (emulated && 'this machine emulates it'),
}, () => {
  assert.ok(site !== undefined);
  const dockerfile = 'FROM scratch\nCOPY x /x\nRUN ["/x"]';
  const { code, stderr } = site.build(dockerfile, { x: '' }, [
    '--platform',
    BOTH.split(',').reverse().join(),
  ]);
  assert.equal(code, 1);
  assert.match(
    stderr,
    new RegExp(`Dockerfile:3:1: the command is for linux/${FOREIGN}, and containers share`),
  );
  assert.match(stderr, /binfmt_misc/);
  assert.match(stderr, /FROM --platform=\$BUILDPLATFORM/);
});
