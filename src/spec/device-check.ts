// Checks of the devices that are moved or made in a container (config-linux.md, Devices and Network Devices).

import { type Check, type Fields, quote } from './check.ts';
import type { LinuxDeviceType } from './linux-spec.ts';
import type { Namespaces } from './namespace-check.ts';
import { ID_MAX } from './process-check.ts';
import { absolutePathRule, deviceNameRule } from './text-rules.ts';

const TYPES: readonly LinuxDeviceType[] = ['c', 'b', 'u', 'p'];

/** MINORBITS of the kernel is 20, of 32. */
export const MAJOR_MAX = 4095;
export const MINOR_MAX = 1048575;

/** Checks one entry of linux.devices. fileMode may carry the type bits of st_mode: docker writes them. */
export function checkDevice(device: Fields, c: Check): void {
  c.require(device, 'path');
  c.text(device, 'path', absolutePathRule);
  c.require(device, 'type');
  const type = c.oneOf(device, 'type', TYPES, 'a type of device');
  if (type !== 'p') {
    c.require(device, 'major');
    c.require(device, 'minor');
    c.integer(device, 'major', 0, MAJOR_MAX);
    c.integer(device, 'minor', 0, MINOR_MAX);
  }
  c.uint32(device, 'fileMode');
  c.integer(device, 'uid', 0, ID_MAX);
  c.integer(device, 'gid', 0, ID_MAX);
}

/** Checks linux.netDevices. */
export function checkNetDevices(linux: Fields, namespaces: Namespaces, c: Check): void {
  const names = new Set<string>();
  const devices = c.entries(linux, 'netDevices', (map, host) => {
    const objection = deviceNameRule(host);
    if (objection !== undefined) c.fail(host, objection);
    const device = c.object(map, host, (fields) => c.textOrNothing(fields, 'name', deviceNameRule));
    // A name of another type has been refused already, and may be an object without toString.
    const name = typeof device?.name === 'string' ? device.name : host;
    if (names.has(name)) c.fail(host, `a second network device would be named ${quote(name)}`);
    if (!name.includes('%d')) names.add(name);
  });
  if (devices === undefined || Object.keys(devices).length === 0) return;
  if (!namespaces.own.has('network')) c.fail('netDevices', 'needs a network namespace in /linux/namespaces');
}
