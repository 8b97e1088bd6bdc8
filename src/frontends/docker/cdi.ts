// CDI devices: what a vendor's specification asks for a device, as flags of `run` (container-device-interface, SPEC.md 1.0).
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import type { RunFlags } from './run-flags.ts';

/** `vendor.com/class=name`, and the flag that asked for it. */
export interface CdiWish {
  readonly name: Bytes;
  readonly source: string;
}

/** A specification and the file that it is from. */
export interface CdiFile {
  readonly path: Bytes;
  readonly document: unknown;
}

/** What it asks for. */
interface Edits {
  readonly env: readonly Bytes[];
  readonly devices: readonly Bytes[];
  readonly mounts: readonly Bytes[];
  readonly groups: readonly Bytes[];
}

const NAME = /^[A-Za-z][A-Za-z0-9_.-]*\/[A-Za-z][A-Za-z0-9_-]*=[A-Za-z0-9][A-Za-z0-9_.:-]*$/;

/** Whether `--device` names a CDI device: a path begins with a slash. */
export function isCdiName(text: Bytes): boolean {
  return NAME.test(text);
}

/** What NVIDIA's specification calls its devices (podman's meaning of `--gpus`). */
const GPU = 'nvidia.com/gpu';

/** The CDI devices that `--device` and `--gpus` name. Throws CaissonError `EUSAGE`. */
export function cdiWishes({ device = [], gpus }: RunFlags): CdiWish[] {
  const devices = device.filter(isCdiName).map((name) => ({ name, source: `--device ${name}` }));
  if (gpus === undefined) return devices;
  const source = `--gpus ${gpus}`;
  return [...devices, ...gpuNames(gpus, source).map((name) => ({ name: `${GPU}=${name}`, source }))];
}

/** `all`, a number, or `device=0,GPU-...`, in quotes where it has a comma (docker/cli, opts/gpus.go). */
function gpuNames(text: Bytes, source: string): Bytes[] {
  const plain = text.replace(/^"(.*)"$/, '$1');
  if (plain === 'all' || plain === '-1') return ['all'];
  if (/^[0-9]{1,3}$/.test(plain)) return Array.from({ length: Number(plain) }, (_, index) => String(index));
  const [, list] = /^device=([A-Za-z0-9_.:,-]+)$/.exec(plain) ?? [];
  if (list !== undefined) return list.split(',');
  throw new CaissonError(`invalid argument "${text}" for "--gpus" flag: all, a number, or device=ID,ID`, {
    code: 'EUSAGE',
    sources: [source],
  });
}

/**
 * The flags with each CDI device replaced by what the files ask for it. A file of a later directory counts more, as they
 * come in `files`. Throws CaissonError `ECDI` for a device that no file has, or a file that cannot be understood.
 */
export function withCdiEdits(
  flags: RunFlags,
  wishes: readonly CdiWish[],
  files: readonly CdiFile[],
): RunFlags {
  const edits: Edits[] = [];
  const used = new Set<unknown>();
  for (const wish of wishes) {
    const { file, device } = findDevice(wish, files);
    edits.push(readEdits(device.containerEdits, file, wish));
    // What holds for every device of a file is done once.
    if (!used.has(file.document)) edits.push(readEdits(objectOf(file).containerEdits, file, wish));
    used.add(file.document);
  }
  const all = (name: keyof Edits) => edits.flatMap((each) => each[name]);
  const { gpus: _, ...rest } = flags;
  const [env, volume, groupAdd] = [
    extended(all('env'), flags.env),
    extended(all('mounts'), flags.volume),
    extended(all('groups'), flags.groupAdd),
  ];
  return {
    ...rest,
    device: [...(flags.device ?? []).filter((text) => !isCdiName(text)), ...all('devices')],
    ...(env === undefined ? {} : { env }),
    ...(volume === undefined ? {} : { volume }),
    ...(groupAdd === undefined ? {} : { groupAdd }),
  };
}

/** The caller's own flags come last, and hold against those of a device. */
function extended(edits: readonly Bytes[], own: readonly Bytes[] = []): Bytes[] | undefined {
  const all = [...edits, ...own];
  return all.length === 0 ? undefined : all;
}

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function broken({ path }: CdiFile, what: string): CaissonError {
  return new CaissonError(`${path}: ${what}`, { code: 'ECDI', sources: [path] });
}

function objectOf(file: CdiFile): Fields {
  if (isFields(file.document)) return file.document;
  throw broken(file, 'a CDI specification is an object');
}

function findDevice(wish: CdiWish, files: readonly CdiFile[]): { file: CdiFile; device: Fields } {
  const equals = wish.name.indexOf('=');
  const [kind, name] = [wish.name.slice(0, equals), wish.name.slice(equals + 1)];
  for (const file of [...files].reverse()) {
    const document = objectOf(file);
    if (document.kind !== kind) continue;
    const device = listOf(document, 'devices', file).find((each) => isFields(each) && each.name === name);
    if (isFields(device)) return { file, device };
  }
  throw new CaissonError(`unresolvable CDI device ${wish.name}`, {
    code: 'ECDI',
    sources: [wish.source],
    details: [
      "its specification belongs in /etc/cdi or /var/run/cdi (`nvidia-ctk cdi generate` writes NVIDIA's)",
    ],
  });
}

function listOf(fields: Fields, name: string, file: CdiFile): readonly unknown[] {
  const value = fields[name];
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw broken(file, `${name} is no list`);
}

function readEdits(value: unknown, file: CdiFile, wish: CdiWish): Edits {
  if (value === undefined || value === null) return { env: [], devices: [], mounts: [], groups: [] };
  if (!isFields(value)) throw broken(file, 'containerEdits is no object');
  const [hook] = listOf(value, 'hooks', file);
  if (hook !== undefined || value.intelRdt !== undefined) {
    throw new CaissonError(
      `the CDI device ${wish.name} asks for hooks or resctrl, which \`run\` does not have yet`,
      {
        code: 'EUNSUPPORTED',
        sources: [wish.source, file.path],
      },
    );
  }
  return {
    env: listOf(value, 'env', file).map((each) => textOf(each, 'env', file)),
    devices: listOf(value, 'deviceNodes', file).map((each) => deviceFlag(each, file)),
    mounts: listOf(value, 'mounts', file).map((each) => mountFlag(each, file)),
    groups: listOf(value, 'additionalGids', file).map((each) => String(each)),
  };
}

function textOf(value: unknown, name: string, file: CdiFile): Bytes {
  if (typeof value === 'string' && value !== '' && !value.includes('\0')) return value;
  throw broken(file, `${name}: expected a text`);
}

/** A path in a flag: a colon would end it. */
function pathOf(value: unknown, name: string, file: CdiFile): Bytes {
  const path = textOf(value, name, file);
  if (path.startsWith('/') && !path.includes(':')) return path;
  throw broken(file, `${name}: expected an absolute path without a colon, not ${path}`);
}

function deviceFlag(value: unknown, file: CdiFile): Bytes {
  if (!isFields(value)) throw broken(file, 'deviceNodes: expected objects');
  const path = pathOf(value.path, 'deviceNodes.path', file);
  const host = value.hostPath === undefined ? path : pathOf(value.hostPath, 'deviceNodes.hostPath', file);
  const access = value.permissions === undefined ? 'rwm' : textOf(value.permissions, 'permissions', file);
  return `${host}:${path}:${access}`;
}

/** Options that say what a bind is anyway. */
const USUAL = ['bind', 'rbind', 'rw', 'nosuid', 'nodev'];

function mountFlag(value: unknown, file: CdiFile): Bytes {
  if (!isFields(value)) throw broken(file, 'mounts: expected objects');
  const options = listOf(value, 'options', file).map((each) => textOf(each, 'mounts.options', file));
  const kept = options.filter((option) => !USUAL.includes(option));
  const [from, to] = [
    pathOf(value.hostPath, 'mounts.hostPath', file),
    pathOf(value.containerPath, 'mounts.containerPath', file),
  ];
  return [from, to, ...(kept.length === 0 ? [] : [kept.join(',')])].join(':');
}
