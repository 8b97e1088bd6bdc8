// Requirements without a row: those that are not shown yet, and those that ask nothing of a runtime on Linux.
import type { Unproven } from './requirement.ts';

/** A test or a mutation is missing. What is asked for, or what is there instead. */
export const OPEN: readonly Unproven[] = [
  ['config.md#configLinuxMountOptions.72', 'options of mount(8) beyond the table do what mount(8) does'],
  ['config.md#configLinuxProcess.7', 'the priority of ioPriority: an absent one is taken for 0, as by runc'],
  [
    'config.md#configLinuxProcess.8',
    'without execCPUAffinity the affinity of exec stays: as by runc, it is every CPU of the cpuset, whatever the caller has',
  ],
  ['config.md#configPOSIXUser.1', 'the user id: an absent one is taken for 0, as by runc'],
  ['config.md#configPOSIXUser.2', 'the group id: an absent one is taken for 0, as by runc'],
  [
    'config-linux.md#configLinuxDefaultFilesystems.1',
    '/proc, /sys, /dev/pts and /dev/shm: they are what the configuration mounts, and `spec` writes them',
  ],
  [
    'config-linux.md#configLinuxIntelRdt.1',
    'the process is written to the tasks of resctrl (intelRdt is refused)',
  ],
  ['config-linux.md#configLinuxIntelRdt.4', '/ is the default class (intelRdt is refused)'],
  ['config-linux.md#configLinuxIntelRdt.10', 'the rules on the parameters are applied (intelRdt is refused)'],
  ['config-linux.md#configLinuxIntelRdt.11', 'both schemata are written (intelRdt is refused)'],
  [
    'config-linux.md#configLinuxIntelRdt.12',
    'the cache schema first, the bandwidth schema last (intelRdt is refused)',
  ],
  ['config-linux.md#configLinuxIntelRdt.13', 'either schema is written (intelRdt is refused)'],
  ['config-linux.md#configLinuxIntelRdt.14', 'the list of schemata is written (intelRdt is refused)'],
  ['config-linux.md#configLinuxIntelRdt.15', 'no schema, nothing written (intelRdt is refused)'],
  [
    'config-linux.md#configLinuxIntelRdt.16',
    'without closID the directory has the id of the container (intelRdt is refused)',
  ],
  ['config-linux.md#configLinuxIntelRdt.17', 'a directory that is not there is made (intelRdt is refused)'],
  [
    'config-linux.md#configLinuxIntelRdt.18',
    'a directory that is there has the same schemata (intelRdt is refused)',
  ],
  [
    'config-linux.md#configLinuxIntelRdt.19',
    'without schemata the directory of closID must be there (intelRdt is refused)',
  ],
  ['config-linux.md#configLinuxIntelRdt.20', 'the container is assigned to it (intelRdt is refused)'],
  ['config-linux.md#configLinuxIntelRdt.21', 'a directory that was made is removed (intelRdt is refused)'],
  ['config-linux.md#configLinuxIntelRdt.22', 'no other directory is removed (intelRdt is refused)'],
  ['config-linux.md#configLinuxIntelRdt.23', 'a monitoring group is made (intelRdt is refused)'],
  ['config-linux.md#configLinuxIntelRdt.24', 'it has the id of the container (intelRdt is refused)'],
  ['config-linux.md#configLinuxIntelRdt.25', 'it lies in the directory of the class (intelRdt is refused)'],
  ['config-linux.md#configLinuxIntelRdt.26', 'a failure of that is an error (intelRdt is refused)'],
];

/** Other platforms, and authors of specifications, configurations and programs. */
export const NOT_FOR_RUNTIMES: readonly Unproven[] = [
  ['config.md#configRoot.1', 'for Windows'],
  ['config.md#configRoot.2', 'for Windows'],
  ['config.md#configRoot.5', 'for Windows'],
  ['config.md#configRoot.6', 'for configurations: the name of the root’s directory'],
  ['config.md#configRoot.9', 'for Windows'],
  ['config.md#configMounts.3', 'for configurations: destinations are absolute; a relative one is warned of'],
  ['config.md#configMounts.5', 'for Windows'],
  ['config.md#configMounts.6', 'for Windows'],
  ['config.md#configMounts.7', 'for Solaris'],
  ['config.md#configMounts.8', 'for other platforms than Linux'],
  ['config.md#configMounts.9', 'for Windows'],
  ['config.md#configLinuxMountOptions.71', 'says what the word MUST means in the table'],
  ['config.md#configPOSIXMounts.2', 'for configurations: `idmap` or `ridmap` stands beside user mappings'],
  ['config.md#configPOSIXMounts.5', 'for configurations: `idmap` or `ridmap` stands beside group mappings'],
  ['config.md#configProcess.8', 'for Windows'],
  ['config.md#configPlatformSpecificConfiguration.1', 'for Windows'],
  ['config.md#configAnnotations.2', 'JSON has no other keys than strings'],
  ['config.md#configAnnotations.4', 'for configurations: names of annotations'],
  ['config.md#configAnnotations.5', 'for configurations: reserved names'],
  [
    'config.md#configAnnotations.6',
    'for configurations and images: an annotation that the specification of images defines',
  ],
  [
    'config.md#configAnnotations.7',
    'for configurations and images: an annotation that the specification of images defines',
  ],
  [
    'config.md#configAnnotations.8',
    'for configurations and images: an annotation that the specification of images defines',
  ],
  [
    'config.md#configAnnotations.9',
    'for configurations and images: an annotation that the specification of images defines',
  ],
  [
    'config.md#configAnnotations.10',
    'for configurations and images: an annotation that the specification of images defines',
  ],
  [
    'config.md#configAnnotations.11',
    'for configurations and images: an annotation that the specification of images defines',
  ],
  [
    'config.md#configAnnotations.12',
    'for configurations and images: an annotation that the specification of images defines',
  ],
  [
    'config.md#configAnnotations.13',
    'for configurations and images: an annotation that the specification of images defines',
  ],
  [
    'config.md#configAnnotations.14',
    'for configurations and images: an annotation that the specification of images defines',
  ],
  [
    'config.md#configAnnotations.15',
    'for configurations and images: an annotation that the specification of images defines',
  ],
  [
    'config.md#configAnnotations.16',
    'for configurations and images: an annotation that the specification of images defines',
  ],
  [
    'config.md#configAnnotations.17',
    'for configurations and images: an annotation that the specification of images defines',
  ],
  [
    'config.md#configAnnotations.18',
    'for configurations and images: an annotation that the specification of images defines',
  ],
  [
    'config.md#configAnnotations.19',
    'for configurations and images: an annotation that the specification of images defines',
  ],
  [
    'config.md#configAnnotations.20',
    'for configurations and images: an annotation that the specification of images defines',
  ],
  [
    'config.md#configAnnotations.21',
    'for configurations and images: an annotation that the specification of images defines',
  ],
  [
    'config.md#configAnnotations.22',
    'for configurations and images: an annotation that the specification of images defines',
  ],
  ['config.md#configAnnotations.23', 'for later specifications'],
  ['config-linux.md#configLinuxDevices.6', 'for configurations: one entry for a device'],
  ['config-linux.md#configLinuxIntelRdt.5', 'for configurations: the cache schema begins with L3:'],
  ['bundle.md#containerFormat.4', 'for those who hand bundles on'],
  ['features.md#features.2', 'for those who read the features'],
];
