// A small made-up machine whose own files are the root: the built-in image `host`.
import type { Bytes } from '../../src/linux/bytes.ts';
import { parseMountinfo } from '../../src/linux/mountinfo.ts';
import type { RootPlan } from '../../src/plan/compile/context.ts';
import { hostRoot } from '../../src/snapshot/host-root.ts';
import type { HostEntry } from '../../src/snapshot/host-view.ts';
import { LEVELS, type Level } from './facts.ts';

const MOUNTS = parseMountinfo(
  [
    '21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
    '22 21 0:20 / /proc rw,nosuid,nodev,noexec,relatime shared:2 - proc proc rw',
    '23 21 0:21 / /sys rw,nosuid,nodev,noexec,relatime shared:3 - sysfs sysfs rw',
    '24 21 0:22 / /dev rw,nosuid shared:4 - devtmpfs udev rw,mode=755',
    '25 21 0:23 / /run rw,nosuid,nodev shared:5 - tmpfs tmpfs rw,mode=755',
    '26 21 8:2 / /home rw,nosuid,nodev,relatime shared:6 - ext4 /dev/sda2 rw',
    '27 21 8:3 / /srv/mail\\040box rw,relatime shared:7 - ext4 /dev/sda3 rw',
    '',
  ].join('\n'),
);

const entry = (name: Bytes, type: HostEntry['type'], more: Partial<HostEntry> = {}): HostEntry => ({
  name,
  type,
  mode: type === 'directory' ? 0o755 : 0o644,
  size: 10,
  readable: true,
  ...more,
});

const LISTINGS = new Map<Bytes, readonly HostEntry[]>([
  [
    '/',
    [
      entry('bin', 'symlink', { target: 'usr/bin' }),
      entry('dev', 'directory'),
      entry('etc', 'directory'),
      entry('home', 'directory'),
      entry('proc', 'directory'),
      entry('root', 'directory', { mode: 0o700, readable: false }),
      entry('run', 'directory'),
      entry('srv', 'directory'),
      entry('sys', 'directory'),
      entry('usr', 'directory'),
      entry('vmlinuz', 'file'),
    ],
  ],
  ['/srv', [entry('mail box', 'directory'), entry('www', 'directory')]],
]);

export interface HostImage {
  readonly level?: Level;
  readonly userNamespace?: boolean;
  readonly upper?: Bytes;
}

export function hostImage({ level = '6.18', userNamespace = false, upper }: HostImage): RootPlan {
  const facts = { mounts: MOUNTS, kernel: LEVELS[level], userNamespace, listings: LISTINGS, fileMounts: new Set<Bytes>() };
  return hostRoot(facts, upper === undefined ? { cause: 'image: host' } : { cause: '--upper', upper });
}
