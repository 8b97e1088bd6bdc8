// Rows for intelRdt of config-linux.md: by the calls of plans, and in a directory that is taken for resctrl.
import { oci, patch, type Requirement, rows, unit } from './requirement.ts';

const R = 'config-linux.md#configLinuxIntelRdt';
const FILE = 'src/plan/compile/resctrl.ts';

const plan = (test: string) => unit('plan/compile/resctrl', `intelRdt: ${test}`);
const played = (test: string) => oci('resctrl', test);

const LINES = '[l3CacheSchema, memBwSchema, ...schemata]';
const lines = (replacement: string) => patch(FILE, LINES, replacement);

const NOTHING = 'if (rdt === undefined) return { create: [], join: [], release: [] }; if (host';

const JOINED: readonly Requirement[] = [
  ...rows(
    { [`${R}.1`]: 'the first process is written to the tasks of its group' },
    plan('without closID a group with the id of the container is made, and joined by its first process'),
    patch(FILE, `sys.write(tasks, '0')`, `sys.write(tasks, '')`),
  ),
  ...rows(
    { [`${R}.2`]: 'without resctrl intelRdt is an error' },
    oci('conformance-linux', 'an intelRdt that cannot be had is refused'),
    patch(FILE, NOTHING, NOTHING.replace('undefined)', 'undefined || host === undefined)')),
  ),
  ...rows(
    { [`${R}.3`]: 'nothing is written to resctrl without intelRdt' },
    plan('without it no call is about resctrl'),
    patch(
      FILE,
      `const rdt = spec.linux?.intelRdt; const host = facts.resctrl; ${NOTHING}`,
      `const rdt = spec.linux?.intelRdt ?? { closID: '/' }; const host = facts.resctrl; ${NOTHING}`,
    ),
  ),
  ...rows(
    { [`${R}.4`]: '/ is the default class' },
    plan('the root is the default class'),
    patch(FILE, `closID === '/' ? mountPoint`, `closID === '//' ? mountPoint`),
  ),
  ...rows(
    { [`${R}.20`]: 'a container is in the class of its configuration' },
    played('a class that is there is joined, its schemata are written, and it stays'),
    patch(FILE, `sys.write(tasks, '0')`, `sys.write(tasks, '')`),
  ),
];

const SCHEMATA: readonly Requirement[] = [
  ...rows(
    {
      [`${R}.10`]: 'the rules on the parameters are applied',
      [`${R}.12`]: 'the cache schema is written first, that of the bandwidth last',
    },
    plan('the cache schema is written first, that of the bandwidth next, schemata last, in one group'),
    lines('[memBwSchema, l3CacheSchema, ...schemata]'),
  ),
  ...rows(
    { [`${R}.11`]: 'both schemas are written' },
    plan('both schemas are written, or either'),
    lines('[l3CacheSchema ?? memBwSchema, ...schemata]'),
  ),
  ...rows(
    { [`${R}.13`]: 'either schema is written' },
    plan('both schemas are written, or either'),
    lines('[l3CacheSchema && memBwSchema, ...schemata]'),
  ),
  ...rows(
    { [`${R}.14`]: 'the list of schemata is written' },
    plan('schemata are written as they are'),
    lines('[l3CacheSchema, memBwSchema]'),
  ),
  ...rows(
    { [`${R}.15`]: 'without a schema nothing is written' },
    plan('without a schema nothing is written'),
    patch(FILE, 'if (lines.length > 0) calls.push', 'if (lines.length >= 0) calls.push'),
  ),
];

const GROUPS: readonly Requirement[] = [
  ...rows(
    { [`${R}.16`]: 'without closID the group has the id of the container' },
    plan('without closID a group with the id of the container is made, and joined by its first process'),
    patch(FILE, 'closID || id', `closID || 'caisson'`),
  ),
  ...rows(
    { [`${R}.17`]: 'a class that is not there is made' },
    plan('the cache schema is written first, that of the bandwidth next, schemata last, in one group'),
    patch(FILE, 'if (host.schemata === undefined) calls.push', 'if (!closID) calls.push'),
  ),
  ...rows(
    { [`${R}.18`]: 'a class that is there must have the schemas of the configuration' },
    played('a class with other schemata is refused'),
    patch(FILE, 'checkSame(line, host.schemata, group)', `checkSame('', host.schemata, group)`),
  ),
  ...rows(
    { [`${R}.19`]: 'without schemas the class must be there' },
    plan('a class without schemas must be there'),
    patch(FILE, 'if (closID && lines.length === 0)', `if (closID === '' && lines.length === 0)`),
  ),
  ...rows(
    { [`${R}.21`]: 'a group that was made for the container is removed with it' },
    played('a group that was made for a container is removed with it'),
    patch('src/runtime/parents.ts', 'for (const group of oci?.resctrl ?? []) port.removeEmpty?.(group);', ''),
  ),
  ...rows(
    { [`${R}.22`]: 'no class of a closID is removed' },
    plan('what a deletion removes is what was made for this container alone'),
    patch(FILE, '...(rdt.closID ? [] : [group])', 'group'),
  ),
];

const MONITORING: readonly Requirement[] = [
  ...rows(
    { [`${R}.23`]: 'a monitoring group is made' },
    plan('a monitoring group of the id lies in the class, is joined, and must be new'),
    patch(FILE, 'if (rdt.enableMonitoring) calls.push', 'if (rdt.enableMonitoring === false) calls.push'),
  ),
  ...rows(
    { [`${R}.24`]: 'it has the id of the container' },
    plan('a monitoring group of the id lies in the class, is joined, and must be new'),
    patch(FILE, '/mon_groups/${id}', '/mon_groups/caisson'),
  ),
  ...rows(
    { [`${R}.25`]: 'it is removed with the container' },
    played('a monitoring group is removed with its container'),
    patch(FILE, '...(rdt.enableMonitoring ? [monitorOf(group, id)] : []),', ''),
  ),
  ...rows(
    { [`${R}.26`]: 'one that cannot be made is an error' },
    played('a monitoring group that cannot be made is an error'),
    patch(
      FILE,
      'sys.mkdirat(sys.AT_FDCWD, monitorOf(group, id), 0o755)',
      'sys.mkdirat(sys.AT_FDCWD, monitorOf(group, id), 0o755, { tolerate: [17] })',
    ),
  ),
];

export const RESCTRL: readonly Requirement[] = [...JOINED, ...SCHEMATA, ...GROUPS, ...MONITORING];
