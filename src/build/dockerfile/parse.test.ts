// Tests of the parser: every instruction, and errors with their place.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CaissonError } from '../../spec/error.ts';
import type { CopyInstruction, Instruction, RunInstruction } from './instructions.ts';
import { parseDockerfile, parseTrigger } from './parse.ts';

const parse = (text: string) => parseDockerfile('Dockerfile', text);
const instructions = (text: string): readonly Instruction[] =>
  parse(`FROM scratch\n${text}`).stages[0]?.instructions ?? [];
const only = (text: string): Instruction => {
  const [first, more] = instructions(text);
  assert.ok(first !== undefined && more === undefined, text);
  return first;
};
const run = (text: string): RunInstruction => {
  const found = only(text);
  assert.ok(found.kind === 'run');
  return found;
};
const copy = (text: string): CopyInstruction => {
  const found = only(text);
  assert.ok(found.kind === 'copy' || found.kind === 'add');
  return found;
};

/** The first line of the error, and the line that it shows. */
const refusal = (text: string): string[] => {
  try {
    parse(text);
  } catch (error) {
    assert.ok(error instanceof CaissonError && error.code === 'EDOCKERFILE', String(error));
    return [error.message, ...error.details];
  }
  assert.fail(`accepted: ${text}`);
};

test('continuations, comments and empty lines between them', () => {
  const text = 'RUN a \\\n  # a comment\n\n   && b \\  \n && c\n# d\nRUN e\\\\\nRUN f';
  const found = instructions(text).map((each) => (each.kind === 'run' ? each.command.words : []));
  assert.deepEqual(found, [['a    && b  && c'], ['e\\\\'], ['f']]);
  assert.equal(parse(`FROM scratch\n${text}`).warnings.length, 1);
  assert.deepEqual(run('RUN a \\').command.words, ['a']);
});

test('the escape character of the file', () => {
  const { stages } = parse('# escape=`\nFROM scratch\nRUN a `\n b\nCOPY c:\\x\\ d\n');
  const [first, second] = stages[0]?.instructions ?? [];
  assert.ok(first?.kind === 'run' && second?.kind === 'copy');
  assert.deepEqual(first.command.words, ['a  b']);
  assert.equal(second.sources[0]?.text, 'c:\\x\\');
});

test('parser directives stand above all else, each once', () => {
  const found = parse('# Syntax = docker/dockerfile:1 \n# check=skip=all\n# escape=\\\nFROM scratch');
  assert.deepEqual([found.syntax, found.check], ['docker/dockerfile:1', 'skip=all']);
  assert.equal(parse('# a comment\n# escape=`\nFROM scratch').escape, '\\');
  assert.equal(parse('\n# escape=`\nFROM scratch').escape, '\\');
  assert.match(refusal('# escape=x\nFROM scratch')[0] ?? '', /Dockerfile:1:1: invalid escape token 'x'/);
  assert.match(refusal('# escape=\\\n# escape=\\\nFROM x')[0] ?? '', /2:1: only one escape parser directive/);
});

test('documents: plain, quoted, without tabs, several, in ONBUILD', () => {
  const plain = run('RUN <<EOF\na $x\nEOF\n');
  assert.deepEqual(plain.command.documents, [
    { name: 'EOF', fileDescriptor: 0, expand: true, chomp: false, content: 'a $x\n' },
  ]);
  const several = copy('COPY <<"A" <<-B /etc/\n$a\nA\n\t\tb\n\tB\n');
  assert.deepEqual(several.files, [
    { name: 'A', expand: false, content: '$a\n' },
    { name: 'B', expand: true, content: 'b\n' },
  ]);
  assert.deepEqual(
    run('RUN cat <<X >y 3<<Z\nx\nX\nz\nZ\n').command.documents.map(({ name }) => name),
    ['X', 'Z'],
  );
  assert.equal(run('RUN ["a", "<<EOF"]').command.documents.length, 0);
  const trigger = only('ONBUILD RUN <<EOF\nx\nEOF');
  assert.ok(trigger.kind === 'onbuild');
  assert.equal(trigger.trigger, 'RUN <<EOF\nx\nEOF');
  const lines = refusal('FROM x\nRUN <<EOF\nnever');
  assert.match(lines[0] ?? '', /Dockerfile:2:5: unterminated heredoc: no line is EOF/);
  assert.deepEqual(lines.slice(1), ['   2 | RUN <<EOF', '     |     ^']);
});

test('exec and shell form', () => {
  assert.deepEqual(run('RUN ["a", "b c"]').command, { words: ['a', 'b c'], shell: false, documents: [] });
  assert.deepEqual(run("RUN ['a', 'b']").command.words, ["['a', 'b']"]);
  assert.match(refusal('FROM x\nRUN ["a", 1]')[0] ?? '', /2:5: when using JSON array syntax/);
});

test('flags of instructions', () => {
  const found = copy('COPY --chown="1:2" --from=0 --chmod=755 --link --exclude=*.md --exclude=x a b /c/');
  assert.deepEqual(
    [found.chown, found.from?.text, found.chmod, found.link, found.exclude],
    ['1:2', '0', '755', true, ['*.md', 'x']],
  );
  assert.deepEqual([found.sources.map(({ text }) => text), found.destination.text], [['a', 'b'], '/c/']);
  assert.deepEqual(
    copy('COPY -- --x /y').sources.map(({ text }) => text),
    ['--x'],
  );
  for (const [text, pattern] of [
    ['COPY --form=x a b', /2:6: unknown flag: --form, did you mean --from\?/],
    ['COPY --link=maybe a b', /expecting boolean value for flag --link, not: maybe/],
    ['COPY --chown a b', /missing a value on flag: --chown/],
    ['COPY --from=a --from=b a b', /duplicate flag specified: --from/],
    ['COPY --checksum=x a b', /unknown flag: --checksum/],
    ['RUN --network=bridge x', /invalid network mode "bridge"/],
    ['RUN --security=non x', /invalid security mode "non"/],
    ['ENV --x a=b', /unknown flag: --x/],
  ] as const)
    assert.match(refusal(`FROM x\n${text}`)[0] ?? '', pattern);
});

test('ENV, LABEL, ARG', () => {
  const env = only('ENV a=b "c d"=\'e f\' g=h\\ i');
  assert.ok(env.kind === 'env');
  assert.deepEqual(
    env.pairs.map(({ key, value }) => [key.text, value.text]),
    [
      ['a', 'b'],
      ['"c d"', "'e f'"],
      ['g', 'h\\ i'],
    ],
  );
  const old = only('LABEL name  a value = x');
  assert.ok(old.kind === 'label');
  assert.equal(old.pairs[0]?.value.text, 'a value = x');
  const arg = only('ARG a b=c d=');
  assert.ok(arg.kind === 'arg');
  assert.deepEqual(
    arg.arguments.map(({ key, value }) => [key.text, value?.text]),
    [
      ['a', undefined],
      ['b', 'c'],
      ['d', ''],
    ],
  );
  assert.match(refusal('FROM x\nENV a=b c')[0] ?? '', /2:9: can't find = in "c"/);
  assert.match(refusal('FROM x\nENV a')[0] ?? '', /ENV must have two arguments/);
  assert.match(refusal('FROM x\nARG =a')[0] ?? '', /ARG names can not be blank/);
});

test('HEALTHCHECK', () => {
  const found = only('HEALTHCHECK --interval=1m30s --timeout=250ms --retries=3 CMD curl -f x');
  assert.ok(found.kind === 'healthcheck');
  assert.deepEqual(found.health, {
    Test: ['CMD-SHELL', 'curl -f x'],
    Interval: 90e9,
    Timeout: 250e6,
    Retries: 3,
  });
  assert.match(refusal('FROM x\nHEALTHCHECK --interval=1us CMD x')[0] ?? '', /cannot be less than 1ms/);
  assert.match(refusal('FROM x\nHEALTHCHECK NONE x')[0] ?? '', /takes no arguments/);
  assert.match(refusal('FROM x\nHEALTHCHECK RUN x')[0] ?? '', /Unknown type "RUN"/);
});

test('stages', () => {
  const { stages, globalArguments } = parse('ARG a=1\nfrom --platform=linux/arm64 x as One\nFROM one\nRUN x');
  assert.equal(globalArguments.length, 1);
  assert.deepEqual(
    stages.map(({ from }) => [from.base.text, from.name, from.platform]),
    [
      ['x', 'one', 'linux/arm64'],
      ['one', '', ''],
    ],
  );
  assert.match(refusal('RUN x')[0] ?? '', /1:1: no build stage in current context/);
  assert.match(refusal('FROM x as 1a')[0] ?? '', /1:11: invalid name for build stage/);
  assert.match(refusal('FROM x y')[0] ?? '', /1:8: FROM requires either one or three arguments/);
  assert.match(refusal('ARG x')[0] ?? '', /contains no stages/);
});

test('errors show the line, and know a word that was meant', () => {
  assert.deepEqual(refusal('FROM x\n  RUNN a'), [
    'Dockerfile:2:3: unknown instruction: RUNN, did you mean RUN?',
    '   2 |   RUNN a',
    '     |   ^',
  ]);
  // In a continued line the place is that of the later line.
  assert.equal(
    refusal('FROM x\nENV a=b \\\n   c')[0],
    'Dockerfile:3:4: can\'t find = in "c": it must be of the form name=value',
  );
  assert.equal(refusal('')[0], 'Dockerfile:1:1: the Dockerfile cannot be empty');
  assert.match(refusal('# only\n')[0] ?? '', /file with no instructions/);
});

test('ONBUILD', () => {
  const found = only('ONBUILD COPY --from=x a b');
  assert.ok(found.kind === 'onbuild');
  const from = parse('FROM base').stages[0]?.from;
  assert.ok(from !== undefined);
  const trigger = parseTrigger(from, found.trigger);
  assert.ok(trigger.kind === 'copy' && trigger.from?.text === 'x');
  assert.throws(() => parseTrigger(from, 'RUN a\nRUN b'), /single expression/);
  assert.throws(() => parseTrigger(from, 'FROM x'), /isn't allowed as an ONBUILD trigger/);
  for (const text of ['ONBUILD ONBUILD RUN x', 'ONBUILD FROM x', 'ONBUILD'])
    assert.match(refusal(`FROM x\n${text}`)[0] ?? '', /ONBUILD/);
});

test('bounds: lines, instructions, nested triggers', () => {
  assert.match(
    refusal(`FROM x\nRUN ${'a'.repeat(70_000)}`)[0] ?? '',
    /2:1: dockerfile line greater than max allowed size/,
  );
  assert.match(refusal(`FROM x\n${'RUN a\n'.repeat(10_001)}`)[0] ?? '', /more than 10000 instructions/);
  assert.match(refusal(`FROM x\n${'ONBUILD '.repeat(5000)}RUN x`)[0] ?? '', /Chaining ONBUILD/);
});
