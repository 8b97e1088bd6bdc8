// `update`: the limits of a container, changed while it runs.

import { type Flag, value } from '../../frontends/flag.ts';
import { parseInteger, parseSize } from '../../frontends/number.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { readGivenFile } from '../../runtime/given-file.ts';
import { updateSchemata } from '../../runtime/schemata.ts';
import { updateContainer } from '../../runtime/update.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Int64, LinuxResources } from '../../spec/runtime-spec.ts';
import { parseResources } from '../../spec/validate.ts';
import { absolute, type Invocation, type OciCommand, usageError } from '../command.ts';
import { goQuote } from '../go-quote.ts';
import type { Parsed } from '../grammar.ts';

type Kind = 'size' | 'integer' | 'text';

/** Each flag, with the field of linux.resources that it sets. */
const FIELDS: readonly (readonly [flag: Flag, field: string, kind: Kind])[] = [
  [value('blkio-weight', 'Weight of block I/O, 10 to 1000', { takes: 'N' }), 'blockIO.weight', 'integer'],
  [value('cpu-period', 'CFS period in microseconds', { takes: 'USEC' }), 'cpu.period', 'integer'],
  [value('cpu-quota', 'CFS quota in a period, in microseconds', { takes: 'USEC' }), 'cpu.quota', 'integer'],
  [value('cpu-burst', 'Time beyond the quota, in microseconds', { takes: 'USEC' }), 'cpu.burst', 'integer'],
  [value('cpu-share', 'CPU shares, 2 to 262144', { takes: 'N' }), 'cpu.shares', 'integer'],
  [
    value('cpu-rt-period', 'Realtime period in microseconds', { takes: 'USEC' }),
    'cpu.realtimePeriod',
    'integer',
  ],
  [
    value('cpu-rt-runtime', 'Realtime runtime in microseconds', { takes: 'USEC' }),
    'cpu.realtimeRuntime',
    'integer',
  ],
  [value('cpuset-cpus', 'CPUs, as 0-3,7', { takes: 'LIST' }), 'cpu.cpus', 'text'],
  [value('cpuset-mems', 'Memory nodes, as 0-3,7', { takes: 'LIST' }), 'cpu.mems', 'text'],
  [value('cpu-idle', '1 for SCHED_IDLE, 0 for the ordinary class', { takes: 'N' }), 'cpu.idle', 'integer'],
  [value('memory', 'Memory limit', { takes: 'BYTES' }), 'memory.limit', 'size'],
  [value('memory-reservation', 'Soft limit of memory', { takes: 'BYTES' }), 'memory.reservation', 'size'],
  [value('memory-swap', 'Limit of memory and swap; -1 for none', { takes: 'BYTES' }), 'memory.swap', 'size'],
  [value('pids-limit', 'Most processes; -1 for no limit', { takes: 'N' }), 'pids.limit', 'integer'],
];

/** Accepted for runc, which ignores them too, and refused where there is nothing that they could change. */
const OTHERS: readonly Flag[] = [
  value('kernel-memory', 'Ignored, as in runc', { takes: 'BYTES' }),
  value('kernel-memory-tcp', 'Ignored, as in runc', { takes: 'BYTES' }),
  value('l3-cache-schema', 'Intel RDT: schema of the L3 cache', { takes: 'SCHEMA' }),
  value('mem-bw-schema', 'Intel RDT: schema of memory bandwidth', { takes: 'SCHEMA' }),
];

export const command: OciCommand = {
  name: 'update',
  summary: 'Change the resource limits of a container',
  usage: '<container-id>',
  description: `Limits that are not given stay as they are. With --resources they are read from a file in the shape of
linux.resources of config.json, and the other options are ignored.`,
  flags: [
    value('resources', 'File with the limits as JSON; "-" is standard input', {
      short: 'r',
      takes: 'FILE',
      completes: 'file',
    }),
    ...FIELDS.map(([flag]) => flag),
    ...OTHERS,
  ],
  arguments: [1, 1],
  run: async (invocation) => {
    const { port, log, target } = invocation;
    const container = target();
    const resources = given(invocation);
    await updateSchemas(invocation);
    for (const warning of await updateContainer(port, container, resources)) log.warn(warning);
    return 0;
  },
};

function given({ port, parsed, log }: Invocation): LinuxResources {
  const file = parsed.text('resources');
  if (file === undefined) {
    if (parsed.isSet('kernel-memory') || parsed.isSet('kernel-memory-tcp'))
      log.warn('Kernel memory settings are ignored and will be removed');
    return resourcesOf(parsed);
  }
  const text = file === '-' ? port.readInput() : readGivenFile(port, absolute(port, file));
  if (text === undefined) {
    throw new CaissonError(`open ${file}: no such file or directory`, { code: 'EUSAGE' });
  }
  return parseResources(text, file === '-' ? 'standard input' : file).resources;
}

/** The flags as linux.resources. Throws CaissonError EUSAGE: `invalid value for cpu-quota: ...`. */
export function resourcesOf(parsed: Parsed): LinuxResources {
  const resources: Record<string, Record<string, Int64 | Bytes>> = {};
  for (const [{ name }, field, kind] of FIELDS) {
    const text = parsed.text(name);
    if (text === undefined) continue;
    const [group = '', key = ''] = field.split('.');
    const fields = resources[group] ?? {};
    fields[key] = kind === 'text' ? text : numberOf(name, text, kind);
    resources[group] = fields;
  }
  // Every field has the type that the table says.
  return resources as LinuxResources;
}

function numberOf(name: string, text: Bytes, kind: Kind): Int64 {
  const parsed = kind === 'integer' || text === '-1' ? parseInteger(text) : parseSize(text);
  if (parsed !== undefined) return parsed;
  const what = kind === 'size' ? 'size' : 'syntax';
  throw new CaissonError(`invalid value for ${name}: parsing ${goQuote(text)}: invalid ${what}`, {
    code: 'EUSAGE',
  });
}

const SCHEMAS = [
  ['l3-cache-schema', 'Intel RDT/CAT: l3 cache schema is not enabled'],
  ['mem-bw-schema', 'Intel RDT/MBA: memory bandwidth schema is not enabled'],
] as const;

async function updateSchemas({ port, parsed, target }: Invocation): Promise<void> {
  const given = SCHEMAS.filter(([name]) => (parsed.text(name) ?? '') !== '');
  const [first] = given;
  if (first === undefined) return;
  const lines = given.map(([name]) => parsed.text(name) ?? '');
  if (lines.some((line) => line.includes('\n'))) throw usageError('a schema is one line');
  await updateSchemata(port, target(), lines, first[1]);
}
