// Rows for runtime.md and bundle.md: state, life cycle, operations.
import type { Patch } from '../attack/patched-build.ts';
import { oci, patch, type Requirement, rows } from './requirement.ts';

const shown = (test: string) => oci('conformance-life-cycle', test);
const runtime = (name: string) => `src/runtime/${name}.ts`;

function one(id: string, what: string, test: string, mutation: readonly Patch[]): readonly Requirement[] {
  return rows({ [id]: what }, shown(test), mutation);
}

const STATE: readonly Requirement[] = [
  ...one(
    'runtime.md#runtimeState.1',
    'the state has ociVersion',
    'the state has the version',
    patch(runtime('create'), 'ociVersion: spec.ociVersion,', `ociVersion: '1.0.0',`),
  ),
  ...one(
    'runtime.md#runtimeState.2',
    'the state has the id',
    'the state has the id',
    patch(runtime('container'), 'id: record.id, status,', `id: '', status,`),
  ),
  ...rows(
    {
      'runtime.md#runtimeState.3': 'no two containers of this runtime have one id',
      'runtime.md#runtimeCreate.2': 'an id that is not unique, or not valid, is an error',
    },
    shown('an id is taken once'),
    [
      ...patch(
        runtime('container'),
        'number(RENAME_NOREPLACE, RENAME_FLAGS)])',
        'number(RENAME_NOREPLACE, RENAME_FLAGS)], { tolerate: [ERRNO.EEXIST] })',
      ),
      ...patch(
        'src/oci/create-options.ts',
        'if (port.stat(`${target.stateRoot}/${target.id}`) !== undefined) throw alreadyExists(target.id);',
        '',
      ),
    ],
  ),
  ...one(
    'runtime.md#runtimeState.4',
    'the state has the status',
    'the state has the status',
    patch(
      runtime('container'),
      `phase === 'started' ? 'running' : 'created'`,
      `phase === 'started' ? 'created' : 'created'`,
    ),
  ),
  ...rows(
    { 'runtime.md#runtimeState.5': 'a further status, paused, is for a state of its own' },
    oci('pause', 'a paused container stands still, a resumed one goes on'),
    patch(runtime('container'), `if (isPaused(port, record)) return 'paused';`, ''),
  ),
  ...one(
    'runtime.md#runtimeState.6',
    'the state of a running container has the process id',
    'the state has the process id',
    patch(runtime('container'), `pid: status === 'stopped' ? 0`, `pid: status !== 'stopped' ? 0`),
  ),
  ...one(
    'runtime.md#runtimeState.7',
    'the state has the absolute path of the bundle',
    'the state has the path of the bundle',
    patch(runtime('create'), 'madeParents }), bundle, oci: {', `madeParents }), bundle: '/', oci: {`),
  ),
  ...one(
    'runtime.md#runtimeState.8',
    'the state as JSON fits its schema',
    'the state has the types of the schema',
    patch('src/oci/container-state.ts', 'pid: pid ?? 0,', 'pid: `${pid}` as never,'),
  ),
];

/** Commands that take no container: each then runs without one, or fails in another way. */
const OPTIONAL = (command: string) =>
  patch(`src/oci/commands/${command}.ts`, 'arguments: [1,', 'arguments: [0,');

const OPERATIONS: readonly Requirement[] = [
  ...one(
    'runtime.md#runtimeQueryState.1',
    'state needs an id',
    'state without an id is an error',
    OPTIONAL('state'),
  ),
  ...one(
    'runtime.md#runtimeQueryState.2',
    'the state of a container that is not there is an error',
    'the state of no container is an error',
    patch(
      runtime('container'),
      'if (record === undefined || !isOciRecord(record)) throw doesNotExist(target.id);',
      `if (record === undefined || !isOciRecord(record)) return { record: { id: '', bundle: '', cgroups: [], oci: {} } as never, status: 'stopped' };`,
    ),
  ),
  ...one(
    'runtime.md#runtimeQueryState.3',
    'state prints the state',
    'the state has the types of the schema',
    patch('src/oci/container-state.ts', 'pid: pid ?? 0, status, bundle,', 'pid: pid ?? 0,'),
  ),
  ...one(
    'runtime.md#runtimeCreate.1',
    'create needs an id and a bundle',
    'create without an id is an error',
    OPTIONAL('create'),
  ),
  ...one(
    'runtime.md#runtimeCreate.3',
    'no container is made of an id that is not valid',
    'an id that is no name is refused',
    patch(runtime('state'), 'isMadeOf(id, ID_CHARACTERS)) return;', 'id.length > 0) return;'),
  ),
  ...one(
    'runtime.md#runtimeStart.1',
    'start needs an id',
    'start without an id is an error',
    OPTIONAL('start'),
  ),
  ...one('runtime.md#runtimeKill.1', 'kill needs an id', 'kill without an id is an error', OPTIONAL('kill')),
  ...one(
    'runtime.md#runtimeDelete.1',
    'delete needs an id',
    'delete without an id is an error',
    OPTIONAL('delete'),
  ),
  ...rows(
    {
      'runtime.md#runtimeStart.2': 'start of a container that is not created changes nothing',
      'runtime.md#runtimeStart.3': 'start of a container that is not created is an error',
    },
    shown('start of what runs is refused, and changes nothing'),
    [
      ...patch(
        runtime('start-created'),
        `if (container.status !== 'created') throw`,
        `if (container.status === 'creating') throw`,
      ),
      ...patch(runtime('start-created'), `throw gone ? notCreated('stopped') : error;`, 'process.exit(0);'),
    ],
  ),
  ...rows(
    {
      'runtime.md#runtimeStart.4': 'start runs the program of the configuration',
      'runtime.md#runtimeLifecycle.14': 'the program of the configuration runs',
    },
    shown('start runs the program of the configuration'),
    patch(
      'src/plan/compile/execute.ts',
      "sys.execve(paths[0] ?? '', args, environment)",
      `sys.execve(paths[0] ?? '', args.slice(0, 1), environment)`,
    ),
  ),
  ...rows(
    {
      'runtime.md#runtimeStart.5': 'nothing is started without a process in the configuration',
      'config.md#configProcess.1': 'process is needed to start a container',
    },
    shown('a configuration without a process cannot be started'),
    patch(
      runtime('create'),
      'if (bundle.spec.process?.args === undefined) {',
      `if (bundle.spec.ociVersion === '') {`,
    ),
  ),
  ...rows(
    {
      'runtime.md#runtimeKill.2': 'kill of a container that has stopped changes nothing',
      'runtime.md#runtimeKill.3': 'kill of a container that has stopped is an error',
    },
    shown('kill of what has stopped is refused'),
    [
      ...patch(
        runtime('kill'),
        `isLeftBehind(port, target))) throw notRunning();`,
        'isLeftBehind(port, target))) return;',
      ),
    ],
  ),
  ...one(
    'runtime.md#runtimeKill.4',
    'kill sends the very signal',
    'kill sends the signal that is asked for',
    patch(
      'src/oci/commands/kill.ts',
      'if (signal !== undefined) return signal;',
      'if (signal !== undefined) return 15;',
    ),
  ),
  ...rows(
    {
      'runtime.md#runtimeDelete.2': 'delete of a running container changes nothing',
      'runtime.md#runtimeDelete.3':
        'delete of a running container is an error (a created one is deleted, as runc does)',
    },
    shown('delete of what runs is refused, and it runs on'),
    patch(runtime('delete'), `if (!force && status !== 'stopped'`, `if (!force && status === 'creating'`),
  ),
  ...rows(
    {
      'runtime.md#runtimeDelete.4': 'delete takes away what create has made',
      'runtime.md#runtimeLifecycle.17': 'a container that is gone leaves nothing of what create has made',
    },
    shown('delete takes away what create has made'),
    [
      ...patch(runtime('delete'), 'port.removeEmpty?.(directory) === true;', `directory !== '';`),
      ...patch(runtime('delete'), 'await removeParents(port, player, stateRoot, record);', ''),
    ],
  ),
  ...one(
    'runtime.md#runtimeDelete.5',
    'delete leaves what the container has not made',
    'delete leaves what create has not made',
    patch(
      runtime('delete'),
      'await takeAway(port, player, target, record);',
      'await takeAway(port, player, target, record); port.remove(record.bundle);',
    ),
  ),
  ...rows(
    {
      'runtime.md#runtimeScopeContainer.1': 'who has created a container can use the other operations on it',
      'runtime.md#runtimeOperations.1': 'state, create, start, kill and delete are there',
    },
    oci('life-cycle', 'create, start, kill, delete'),
    patch(runtime('create'), 'init } });', `init } }); port.remove(stateRoot);`),
  ),
];

const LIFE: readonly Requirement[] = [
  ...rows(
    {
      'runtime.md#runtimeLifecycle.1': 'what is created is what the configuration says',
      'runtime.md#runtimeLifecycle.3': 'create makes the resources that the configuration asks for',
      'runtime.md#runtimeCreate.4': 'create makes a container',
      'runtime.md#runtimeCreate.5': 'create applies all properties but the process',
    },
    shown('create makes all but the program'),
    patch(
      'src/cgroups/create.ts',
      '...limits.map(({ cgroup, limit }) => limitStep(cgroup.directory, limit)),',
      '',
    ),
  ),
  ...rows(
    {
      'runtime.md#runtimeLifecycle.4': 'create does not run the program',
      'runtime.md#runtimeCreate.6': 'process.args waits for start',
    },
    shown('create makes all but the program'),
    patch(
      'src/plan/compile/barrier.ts',
      "call('listen', [value(listener), number(1)]),",
      "sys.execve('/bin/sh', c.spec.process?.args ?? [], { kind: 'pointers', items: [] }),",
    ),
  ),
  ...rows(
    {
      'runtime.md#runtimeLifecycle.2': 'an environment that cannot be made is an error',
      'runtime.md#runtimeCreate.7': 'a property that cannot be applied is an error',
    },
    shown('create without what it is asked for fails, and leaves nothing'),
    patch(
      'src/plan/compile/mounts.ts',
      'if (options.bind) bindMount(c, mount, options, cause);',
      `if (options.bind && mount.source === '/nonexistent') return;\n  if (options.bind) bindMount(c, mount, options, cause);`,
    ),
  ),
  ...rows(
    {
      'runtime.md#runtimeCreate.8': 'a create that fails makes no container',
      'runtime.md#runtimeErrors.1': 'an error leaves everything as it was',
    },
    shown('create without what it is asked for fails, and leaves nothing'),
    patch(runtime('create'), 'removeRecord(port, stateRoot, record); }); throw error;', '}); throw error;'),
  ),
  ...one(
    'runtime.md#runtimeLifecycle.5',
    'changes of config.json after create have no effect',
    'a config.json that changes later changes nothing',
    patch(
      runtime('container'),
      'const text = port.readFile(`${directoryOf(target)}/config.json`);',
      'const text = port.readFile(`${record.bundle}/config.json`);',
    ),
  ),
  ...rows(
    {
      'bundle.md#containerFormat.1': 'a bundle has a configuration',
      'bundle.md#containerFormat.2': 'the configuration lies at the top of the bundle',
      'bundle.md#containerFormat.3': 'the configuration is called config.json',
    },
    shown('a bundle without config.json is refused'),
    patch(
      runtime('bundle'),
      'const text = readGivenFile(port, path);',
      'const text = readGivenFile(port, path) ?? readGivenFile(port, `${directory}/below/config.json`);',
    ),
  ),
  ...one(
    'config.md#configRoot.7',
    'the root is a directory that exists',
    'a root that is not there is refused',
    patch(
      runtime('bundle'),
      "const absolute = given.startsWith('/') ? given : `${directory}/${given}`;",
      `const absolute = given === '/nonexistent' ? '/tmp' : given;`,
    ),
  ),
];

export const LIFE_CYCLE: readonly Requirement[] = [...STATE, ...OPERATIONS, ...LIFE];
