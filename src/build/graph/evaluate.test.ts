// Tests of what stages become: operations, configuration, history.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDockerfile } from '../dockerfile/parse.ts';
import { beginStage, Evaluator } from './evaluate.ts';
import { configDocument, emptyDraft } from './image-draft.ts';
import type { Operation } from './operations.ts';
import { neededStages, planBuild } from './plan.ts';

const HOST = { os: 'linux', architecture: 'amd64' };

function evaluated(text: string, given: Readonly<Record<string, string>> = {}) {
  const dockerfile = parseDockerfile('Dockerfile', text);
  const plan = planBuild(dockerfile, {
    target: '',
    given: new Map(Object.entries(given)),
    platforms: { build: HOST, target: HOST },
  });
  let state = beginStage(emptyDraft(HOST));
  const operations: Operation[] = [];
  for (const { stage } of plan.stages) {
    state = beginStage(structuredClone(state.draft), state);
    const evaluator = new Evaluator(plan, stage.index, state);
    for (const instruction of stage.instructions) {
      const operation = evaluator.apply(instruction, '');
      if (operation !== undefined) operations.push(operation);
    }
  }
  const { draft, variables } = state;
  return { draft, variables, operations, history: draft.history.map(({ created_by }) => created_by) };
}

test('the configuration, and a history as BuildKit writes it', () => {
  const { draft, history } = evaluated(`FROM scratch
ENV A=1 B="two words"
LABEL a=b c="d e"
WORKDIR /w
WORKDIR sub
EXPOSE 90-91/UDP 80
VOLUME /v /w
USER 5:6
STOPSIGNAL SIGTERM
SHELL ["/bin/bash", "-c"]
HEALTHCHECK --interval=1m30s CMD true
CMD echo "hi"
ENTRYPOINT ["/e"]
MAINTAINER me`);
  assert.deepEqual(history, [
    'ENV A=1 B=two words',
    'LABEL a=b c=d e',
    'WORKDIR /w',
    'WORKDIR /w/sub',
    'EXPOSE [80/tcp 90/udp 91/udp]',
    'VOLUME [/v /w]',
    'USER 5:6',
    'STOPSIGNAL SIGTERM',
    'SHELL [/bin/bash -c]',
    'HEALTHCHECK {Test:[CMD-SHELL true] Interval:1m30s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}',
    'CMD ["/bin/bash" "-c" "echo \\"hi\\""]',
    'ENTRYPOINT ["/e"]',
    'MAINTAINER me',
  ]);
  assert.deepEqual(
    draft.history.map(({ empty_layer }) => empty_layer === true),
    [...[true, true, false, false, true, true, true, true, true, true, true, true, true]],
  );
  const { config } = draft;
  assert.deepEqual(config.Cmd, ['/bin/bash', '-c', 'echo "hi"']);
  assert.equal(config.WorkingDir, '/w/sub');
  assert.equal(draft.author, 'me');
});

test('an entry point forgets the command of the base image, not one of its own stage', () => {
  const base = 'FROM scratch AS b\nCMD ["x"]\n';
  assert.equal(evaluated(`${base}FROM b\nENTRYPOINT ["e"]`).draft.config.Cmd, undefined);
  assert.deepEqual(evaluated(`${base}FROM b\nCMD ["y"]\nENTRYPOINT ["e"]`).draft.config.Cmd, ['y']);
});

test('ARG and ENV: defaults, given values, scopes, and what RUN sees', () => {
  const text = `ARG G=global
FROM scratch
ARG G
ARG D=\${G}-d
ARG N
ENV E=\${D:-none}
RUN x`;
  const plain = evaluated(text);
  const [run] = plain.operations;
  assert.ok(run?.kind === 'run');
  assert.deepEqual(run.env.slice(1), ['G=global', 'D=global-d', 'E=global-d']);
  assert.equal(plain.history.at(-1), 'RUN |3 G=global D=global-d N= /bin/sh -c x # buildkit');
  assert.equal(evaluated(text, { G: 'given' }).variables.get('E'), 'given-d');
  assert.equal(evaluated(text, { N: 'n' }).variables.get('N'), 'n');
  // Without ARG of the stage a global argument is not seen, and neither is one that was given.
  assert.equal(evaluated('ARG G=1\nFROM scratch\nENV E=$G', { H: '2' }).variables.get('E'), '');
  // Arguments of a stage are there in stages that are based on it.
  assert.equal(evaluated('FROM scratch AS a\nARG X=1\nFROM a\nENV Y=$X').variables.get('Y'), '1');
});

test('arguments of platforms and proxies', () => {
  const { variables } = evaluated(
    'FROM scratch\nARG TARGETPLATFORM\nARG BUILDARCH\nENV A=$TARGETPLATFORM/$BUILDARCH',
  );
  assert.equal(variables.get('A'), 'linux/amd64/amd64');
  const [run] = evaluated('FROM scratch\nRUN x', { http_proxy: 'p' }).operations;
  assert.ok(run?.kind === 'run');
  assert.deepEqual(run.proxies, ['HTTP_PROXY=p', 'http_proxy=p']);
  assert.ok(!run.env.some((line) => line.includes('proxy')));
});

test('COPY: variables, destinations, lines of history', () => {
  const { operations, history } = evaluated(
    [
      'FROM scratch',
      'ENV D=dir',
      'WORKDIR /w',
      'COPY --chown=$D:0 --chmod=u+x $D/a . ',
      'COPY a b/',
      'COPY a /c/.',
      'COPY <<E <<"RAW" /d/',
      '$D',
      'E',
      '$D',
      'RAW',
      'ADD https://example.com/x/y.tgz?z /e',
    ].join('\n'),
  );
  const copies = operations.flatMap((one) => (one.kind === 'copy' ? [one] : []));
  assert.deepEqual(
    copies.map(({ destination }) => destination),
    ['/w/', '/w/b/', '/c/', '/d/', '/e'],
  );
  assert.deepEqual(copies[0]?.sources, [{ kind: 'files', pattern: 'dir/a', offset: 30 }]);
  assert.deepEqual(
    copies[3]?.sources.map((source) => (source.kind === 'inline' ? source.content : '')),
    ['dir\n', '$D\n'],
  );
  assert.equal(history[2], 'COPY --chown=dir:0 --chmod=u+x dir/a . # buildkit');
  assert.equal(history.at(-1), 'ADD https://example.com/x/y.tgz?z /e # buildkit');
  assert.equal(copies.at(-1)?.sources[0]?.kind, 'url');
});

test('RUN with documents', () => {
  const lines = [
    'FROM scratch',
    'RUN <<E',
    'echo a',
    'E',
    'RUN cat <<E >x',
    'b',
    'E',
    'RUN <<-E',
    '\t#!/bin/x',
    '\tc',
    'E',
  ];
  const runs = evaluated(lines.join('\n')).operations.flatMap((one) => (one.kind === 'run' ? [one] : []));
  assert.deepEqual(runs[0]?.args, ['/bin/sh', '-c', 'echo a\n']);
  assert.deepEqual(runs[1]?.args, ['/bin/sh', '-c', 'cat <<E >x\nb\nE']);
  assert.deepEqual(runs[2]?.args, ['/bin/sh', '-c', '/dev/pipes/E']);
  assert.deepEqual(runs[2]?.script, { name: 'E', content: '#!/bin/x\nc\n' });
});

test('what cannot be: errors with their places', () => {
  for (const [text, pattern] of [
    ['FROM scratch\nENV a=${b?none}', /Dockerfile:2:7: b: none/],
    ['FROM scratch\nEXPOSE 70000', /2:8: invalid containerPort: 70000/],
    ['FROM scratch\nEXPOSE 80/icmp', /invalid proto: icmp/],
    ['FROM scratch\nSTOPSIGNAL SIGNOPE', /2:12: invalid signal: SIGNOPE/],
    ['FROM scratch\nCOPY --chmod=999 a b', /2:6: invalid chmod parameter: '999'/],
    ['FROM scratch\nCOPY https://example.com/x /', /2:6: source can't be a URL for COPY/],
    ['FROM scratch\nCOPY https://example.com/x.git /', /source can't be a git ref for COPY/],
    ['FROM scratch\nADD --checksum=sha256:00 a /', /checksum requires HTTP\(S\) or Git sources/],
    ['FROM scratch\nCOPY <<"../x" /\n../x', /cannot be the name of a file/],
    [
      'FROM scratch AS a\nCOPY --from=b x /\nFROM scratch AS b',
      /2:6: cannot copy or mount from "b", a stage that is defined later/,
    ],
    ['FROM scratch AS a\nCOPY --from=a x /', /this stage itself/],
    ['FROM scratch\nCOPY --from=7 x /', /invalid stage index 7/],
    ['FROM scratch\nCOPY --from=$X x /', /variable expansion is not supported for --from/],
    ['FROM scratch\nRUN --mount=from=later,target=/x y\nFROM scratch AS later', /defined later/],
    ['FROM $NONE', /base name \(\$NONE\) should not be blank/],
    ['FROM --platform=weird/x/y/z scratch', /is not a platform/],
  ] as const)
    assert.throws(() => evaluated(text), pattern, text);
});

test('variables that double each other are bounded', () => {
  const lines = Array.from({ length: 64 }, () => 'ENV A=$A$A').join('\n');
  assert.throws(() => evaluated(`FROM scratch\nENV A=0123456789\n${lines}`), /more than \d+ characters/);
});

test('only the stages that the target needs', () => {
  const text = [
    'FROM scratch AS a',
    'FROM scratch AS b',
    'FROM b AS c',
    'COPY --from=a x /',
    'FROM scratch AS d',
    'RUN --mount=from=c,target=/c x',
  ].join('\n');
  const needed = (target: string) => {
    const options = { target, given: new Map(), platforms: { build: HOST, target: HOST } };
    return [...neededStages(planBuild(parseDockerfile('Dockerfile', text), options))].sort();
  };
  assert.deepEqual(needed(''), [0, 1, 2, 3]);
  assert.deepEqual(needed('c'), [0, 1, 2]);
  assert.deepEqual(needed('B'), [1]);
  assert.deepEqual(needed('0'), [0]);
  assert.throws(() => needed('e'), /target stage "e" could not be found, did you mean/);
});

test('the document: fields in their order, empty ones left out', () => {
  const { draft } = evaluated('FROM scratch\nLABEL b=2 a=1\nVOLUME /v');
  const finishing = { diffIds: [], created: '2001-01-01T00:00:00Z', labels: new Map([['c', '3']]) };
  const document = configDocument(draft, finishing);
  const parsed = JSON.parse(document) as Readonly<Record<string, unknown>>;
  assert.deepEqual(Object.keys(parsed), ['architecture', 'config', 'created', 'history', 'os', 'rootfs']);
  assert.ok(
    document.includes('"Volumes":{"/v":{}},"WorkingDir":"/","Labels":{"a":"1","b":"2","c":"3"}'),
    document,
  );
});
