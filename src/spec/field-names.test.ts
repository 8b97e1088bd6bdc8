// Tests of names of fields in another case: taken for what they are, as runc takes them, and told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completeSpec } from './complete-spec.ts';
import { exampleSpec } from './defaults.ts';
import { isFieldName } from './field-names.ts';
import { parseSpec } from './validate.ts';

/** Objects whose names are data. */
const MAPS = ['annotations', 'sysctl', 'unified', 'rdma', 'netDevices', 'timeOffsets'];

function eachName(value: unknown, found: (name: string) => void, isMap = false): void {
  if (Array.isArray(value)) for (const item of value) eachName(item, found);
  else if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value)) {
      if (!isMap) found(name);
      eachName(inner, found, MAPS.includes(name));
    }
  }
}

test('field names: every field of a complete configuration is known', () => {
  eachName(completeSpec(), (name) => assert.ok(isFieldName(name), name));
});

test('field names: another case is taken for the field, and warned of', () => {
  const text = JSON.stringify(exampleSpec())
    .replace('"noNewPrivileges"', '"NoNewPrivileges"')
    .replace('"readonly"', '"READONLY"')
    .replace('"process"', '"Process"');
  const { spec, warnings } = parseSpec(text);
  assert.equal(spec.process?.noNewPrivileges, true);
  assert.equal(spec.root?.readonly, true);
  const told = warnings.map(({ pointer, message }) => `${pointer} ${message}`);
  for (const [pointer, name] of [
    ['/Process', 'process'],
    ['/process/NoNewPrivileges', 'noNewPrivileges'],
    ['/root/READONLY', 'readonly'],
  ])
    assert.ok(
      told.includes(`${pointer} is taken for ${name}: names of fields are case-sensitive`),
      told.join(),
    );
});

test('field names: both cases beside each other are refused', () => {
  const text = JSON.stringify(exampleSpec()).replace('"cwd"', '"CWD":"/tmp","cwd"');
  assert.throws(() => parseSpec(text), /\/process\/CWD: stands beside cwd/);
});

test('field names: parts of one object under both cases are put together, unless they have one field twice', () => {
  const text = (cpu: string, CPU: string) =>
    `{"ociVersion":"1.0.2","root":{"path":"r"},"linux":{"resources":{"cpu":${cpu},"CPU":${CPU}}}}`;
  const { spec } = parseSpec(text('{"shares":2}', '{"Cpus":"0","mems":"0"}'));
  assert.deepEqual(spec.linux?.resources?.cpu, { shares: 2, cpus: '0', mems: '0' });
  assert.throws(() => parseSpec(text('{"cpus":"1"}', '{"cpus":"0"}')), /CPU: stands beside cpu/);
  assert.throws(() => parseSpec(text('{"cpus":"1"}', '{"Cpus":"0"}')), /Cpus: stands beside cpus/);
});

test('field names: names that are data stay as they are, and so does what is unknown', () => {
  const annotations = { Name: 'a', name: 'b', PATH: 'c' };
  const { spec, warnings } = parseSpec(JSON.stringify({ ...exampleSpec(), annotations, Unheard: 1 }));
  assert.deepEqual(spec.annotations, annotations);
  assert.equal(warnings.length, 0);
});
