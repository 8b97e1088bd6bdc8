// Rows for hooks: config.md, POSIX-platform Hooks, and the steps of the life cycle in runtime.md.
import type { Patch } from '../attack/patched-build.ts';
import { oci, patch, type Requirement, rows } from './requirement.ts';

const CREATE = 'src/runtime/create.ts';
const START = 'src/runtime/start-created.ts';
const DELETE = 'src/runtime/delete.ts';
const HOOKS_FILE = 'src/runtime/hooks.ts';

const SIX = oci('hooks', 'create, start and delete run the six kinds in order and place');
const shown = (test: string) => oci('conformance-hooks', test);
const failing = (kind: string) =>
  oci('hooks', `a ${kind} hook that fails ends the container, and poststop hooks run`);

const PRESTART = `await runHostHooks(port, 'prestart', spec.hooks, state, { pid });`;
const CREATE_RUNTIME = `await runHostHooks(port, 'createRuntime', spec.hooks, state, { pid });`;
const CREATE_CONTAINER = `await runContainerHooks(port, 'createContainer', spec.hooks, state, pid, {`;
const START_CONTAINER = `if (spec !== undefined && hasHooks(spec, ['startContainer'])) await runContainerHooks(`;
const POSTSTART = `await runHostHooks(port, 'poststart', hooks, state,`;
const POSTSTOP = `await runHostHooks(port, 'poststop', hooks,`;

const INSIDE = '{ spec, facts, cgroups: record.cgroups }';

/** A host hook becomes one that runs inside the container. */
const inside = (kind: string) =>
  `await runContainerHooks(port, 'createContainer', { createContainer: spec.hooks?.${kind} ?? [] }, state, pid, ${INSIDE});`;

const never = (file: string, call: string) => patch(file, call, `if (port.pid < 0) ${call}`);

const INVOKED: readonly Requirement[] = [
  ...rows({ 'runtime.md#runtimeLifecycle.6': 'prestart hooks run' }, SIX, patch(CREATE, PRESTART, '')),
  ...rows(
    { 'runtime.md#runtimeLifecycle.8': 'createRuntime hooks run' },
    SIX,
    patch(CREATE, CREATE_RUNTIME, ''),
  ),
  ...rows(
    { 'runtime.md#runtimeLifecycle.10': 'createContainer hooks run' },
    SIX,
    never(CREATE, CREATE_CONTAINER),
  ),
  ...rows(
    { 'runtime.md#runtimeLifecycle.12': 'startContainer hooks run' },
    SIX,
    patch(START, START_CONTAINER, 'if (port.pid < 0) await runContainerHooks('),
  ),
  ...rows({ 'runtime.md#runtimeLifecycle.15': 'poststart hooks run' }, SIX, never(START, POSTSTART)),
  ...rows({ 'runtime.md#runtimeLifecycle.18': 'poststop hooks run' }, SIX, never(DELETE, POSTSTOP)),
];

/** Failures of one kind of hook are passed over. */
const tolerant = (kind: string): readonly Patch[] =>
  patch(
    HOOKS_FILE,
    'throw hookError(which, `${why}, stdout: ${stdout}, stderr: ${stderr}`);',
    `if (which.kind !== '${kind}') throw hookError(which, \`\${why}, stdout: \${stdout}, stderr: \${stderr}\`);`,
  );

const FAILED: readonly Requirement[] = [
  ...(['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart'] as const).flatMap(
    (kind, index) =>
      rows(
        {
          [`runtime.md#runtimeLifecycle.${[7, 9, 11, 13, 16][index]}`]: `a ${kind} hook that fails is an error and the end of the container`,
        },
        failing(kind),
        tolerant(kind),
      ),
  ),
  ...rows(
    {
      'runtime.md#runtimeLifecycle.19': 'a poststop hook that fails is warned of, and the next ones run',
      'runtime.md#runtimeWarnings.1': 'a warning changes nothing of the operation',
    },
    oci('hooks', 'poststop hooks that fail are warned of, and the others run'),
    patch(HOOKS_FILE, 'options.warn?.(error.message);', 'throw error;'),
  ),
];

const PLACES: readonly Requirement[] = [
  ...rows(
    {
      'config.md#configHooks.4': 'the path of a prestart hook is one of the host',
      'config.md#configHooks.5': 'prestart hooks run in the namespaces of the host',
      'config.md#configHooksPrestart.3': 'the path of a prestart hook is one of the host',
      'config.md#configHooksPrestart.4': 'prestart hooks run in the namespaces of the host',
    },
    SIX,
    patch(CREATE, PRESTART, inside('prestart')),
  ),
  ...rows(
    {
      'config.md#configHooks.9': 'the path of a createRuntime hook is one of the host',
      'config.md#configHooks.10': 'createRuntime hooks run in the namespaces of the host',
      'config.md#configHooksCreateRuntime.2': 'the path of a createRuntime hook is one of the host',
      'config.md#configHooksCreateRuntime.3': 'createRuntime hooks run in the namespaces of the host',
    },
    SIX,
    patch(CREATE, CREATE_RUNTIME, inside('createRuntime')),
  ),
  ...rows(
    {
      'config.md#configHooks.12': 'createContainer hooks run in the namespaces of the container',
      'config.md#configHooksCreateContainer.4':
        'createContainer hooks run in the namespaces of the container',
    },
    SIX,
    patch(
      CREATE,
      CREATE_CONTAINER,
      `await ((_: object) => runHostHooks(port, 'createRuntime', { createRuntime: spec.hooks?.createContainer ?? [] }, state, { pid }))({`,
    ),
  ),
  ...rows(
    {
      'config.md#configHooks.14': 'startContainer hooks run in the namespaces of the container',
      'config.md#configHooks.13': 'the path of a startContainer hook is one of the container',
      'config.md#configHooksStartContainer.2': 'the path of a startContainer hook is one of the container',
      'config.md#configHooksStartContainer.3': 'startContainer hooks run in the namespaces of the container',
    },
    SIX,
    patch(
      START,
      START_CONTAINER,
      `await runHostHooks(port, 'createRuntime', { createRuntime: spec.hooks?.startContainer ?? [] }, ociState(container), { pid });\n  if (port.pid < 0) await runContainerHooks(`,
    ),
  ),
  ...rows(
    {
      'config.md#configHooks.11': 'the path of a createContainer hook is one of the host',
      'config.md#configHooksCreateContainer.3': 'the path of a createContainer hook is one of the host',
    },
    SIX,
    patch(
      HOOKS_FILE,
      'path, args: args.length === 0 ? [path] : args,',
      "path: kind === 'createContainer' ? `/proc/1/root/nowhere${path}` : path, args: args.length === 0 ? [path] : args,",
    ),
  ),
  ...(['poststart', 'poststop'] as const).flatMap((kind, index) => [
    ...rows(
      {
        [`config.md#configHooks.${15 + 2 * index}`]: `the path of a ${kind} hook is one of the host`,
        [`config.md#configHooks${kind === 'poststart' ? 'Poststart' : 'Poststop'}.2`]: `the path of a ${kind} hook is one of the host`,
      },
      SIX,
      patch(
        HOOKS_FILE,
        'path, args: args.length === 0 ? [path] : args,',
        `path: kind === '${kind}' ? \`\${state.bundle}\${path}\` : path, args: args.length === 0 ? [path] : args,`,
      ),
    ),
    ...rows(
      {
        [`config.md#configHooks.${16 + 2 * index}`]: `${kind} hooks run in the namespaces of the host`,
        [`config.md#configHooks${kind === 'poststart' ? 'Poststart' : 'Poststop'}.3`]: `${kind} hooks run in the namespaces of the host`,
      },
      SIX,
      patch(
        HOOKS_FILE,
        'path, args: args.length === 0 ? [path] : args,',
        `path: kind === '${kind}' ? '/usr/bin/unshare' : path, args: kind === '${kind}' ? ['unshare', '-mu', path, ...args.slice(1)] : args,`,
      ),
    ),
  ]),
];

/** The pause for hooks comes when the root has been changed. */
const AFTER_PIVOT: readonly Patch[] = [
  ...patch('src/plan/compile.ts', 'hooksPause(c); openProcfsEarly(c);', 'openProcfsEarly(c);'),
  ...patch(
    'src/plan/compile.ts',
    'const hooks = hooksPause(c); if (directory === undefined) chrootOnly(c); else pivotRoot(c);',
    'if (directory === undefined) chrootOnly(c); else pivotRoot(c); const hooks = hooksPause(c);',
  ),
];

const TIMES: readonly Requirement[] = [
  ...(['prestart', 'createRuntime', 'createContainer'] as const).flatMap((kind) =>
    rows(
      {
        [`config.md#configHooks${kind[0]?.toUpperCase()}${kind.slice(1)}.1`]: `${kind} hooks belong to create, after the mounts and before the change of root`,
      },
      shown(`${kind} hooks run when all is mounted and the root is still the host's`),
      AFTER_PIVOT,
    ),
  ),
  ...rows({ 'config.md#configHooksPrestart.2': 'prestart hooks come before createRuntime hooks' }, SIX, [
    ...patch(CREATE, PRESTART, ''),
    ...patch(CREATE, CREATE_RUNTIME, `${CREATE_RUNTIME} ${PRESTART}`),
  ]),
  ...rows(
    { 'config.md#configHooksCreateContainer.2': 'createContainer hooks come after createRuntime hooks' },
    SIX,
    patch(CREATE, CREATE_RUNTIME, `${inside('createContainer')} ${CREATE_RUNTIME} if (pid > 0) return;`),
  ),
  ...rows(
    {
      'config.md#configHooksStartContainer.1':
        'startContainer hooks belong to start, before the program runs',
    },
    failing('startContainer'),
    patch(
      START,
      START_CONTAINER,
      `await release(held, spec, connection).catch(() => undefined);\n  ${START_CONTAINER}`,
    ),
  ),
  ...rows(
    { 'config.md#configHooksPoststart.1': 'poststart hooks have run when start returns' },
    shown('poststart hooks have run when start returns'),
    patch(START, POSTSTART, POSTSTART.replace('await', 'void')),
  ),
  ...rows(
    { 'config.md#configHooksPoststop.1': 'poststop hooks run after the deletion, before delete returns' },
    shown('poststop hooks run when the container is deleted, before delete returns'),
    patch(
      DELETE,
      'await takeAway(port, player, target, record);',
      `${POSTSTOP} ociState({ record, status: 'stopped' }), { warn }); await takeAway(port, player, target, record); if (port.pid > 0) return;`,
    ),
  ),
  ...rows(
    { 'config.md#configHooks.19': 'hooks of one kind run in the listed order' },
    shown('hooks of one kind run in the listed order'),
    patch(
      HOOKS_FILE,
      'for (const [index, hook] of list.entries()) await run(player, index, hook);',
      'for (const [index, hook] of [...list.entries()].reverse()) await run(player, index, hook);',
    ),
  ),
  ...rows(
    { 'config.md#configHooks.20': 'hooks read the state on their standard input' },
    SIX,
    patch(HOOKS_FILE, 'return stringifyJson({ ...state, status: STATUS[kind], pid });', `return '{}';`),
  ),
];

export const HOOKS: readonly Requirement[] = [...INVOKED, ...FAILED, ...PLACES, ...TIMES];
