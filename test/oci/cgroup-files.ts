// Reads and writes the cgroup files of a container under test, whichever version of cgroups has them.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** The directory of the process in the hierarchy that has this file; v2 where no v1 hierarchy has its controller. */
function directoryOf(pid: number, file: string): string {
  const controller = file.slice(0, file.indexOf('.'));
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'latin1').trim().split('\n');
  const wanted = controller === 'cgroup' ? '' : controller;
  const v1 = lines.find((line) => line.split(':')[1]?.split(',').includes(wanted) && wanted !== '');
  const path = (v1 ?? lines.find((line) => line.startsWith('0::')) ?? '').split(':').slice(2).join(':');
  const mounts = [`/sys/fs/cgroup/${v1?.split(':')[1]}`, '/sys/fs/cgroup/unified', '/sys/fs/cgroup'];
  const mount = mounts.find((each) => existsSync(`${each}${path}/cgroup.procs`));
  assert.ok(mount, `no cgroup of process ${pid} for ${file}`);
  return mount + path;
}

/** Whether the host has the controller on v1, whose files have other names. */
export function onV1(controller: string): boolean {
  return readFileSync('/proc/self/cgroup', 'latin1')
    .split('\n')
    .some((line) => line.split(':')[1]?.split(',').includes(controller));
}

/** `pids.max` of a process's cgroup, without the line's end. */
export function cgroupFile(pid: number, file: string): string {
  return readFileSync(`${directoryOf(pid, file)}/${file}`, 'latin1').trim();
}

/** Where `file` is; it need not exist. */
export function cgroupFilePath(pid: number, file: string): string {
  return `${directoryOf(pid, file)}/${file}`;
}

export function writeCgroupFile(pid: number, file: string, text: string): void {
  writeFileSync(`${directoryOf(pid, file)}/${file}`, text);
}
