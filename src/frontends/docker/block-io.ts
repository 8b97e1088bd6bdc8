// `--blkio-weight*` and `--device-read-bps` and the like.

import type { Bytes } from '../../linux/bytes.ts';
import type { LinuxBlockIO, LinuxThrottleDevice, LinuxWeightDevice } from '../../spec/runtime-spec.ts';
import { parseInteger, parseSize } from '../number.ts';
import { requireController } from './controllers.ts';
import type { FrontendFacts } from './facts.ts';
import { flagRefused, flagSource, invalidArgument } from './flag-error.ts';
import { smallIntegerFlag } from './numbers.ts';
import type { Recorder, Sourced } from './recorder.ts';
import type { RunFlagName, RunFlags } from './run-flags.ts';

type Draft = { -readonly [K in keyof LinuxBlockIO]: LinuxBlockIO[K] };

const WEIGHT_RANGE = 'range of blkio weight is from 10 to 1000';

/** `linux.resources.blockIO`; undefined when no flag asks for it. */
export function compileBlockIO(
  flags: RunFlags,
  facts: FrontendFacts,
  recorder: Recorder,
): LinuxBlockIO | undefined {
  const blockIO: Draft = {};
  const weight = compileWeight(flags, facts, recorder);
  if (weight !== undefined) blockIO.weight = weight;
  const weights = compileList(
    'blkio-weight-device',
    flags.blkioWeightDevice,
    weightDevice,
    'weightDevice',
    facts,
    recorder,
  );
  if (weights !== undefined) blockIO.weightDevice = weights;
  for (const [name, texts, field] of [
    ['device-read-bps', flags.deviceReadBps, 'throttleReadBpsDevice'],
    ['device-write-bps', flags.deviceWriteBps, 'throttleWriteBpsDevice'],
    ['device-read-iops', flags.deviceReadIops, 'throttleReadIOPSDevice'],
    ['device-write-iops', flags.deviceWriteIops, 'throttleWriteIOPSDevice'],
  ] as const) {
    const throttles = compileList(name, texts, throttleDevice, field, facts, recorder);
    if (throttles !== undefined) blockIO[field] = throttles;
  }
  return Object.keys(blockIO).length === 0 ? undefined : blockIO;
}

function compileWeight(flags: RunFlags, facts: FrontendFacts, recorder: Recorder): number | undefined {
  const text = flags.blkioWeight;
  if (text === undefined) return undefined;
  const weight = smallIntegerFlag('blkio-weight', text, 0, 65535, WEIGHT_RANGE);
  if (weight === 0) return undefined;
  if (weight < 10 || weight > 1000) throw flagRefused('blkio-weight', text, WEIGHT_RANGE);
  requireController('io', 'blkio-weight', text, facts);
  recorder.note('/linux/resources/blockIO/weight', 'blkio-weight', text);
  return weight;
}

function compileList<T>(
  name: RunFlagName,
  texts: readonly Bytes[] | undefined,
  parse: (name: RunFlagName, text: Bytes, facts: FrontendFacts) => T,
  field: keyof LinuxBlockIO,
  facts: FrontendFacts,
  recorder: Recorder,
): T[] | undefined {
  if (texts === undefined || texts.length === 0) return undefined;
  const items = texts.map((text): Sourced<T> => {
    const value = parse(name, text, facts);
    requireController('io', name, text, facts);
    return { value, source: flagSource(name, text) };
  });
  return recorder.array(`/linux/resources/blockIO/${field}`, items);
}

/** `/dev/sda:1mb`; operations per second are plain numbers. */
function throttleDevice(name: RunFlagName, text: Bytes, facts: FrontendFacts): LinuxThrottleDevice {
  const { path, rest } = splitDevice(name, text);
  const isBytes = name.endsWith('-bps');
  const rate = isBytes ? parseSize(rest) : parseInteger(rest, 0n);
  if (rate === undefined) {
    const form = isBytes ? '<device-path>:<number>[<unit>]' : '<device-path>:<number>';
    const units = isBytes ? '. Unit is optional and can be kb, mb, or gb' : '';
    throw invalidArgument(
      name,
      text,
      `invalid rate for device: ${text}. The correct format is ${form}. Number must be a positive integer${units}`,
    );
  }
  return { ...numbersOf(name, text, path, facts), rate };
}

function weightDevice(name: RunFlagName, text: Bytes, facts: FrontendFacts): LinuxWeightDevice {
  const { path, rest } = splitDevice(name, text);
  const weight = parseInteger(rest, 0n, 1000n);
  if (weight === undefined || (weight !== 0 && weight < 10)) {
    throw invalidArgument(name, text, `invalid weight for device: ${text}`);
  }
  return { ...numbersOf(name, text, path, facts), weight: Number(weight) };
}

function splitDevice(name: RunFlagName, text: Bytes): { readonly path: Bytes; readonly rest: Bytes } {
  const colon = text.indexOf(':');
  if (colon < 0 || text.includes(':', colon + 1)) throw invalidArgument(name, text, `bad format: ${text}`);
  const path = text.slice(0, colon);
  if (!path.startsWith('/dev/')) throw invalidArgument(name, text, `bad format for device path: ${text}`);
  return { path, rest: text.slice(colon + 1) };
}

function numbersOf(
  name: RunFlagName,
  text: Bytes,
  path: Bytes,
  facts: FrontendFacts,
): { readonly major: number; readonly minor: number } {
  const found = facts.devices.get(path)?.find((device) => device.type === 'b');
  if (found === undefined) throw flagRefused(name, text, `${path} is not a block device`);
  return { major: found.major, minor: found.minor };
}
