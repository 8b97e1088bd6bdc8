// Requirements without a row: those that are not shown yet, and those that ask nothing of a runtime on Linux.
import type { Unproven } from './requirement.ts';

/** A test or a mutation is missing. What is asked for, or what is there instead. */
export const OPEN: readonly Unproven[] = [];

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
