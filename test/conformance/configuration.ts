// Rows for the rest of config.md: root, mounts, process, annotations; and for features.md.
import { kernel, oci, patch, type Requirement, rows, unit } from './requirement.ts';

const FEATURES = 'src/oci/commands/features.ts';
const MOUNTS = 'src/plan/compile/mounts.ts';
const PROCESS = 'src/plan/compile/process.ts';
const M = 'config.md#configLinuxMountOptions';
const V = 'features.md#featuresSpecificationVersion';

const features = (test: string) => unit('oci/commands/features', `features: ${test}`);
const requirement = (test: string) => unit('spec/requirements', `requirements: ${test}`);
const limits = oci('conformance-life-cycle', 'create makes all but the program');
const option = (name: string) => unit('spec/mount-option-names', `mount option ${name}`);

const ROOT: readonly Requirement[] = [
  ...rows(
    { 'config.md#configRoot.8': 'a read-only root is read-only inside' },
    kernel(
      'root',
      'a read-only root refuses writes, also after a remount, and what is mounted in it does not',
    ),
    patch(
      'src/plan/compile/masks.ts',
      'if (!c.spec.root?.readonly) return;',
      'if (c.spec.root !== undefined) return;',
    ),
  ),
  ...rows(
    { 'config.md#configMounts.1': 'mounts are made in the listed order' },
    kernel('mounts', 'the mounts are made in order, a later one covers an earlier one'),
    patch(
      MOUNTS,
      'c.spec.mounts?.forEach((mount, index) => { mountOne(',
      '[...(c.spec.mounts ?? [])].reverse().forEach((mount, index) => { mountOne(',
    ),
  ),
  ...rows(
    { 'config.md#configMounts.4': 'a relative destination begins at the root' },
    kernel('mounts', 'a missing destination is made, a relative one begins at the root'),
    patch('src/spec/mount-check.ts', `c.warn('destination',`, `c.fail('destination',`),
  ),
  ...rows(
    {
      'config.md#configPOSIXMounts.1': 'user ids of a mount are mapped by mount_setattr(2)',
      'config.md#configPOSIXMounts.4': 'group ids of a mount are mapped by mount_setattr(2)',
      [`${M}.58`]: 'a mount with `idmap` has mapped ids',
      [`${M}.63`]: '`idmap` is done by mount_setattr(2)',
    },
    oci('conformance-mounts', 'idmap maps the ids of one mount by its own mappings'),
    patch(MOUNTS, 'set: MOUNT_ATTR_IDMAP,', 'set: 0,'),
  ),
  ...rows(
    { [`${M}.60`]: 'the mappings of the mount itself are those of `idmap`' },
    oci('conformance-mounts', 'idmap maps the ids of one mount by its own mappings'),
    patch(
      'src/runtime/idmap.ts',
      'const own = mount.uidMappings !== undefined || mount.gidMappings !== undefined;',
      'const own = false;',
    ),
  ),
  ...rows(
    {
      [`${M}.65`]: 'a mount with `ridmap` has mapped ids, those below too',
      [`${M}.67`]: 'the mappings of the mount itself are those of `ridmap`',
      [`${M}.70`]: '`ridmap` is done by mount_setattr(2)',
    },
    oci('conformance-mounts', 'ridmap maps the ids of the mounts below too'),
    patch(MOUNTS, `const whole = options.idmap === 'ridmap' ? AT_RECURSIVE : 0;`, 'const whole = 0;'),
  ),
  ...(['idmap', 'ridmap'] as const).flatMap((name, index) => [
    ...rows(
      {
        [`${M}.${61 + 7 * index}`]: `\`${name}\` without mappings of the mount or the container is an error`,
        [`${M}.${62 + 7 * index}`]: `\`${name}\` without mappings and without a user namespace is an error`,
      },
      requirement(`${name} without any mappings is refused`),
      patch('src/spec/mount-check.ts', `uids + gids === 0 && !namespaces.own.has('user')`, 'uids + gids < 0'),
    ),
    ...rows(
      { [`${M}.${59 + 7 * index}`]: `\`${name}\` is no data of the file system` },
      option(name),
      patch(
        'src/spec/mount-options.ts',
        `'remount', 'defaults', 'idmap', 'ridmap',`,
        `'remount', 'defaults', '${name === 'idmap' ? 'ridmap' : 'idmap'}',`,
      ),
    ),
  ]),
  ...rows(
    { [`${M}.64`]: 'the mount option `ridmap` is implemented' },
    option('ridmap'),
    patch('src/spec/mount-options.ts', 'this.idmap = option;', `this.idmap = 'idmap';`),
  ),
  ...rows(
    { [`${M}.73`]: 'an option that nobody knows is left to the file system' },
    option('that nobody knows is left to the file system'),
    patch('src/spec/mount-options.ts', 'this.data.push(option);', ''),
  ),
];

const PROCESS_ROWS: readonly Requirement[] = [
  ...rows(
    { 'config.md#configProcess.2': 'consoleSize has no meaning without a terminal' },
    oci('conformance-linux', 'a size of the window without a terminal is ignored'),
    patch(
      'src/plan/compile/devices.ts',
      'sendTo: Slot | undefined): void { if (!c.spec.process?.terminal) return;',
      'sendTo: Slot | undefined): void { if (!c.spec.process?.terminal && !c.spec.process?.consoleSize) return;',
    ),
  ),
  ...rows(
    { 'config.md#configPOSIXProcess.3': 'every limit is one of the kernel’s' },
    limits,
    patch(PROCESS, 'const resource = rlimitNumber(type) ?? -1;', 'const resource = 99;'),
  ),
  ...rows(
    { 'config.md#configPOSIXProcess.5': 'the soft limit is the configured one' },
    limits,
    patch(
      PROCESS,
      `{ name: 'rlim_cur', width: 8, value: soft },`,
      `{ name: 'rlim_cur', width: 8, value: hard },`,
    ),
  ),
  ...rows(
    { 'config.md#configPOSIXProcess.7': 'the hard limit is the configured one' },
    limits,
    patch(
      PROCESS,
      `{ name: 'rlim_max', width: 8, value: hard },`,
      `{ name: 'rlim_max', width: 8, value: soft },`,
    ),
  ),
  ...rows(
    {
      'config.md#configLinuxProcess.8':
        'with `initial` alone the affinity is not changed after the cgroups are joined',
    },
    unit(
      'plan/compile/exec-process',
      'affinity: with `initial` alone it is left to the kernel after the cgroups are joined',
    ),
    patch('src/plan/compile/exec-process.ts', `else if (initial === '') everyCpu(c);`, 'else everyCpu(c);'),
  ),
  ...rows(
    { 'config.md#configLinuxProcess.1': 'a capability that cannot be granted is warned of' },
    requirement('a capability that nobody knows is warned of'),
    patch(
      'src/spec/process-check.ts',
      'unknown.add(name); c.warn(set,',
      'unknown.add(name); if (set.length === 0) c.warn(set,',
    ),
  ),
  ...rows(
    { 'config.md#configLinuxProcess.2': 'a capability that cannot be granted is no error' },
    kernel('identity', 'a capability that nobody knows is left out'),
    patch('src/spec/process-check.ts', 'unknown.add(name); c.warn(set,', 'unknown.add(name); c.fail(set,'),
  ),
  ...rows(
    { 'config.md#configLinuxProcess.3': 'oom_score_adj is the configured one' },
    kernel('process', 'the score for the killer of memory'),
    patch(
      PROCESS,
      `sys.write(file, String(score)), sys.close(file), ]); } /**`,
      `sys.close(file), ]); } /**`,
    ),
  ),
  ...rows(
    { 'config.md#configLinuxProcess.4': 'oom_score_adj stays where none is configured' },
    kernel('process', 'the score for the killer of memory'),
    patch(
      PROCESS,
      'export function oomScore(c: Context): void { const score = c.spec.process?.oomScoreAdj;',
      'export function oomScore(c: Context): void { const score = c.spec.process?.oomScoreAdj ?? 500;',
    ),
  ),
];

const TEXTS: readonly Requirement[] = [
  ...rows(
    { 'config.md#configAnnotations.24': 'an annotation that nobody knows is ignored' },
    requirement('an unknown annotation is ignored'),
    patch(
      'src/spec/annotation-check.ts',
      `if (!key.startsWith('run.oci.')) return;`,
      `if (!key.startsWith('run.oci.')) c.warn(key, 'is unknown');`,
    ),
  ),
  ...rows(
    { 'config.md#configExtensibility.1': 'a property that nobody knows is ignored' },
    requirement('an unknown property is ignored'),
    patch(
      'src/spec/validate.ts',
      'checkVersion(spec, c); const linux',
      `checkVersion(spec, c); if ('unknown' in spec) c.fail('unknown', 'is unknown'); const linux`,
    ),
  ),
  ...rows(
    { 'features.md#features.1': 'the features are known when the runtime is built' },
    features('what is told is not a matter of the machine'),
    patch(
      FEATURES,
      `out(\`\${goJson(features(port.arch), '    ')}\\n\`);`,
      `out(\`\${goJson({ ...features(port.arch), lsm: port.readFile('/sys/kernel/security/lsm') }, '    ')}\\n\`);`,
    ),
  ),
  ...rows(
    { [`${V}.1`]: 'features tells the least version' },
    features('the least version is accepted'),
    patch(FEATURES, `ociVersionMin: '1.0.0',`, ''),
  ),
  ...rows(
    { [`${V}.2`]: 'the least version is accepted' },
    features('the least version is accepted'),
    patch(FEATURES, `ociVersionMin: '1.0.0',`, `ociVersionMin: '0.9.0',`),
  ),
  ...rows(
    { [`${V}.3`]: 'features tells the greatest version' },
    features('the greatest version is accepted'),
    patch(FEATURES, 'ociVersionMax: OCI_VERSION,', ''),
  ),
  ...rows(
    { [`${V}.4`]: 'the greatest version is accepted' },
    features('the greatest version is accepted'),
    patch(FEATURES, 'ociVersionMax: OCI_VERSION,', `ociVersionMax: '2.0.0',`),
  ),
  ...rows(
    { [`${V}.5`]: 'the greatest version is not below the least' },
    features('the greatest version is not below the least'),
    patch(FEATURES, `ociVersionMin: '1.0.0',`, `ociVersionMin: '1.9.0',`),
  ),
  ...rows(
    { [`${V}.6`]: 'features tells nothing that is not defined' },
    features('only what the specification defines'),
    patch(FEATURES, `ociVersionMin: '1.0.0',`, `ociVersionMin: '1.0.0', runtime: 'caisson',`),
  ),
  ...rows(
    { 'features.md#featuresHooks.1': 'the hooks that features tells are supported' },
    features('every kind of hook is known, and no other'),
    patch(FEATURES, `hooks: ['prestart',`, `hooks: ['prestop', 'prestart',`),
  ),
  ...rows(
    { 'features.md#featuresMountOptions.1': 'the mount options that features tells are recognised' },
    features('every mount option is known, and none is data of a file system'),
    patch(FEATURES, 'mountOptions: mountOptionNames(),', `mountOptions: [...mountOptionNames(), 'none'],`),
  ),
  ...rows(
    { 'features.md#featuresMountOptions.2': 'options of one file system are not among them' },
    features('every mount option is known, and none is data of a file system'),
    patch(
      FEATURES,
      'mountOptions: mountOptionNames(),',
      `mountOptions: [...mountOptionNames(), 'newinstance'],`,
    ),
  ),
  ...rows(
    { 'features.md#featuresAnnotations.1': 'annotations of features are texts with names' },
    features('annotations are texts with names'),
    patch(
      FEATURES,
      `'org.opencontainers.runc.checkpoint.enabled': 'false',`,
      `'org.opencontainers.runc.checkpoint.enabled': false,`,
    ),
  ),
];

export const CONFIGURATION: readonly Requirement[] = [...ROOT, ...PROCESS_ROWS, ...TEXTS];
