// `list`: the containers of a state directory, as a table or as JSON.

import { boolean, value } from '../../frontends/flag.ts';
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { DATABASE_LIMIT, findPasswd } from '../../linux/passwd.ts';
import { type Container, listContainers } from '../../runtime/container.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Invocation, OciCommand } from '../command.ts';
import { type ContainerState, containerState } from '../container-state.ts';
import { goJson } from '../go-json.ts';

export const command: OciCommand = {
  name: 'list',
  summary: 'List the containers of a state directory',
  usage: '',
  description: 'The directory is that of the global option --root.',
  flags: [
    value('format', 'table or json', {
      short: 'f',
      takes: 'FORMAT',
      fallback: 'table',
      completes: ['table', 'json'],
    }),
    boolean('quiet', 'Print ids alone', { short: 'q' }),
  ],
  arguments: [0, 0],
  run: (invocation) => {
    const { port, parsed, out } = invocation;
    const states = containers(invocation).map((each) => containerState(each, owner(port, each)));
    if (parsed.on('quiet')) {
      out(states.map(({ id }) => `${id}\n`).join(''));
      return 0;
    }
    const format = parsed.isSet('format') ? parsed.text('format') : 'table';
    if (format === 'table') out(table(states));
    // Go prints a list that was never made as this.
    else if (format === 'json') out(`${states.length === 0 ? 'null' : goJson(states)}\n`);
    else throw new CaissonError('invalid format option', { code: 'EUSAGE' });
    return 0;
  },
};

/** By id. */
function containers({ port, globals }: Invocation): Container[] {
  const { stateRoot, rootGiven } = globals;
  if (rootGiven && port.stat(stateRoot)?.type !== 'directory') {
    throw new CaissonError(`open ${stateRoot}: no such file or directory`, { code: 'EUSAGE' });
  }
  return listContainers(port, stateRoot).sort((a, b) => (a.record.id < b.record.id ? -1 : 1));
}

function owner(port: Port, { record }: Container): Bytes {
  const { uid } = record.oci;
  const passwd = port.readFile('/etc/passwd', DATABASE_LIMIT) ?? '';
  return findPasswd(passwd, (entry) => entry.uid === uid)?.name ?? `#${uid}`;
}

/** As Go's tabwriter, with columns of at least 12 and three blanks between them. */
function table(states: readonly ContainerState[]): Bytes {
  const rows = [
    ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER'],
    ...states.map(({ id, pid, status, bundle, created, owner: name }) => [
      ...[id, String(pid), status, bundle],
      ...[created, name],
    ]),
  ];
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(LEAST_WIDTH, ...rows.map((row) => (row[column] ?? '').length + GAP)),
  );
  return rows.map((row) => `${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('')}\n`).join('');
}

const LEAST_WIDTH = 12;
const GAP = 3;
