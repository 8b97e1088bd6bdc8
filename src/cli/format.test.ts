// Tests of `--format`: docker's templates, tables and JSON.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CaissonError } from '../spec/error.ts';
import { formatInspection, formatList } from './format.ts';
import { compileTemplate } from './format-template.ts';
import type { Value } from './format-value.ts';

const IMAGE: Value = {
  Id: 'sha256:abc',
  RepoTags: ['a:1', 'b:2'],
  Size: 12345678,
  Empty: null,
  Config: { Cmd: null, Entrypoint: ['/bin/sh', '-c'], Labels: { x: 'y', 'a.b': 'c' }, User: '' },
  List: [{ N: 1 }, { N: 2 }, { N: 3 }],
  big: 18446744073709551615n,
};

function run(template: string, value: Value = IMAGE): string {
  return compileTemplate(template)(value);
}

/** Template, and what it prints. */
const CASES: readonly (readonly [string, string])[] = [
  ['plain', 'plain'],
  ['{{.Id}}', 'sha256:abc'],
  ['{{ .Config.User }}|', '|'],
  ['{{json .Config}}', '{"Cmd":null,"Entrypoint":["/bin/sh","-c"],"Labels":{"x":"y","a.b":"c"},"User":""}'],
  ['{{json .big}}', '18446744073709551615'],
  ['{{.RepoTags}}', '[a:1 b:2]'],
  ['{{.Config.Labels}}', 'map[a.b:c x:y]'],
  ['{{.Config.Cmd}}', '[]'],
  ['{{.Empty}}', '<no value>'],
  ['{{index .RepoTags 1}}', 'b:2'],
  ['{{index .Config.Labels "a.b"}}', 'c'],
  ['{{index .Config.Labels "none"}}', ''],
  ['{{.Config.Labels.none}}', '<no value>'],
  ['{{(index .List 2).N}}', '3'],
  ['{{join .RepoTags ", "}}', 'a:1, b:2'],
  ['{{range .RepoTags}}<{{.}}>{{end}}', '<a:1><b:2>'],
  ['{{range $i, $t := .RepoTags}}{{if $i}},{{end}}{{$t}}{{end}}', 'a:1,b:2'],
  ['{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}', 'a.b=c;x=y;'],
  ['{{range .Config.Cmd}}x{{else}}none{{end}}', 'none'],
  ['{{range .List}}{{if eq .N 2}}{{continue}}{{end}}{{.N}}{{end}}', '13'],
  ['{{range .List}}{{if eq .N 2}}{{break}}{{end}}{{.N}}{{end}}', '1'],
  ['{{if .Config.User}}u{{else if .Config.Entrypoint}}e{{else}}n{{end}}', 'e'],
  ['{{with .Config}}{{.Entrypoint}}{{end}}', '[/bin/sh -c]'],
  ['{{with .Config.User}}x{{else}}nobody{{end}}', 'nobody'],
  ['{{upper .Id}} {{lower "ÄB"}} {{title "two words"}}', 'SHA256:ABC äb Two Words'],
  ['{{.Id | upper | printf "%-12s|"}}', 'SHA256:ABC  |'],
  ['{{printf "%05d %q %v%%" 42 "a" true}}', '00042 "a" true%'],
  ['{{println "a" 1}}', 'a 1\n'],
  ['{{print 1 2 "x" 3}}', '1 2x3'],
  ['{{len .RepoTags}}{{len .Id}}', '210'],
  ['{{slice .Id 7 9}}', 'ab'],
  ['{{truncate .Id 6}}', 'sha256'],
  ['{{pad "x" 1 2}}|', ' x  |'],
  ['{{index (split .Id ":") 1}}', 'abc'],
  ['{{and true .Id}} {{or .Config.User "x"}} {{not .Id}}', 'sha256:abc x false'],
  ['{{if and (gt .Size 1000) (lt .Size 1e9)}}y{{end}}', 'ERROR'],
  ['{{eq .Size 1 12345678}} {{ne "a" "b"}} {{ge 2 2}} {{le 3 2}}', 'true true true false'],
  ['a {{- " b " -}} c', 'a b c'],
  ['a {{/* comment */}}b', 'a b'],
  ['a {{- /* comment */ -}} b', 'ab'],
  ['{{$x := .Id}}{{$x}}', 'sha256:abc'],
  ['{{$x := 1}}{{range .List}}{{$x = .N}}{{end}}{{$x}}', '3'],
  ['{{$.Id}}{{range .List}}{{$.Config.User}}{{end}}', 'sha256:abc'],
  ['{{"\\t{{"}}', '\t{{'],
  ['{{`raw\\n`}}', 'raw\\n'],
];

for (const [template, expected] of CASES) {
  test(`template ${template}`, () => {
    // Template and expectation are written as text here, and are bytes there.
    const bytes = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
    if (expected === 'ERROR') assert.throws(() => run(template), CaissonError);
    else assert.equal(run(bytes(template)), bytes(expected));
  });
}

const REFUSED: readonly (readonly [string, RegExp])[] = [
  [
    '{{.Nope}}',
    /^template parsing error: template: :1:2: executing "" at <.Nope>: map has no entry for key "Nope"; there are Id, /,
  ],
  ['{{.Id.More}}', /can't evaluate field More/],
  ['{{.Empty.More}}', /nil has no field More/],
  ['{{.__proto__}}', /no entry for key "__proto__"/],
  ['{{.Id', /unclosed action/],
  ['{{if .Id}}', /has no end/],
  ['{{end}}', /unexpected {{end}}/],
  ['{{}}', /missing value for command/],
  ['{{nope .Id}}', /function "nope" not defined/],
  ['{{$x}}', /undefined variable "\$x"/],
  ['{{index .RepoTags 7}}', /index out of range: 7/],
  ['{{range .Id}}{{end}}', /can't iterate/],
  ['{{"a}}', /unterminated quoted string/],
  ['\n\n {{(.Id}}', /:3:3: unclosed left paren/],
];

for (const [template, expected] of REFUSED) {
  test(`template ${JSON.stringify(template)} is refused`, () => {
    assert.throws(
      () => run(template),
      (error) => error instanceof CaissonError && expected.test(error.message),
    );
  });
}

const SHAPE = { columns: '{{.Name}}\t{{.Size}}', heads: { Name: 'NAME', Size: 'SIZE' } };
const ROWS = [
  { Name: 'a-name-that-is-long', Size: '1B' },
  { Name: 'b', Size: '2B' },
];

test('a table: cells ten wide at least, three spaces apart', () => {
  assert.equal(
    formatList(ROWS, SHAPE, undefined),
    'NAME                  SIZE\na-name-that-is-long   1B\nb                     2B\n',
  );
  assert.equal(formatList([], SHAPE, 'table'), 'NAME      SIZE\n');
  assert.equal(
    formatList(ROWS, SHAPE, 'table {{upper .Size}}\\t{{.Name}}').split('\n')[1],
    '1B        a-name-that-is-long',
  );
  assert.equal(formatList(ROWS, SHAPE, 'table {{upper .Size}}\\t{{.Name}}').split('\n')[0], 'SIZE      NAME');
});

test('rows by a template and as JSON', () => {
  assert.equal(formatList(ROWS, SHAPE, '{{.Name}}={{.Size}}'), 'a-name-that-is-long=1B\nb=2B\n');
  assert.equal(formatList(ROWS.slice(1), SHAPE, 'json'), '{"Name":"b","Size":"2B"}\n');
  assert.equal(formatList(ROWS.slice(1), SHAPE, '{{json .}}'), '{"Name":"b","Size":"2B"}\n');
});

test('inspections: all as one array, or a line each', () => {
  assert.equal(formatInspection([{ A: 1 }], undefined), '[\n    {\n        "A": 1\n    }\n]\n');
  assert.equal(formatInspection([{ A: 1 }, { A: 2 }], '{{.A}}'), '1\n2\n');
  assert.equal(formatInspection([{ A: 1 }], 'json'), '[{"A":1}]\n');
});
