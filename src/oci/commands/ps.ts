// `ps`: the processes of a container, as ps(1) shows them or as numbers.

import { value } from '../../frontends/flag.ts';
import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { containerProcesses } from '../../runtime/processes.ts';
import { CaissonError } from '../../spec/error.ts';
import type { OciCommand } from '../command.ts';
import { goJson } from '../go-json.ts';

export const command: OciCommand = {
  name: 'ps',
  summary: 'List the processes of a container',
  usage: '<container-id> [ps options]',
  description: `The table is the host's ps(1), called with the options after the id (default: -ef), without the lines of other
processes.`,
  flags: [
    value('format', 'table or json', {
      short: 'f',
      takes: 'FORMAT',
      fallback: 'table',
      completes: ['table', 'json'],
    }),
  ],
  arguments: [1, Number.POSITIVE_INFINITY],
  stopsAtArgument: true,
  run: async ({ port, parsed, target, out }) => {
    const pids = containerProcesses(port, target());
    const format = parsed.isSet('format') ? parsed.text('format') : 'table';
    if (format === 'json') out(`${pids.length === 0 ? 'null' : goJson(pids)}\n`);
    else if (format === 'table') out(await table(port, pids, parsed.words.slice(1)));
    else throw new CaissonError('invalid format option', { code: 'EUSAGE' });
    return 0;
  },
};

async function table(port: Port, pids: readonly number[], options: readonly Bytes[]): Promise<Bytes> {
  const program = port.findProgram('ps');
  if (program === undefined) {
    throw new CaissonError('exec: "ps": executable file not found in $PATH', { code: 'ENOTFOUND' });
  }
  const args = options.length === 0 ? ['-ef'] : options;
  const { exitCode, stdout, stderr } = await port.spawn(program, args, { env: port.environment });
  if (exitCode !== 0) {
    throw new CaissonError(`exit status ${exitCode}: ${stdout}${stderr}`, { code: 'EPROGRAM' });
  }
  return linesOf(stdout, new Set(pids.map(String)));
}

/** The heading, and the lines of these processes. Throws CaissonError EPROGRAM without a column of process ids. */
export function linesOf(output: Bytes, pids: ReadonlySet<string>): Bytes {
  const [heading = '', ...lines] = output.split('\n');
  const column = words(heading).indexOf('PID');
  if (column < 0) throw new CaissonError("couldn't find PID field in ps output", { code: 'EPROGRAM' });
  const shown = lines.filter((line) => pids.has(words(line)[column] ?? ''));
  return [heading, ...shown].map((line) => `${line}\n`).join('');
}

function words(line: Bytes): Bytes[] {
  return line.split(/[ \t]+/).filter((word) => word !== '');
}
