// Root, mounts, devices and masks as shell commands; the current directory is the root.
import type { Bytes } from '../../linux/bytes.ts';
import { parseMountOptions } from '../../spec/mount-options.ts';
import type { LinuxDevice, Mount, Spec } from '../../spec/runtime-spec.ts';
import { relative } from '../compile/context.ts';
import { DEFAULT_DEVICES, DEFAULT_LINKS, devIsBound } from '../compile/devices.ts';
import { comment, quote, words } from './quote.ts';

/** `./proc` for `/proc`, so that no name begins with a dash. */
function below(path: Bytes): Bytes {
  return `./${relative(path)}`;
}

export function rootCommands(spec: Spec): Bytes[] {
  const path = spec.root?.path ?? '/';
  if (path !== '/')
    return [
      words('mount', '--rbind', path, path),
      words('mount', '--make-rprivate', path),
      words('cd', path),
    ];
  return [
    comment('a copy-on-write view of / alone; other file systems of this machine are left out'),
    'mount -t tmpfs caisson /mnt',
    'mkdir /mnt/upper /mnt/work /mnt/root',
    'mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work caisson /mnt/root',
    'mount --make-rprivate /mnt/root',
    'cd /mnt/root',
  ];
}

const PROPAGATION = /^r?(?:shared|slave|private|unbindable)$/;
/** Options of the runtime specification that mount(8) does not know. */
const UNKNOWN =
  /^(?:r(?:ro|rw|nosuid|suid|nodev|dev|noexec|exec|(?:no|rel|strict)?atime|(?:no)?diratime)|r?idmap|tmpcopyup|bind|rbind|defaults)$/;

export interface ShellMounts {
  readonly commands: readonly Bytes[];
  readonly left: readonly Bytes[];
}

export function mountCommands(spec: Spec): ShellMounts {
  const commands: Bytes[] = [];
  const left: Bytes[] = [];
  for (const mount of spec.mounts ?? []) {
    const options = mount.options ?? [];
    const unknown = options.filter((option) => UNKNOWN.test(option) && !/^(?:r?bind|defaults)$/.test(option));
    if (unknown.length > 0) left.push(`the options ${unknown.join(', ')} of ${mount.destination}`);
    if (mount.type === 'cgroup' || mount.type === 'cgroup2') {
      left.push(`the cgroups at ${mount.destination}`);
    } else {
      commands.push(...(parseMountOptions(options, mount.type).bind ? bind(mount) : fileSystem(mount, spec)));
      for (const option of options)
        if (PROPAGATION.test(option))
          commands.push(words('mount', `--make-${option}`, below(mount.destination)));
    }
  }
  return { commands, left };
}

/** Flags and data as mount(8) takes them. */
function plainOptions(options: readonly Bytes[]): Bytes[] {
  return options.filter((option) => !PROPAGATION.test(option) && !UNKNOWN.test(option));
}

function fileSystem(mount: Mount, spec: Spec): Bytes[] {
  const target = below(mount.destination);
  const type = mount.type ?? '';
  const options = plainOptions(mount.options ?? []).filter((option) => keepsOption(type, option, spec));
  const flags = options.length === 0 ? [] : ['-o', options.join(',')];
  const source = mount.source === undefined || mount.source === '' ? type : mount.source;
  return [words('mkdir', '-p', target), words('mount', '-t', type, ...flags, source, target)];
}

/** A group that is not mapped is refused (EINVAL). */
function keepsOption(type: Bytes, option: Bytes, spec: Spec): boolean {
  const inUserNamespace = spec.linux?.namespaces?.some((namespace) => namespace.type === 'user') ?? false;
  if (type !== 'devpts' || !option.startsWith('gid=') || !inUserNamespace) return true;
  const gid = Number(option.slice(4));
  return (spec.linux?.gidMappings ?? []).some(
    ({ containerID, size }) => gid >= containerID && gid < containerID + size,
  );
}

function bind(mount: Mount): Bytes[] {
  const { recursive } = parseMountOptions(mount.options, mount.type);
  const source = mount.source ?? '';
  const target = below(mount.destination);
  const parent = target.slice(0, target.lastIndexOf('/'));
  const flags = plainOptions(mount.options ?? []).filter((option) => option !== 'rw');
  return [
    `if [ -d ${quote(source)} ]; then ${words('mkdir', '-p', target)}; else ${words('mkdir', '-p', parent)}; : >> ${quote(target)}; fi`,
    words('mount', recursive ? '--rbind' : '--bind', source, target),
    ...(flags.length === 0 ? [] : [words('mount', '-o', ['remount', 'bind', ...flags].join(','), target)]),
  ];
}

export function deviceCommands(spec: Spec): Bytes[] {
  const own = spec.linux?.devices ?? [];
  const made = new Set(own.map(({ path }) => path));
  const bound = devIsBound(spec);
  const missing = bound ? [] : DEFAULT_DEVICES.filter(({ path }) => !made.has(path));
  const inUserNamespace = spec.linux?.namespaces?.some(({ type }) => type === 'user') ?? false;
  const nodes = [...missing, ...own].map((device) => node(device, inUserNamespace));
  const directories = [...new Set(nodes.flatMap(({ directory }) => directory))];
  const commands = ['umask 0', ...directories, ...nodes.flatMap((each) => each.commands)];
  if (!bound)
    commands.push(
      ...DEFAULT_LINKS.map(
        ([target, name]) => `${words('ln', '-s', target, `./dev/${name}`)} 2>/dev/null || :`,
      ),
    );
  return [...commands, 'umask 022'];
}

function node(device: LinuxDevice, inUserNamespace: boolean): { directory: Bytes; commands: Bytes[] } {
  const target = below(device.path);
  const directory = words('mkdir', '-p', target.slice(0, target.lastIndexOf('/')));
  if (inUserNamespace)
    return { directory, commands: [`: >> ${quote(target)}`, words('mount', '--bind', device.path, target)] };
  const mode = (device.fileMode ?? 0o666).toString(8);
  const numbers = device.type === 'p' ? [] : [String(device.major ?? 0), String(device.minor ?? 0)];
  const made = words('mknod', '-m', mode, target, device.type, ...numbers);
  const owner =
    (device.uid ?? 0) === 0 && (device.gid ?? 0) === 0
      ? []
      : [words('chown', `${device.uid ?? 0}:${device.gid ?? 0}`, target)];
  return { directory, commands: [made, ...owner] };
}

export function maskCommands(spec: Spec): Bytes[] {
  const masks = (spec.linux?.maskedPaths ?? []).map((path) => {
    const target = quote(below(path));
    return `if [ -d ${target} ]; then mount -t tmpfs -o ro,nosuid,nodev,noexec,nr_inodes=2,mode=755 tmpfs ${target}; elif [ -e ${target} ]; then mount --bind /dev/null ${target}; fi`;
  });
  const readonly = (spec.linux?.readonlyPaths ?? []).map((path) => {
    const target = quote(below(path));
    return `if [ -e ${target} ]; then mount --rbind ${target} ${target}; mount -o remount,bind,ro ${target}; fi`;
  });
  return [...masks, ...readonly];
}
