// Scheduling: policy, I/O priority, memory policy, personality.
//
// config.md scheduler and ioPriority, config-linux.md memoryPolicy and personality; sched_setattr(2), ioprio_set(2),
// set_mempolicy(2), personality(2), sched_setaffinity(2).
import {
  MPOL_BIND,
  MPOL_DEFAULT,
  MPOL_F_NUMA_BALANCING,
  MPOL_F_RELATIVE_NODES,
  MPOL_F_STATIC_NODES,
  MPOL_INTERLEAVE,
  MPOL_LOCAL,
  MPOL_PREFERRED,
  MPOL_PREFERRED_MANY,
  MPOL_WEIGHTED_INTERLEAVE,
} from '../../linux/constants/memory.ts';
import {
  IOPRIO_CLASS_BE,
  IOPRIO_CLASS_IDLE,
  IOPRIO_CLASS_RT,
  IOPRIO_CLASS_SHIFT,
  IOPRIO_WHO_PROCESS,
  PER_LINUX,
  PER_LINUX32,
} from '../../linux/constants/process.ts';
import { CPU_LIMIT, cpuMask, parseCpuList } from '../../linux/cpulist.ts';
import { ERRNO } from '../../linux/errno.ts';
import * as F from '../../linux/flags.ts';
import { call, NULL, number, pointer, struct } from '../call.ts';
import type { Context } from './context.ts';

const POLICIES = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
};

const SCHEDULER_FLAGS = {
  SCHED_FLAG_RESET_ON_FORK: 0x01,
  SCHED_FLAG_RECLAIM: 0x02,
  SCHED_FLAG_DL_OVERRUN: 0x04,
  SCHED_FLAG_KEEP_POLICY: 0x08,
  SCHED_FLAG_KEEP_PARAMS: 0x10,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
};

/** The `affinity` option of what runs wherever its cpuset allows. */
export const ALL_CPUS = 'all';

export function scheduling(c: Context): void {
  affinity(c);
  scheduler(c);
  ioPriority(c);
  memoryPolicy(c);
  personality(c);
}

/** sched_setaffinity(2), of which the cpuset of the container's cgroup is the outer bound. */
function affinity(c: Context): void {
  const cpus = c.options.affinity;
  if (cpus === undefined) return;
  if (cpus === ALL_CPUS) {
    everyCpu(c);
    return;
  }
  const bytes = cpuMask(parseCpuList(cpus));
  c.child('affinity', `run on the CPUs ${cpus}`, 'option: --cpu-affinity', [
    call('sched_setaffinity', [number(0), number(bytes.length), pointer({ kind: 'buffer', bytes }, 1)]),
  ]);
}

/** Every CPU that the cpuset has, whatever the caller was bound to, as in runc. */
export function everyCpu(c: Context): void {
  const bytes = '\xff'.repeat(CPU_LIMIT / 8);
  const mask = pointer({ kind: 'buffer', bytes, text: `/* ${bytes.length} bytes */` }, 1);
  const tolerate = [ERRNO.EINVAL, ERRNO.EPERM];
  c.child('affinity', 'run on all CPUs of the cpuset', 'default: the CPUs of the caller are its own', [
    call('sched_setaffinity', [number(0), number(bytes.length), mask], { tolerate }),
  ]);
}

/** struct sched_attr, 48 bytes (sched_setattr(2)). */
function scheduler(c: Context): void {
  const wanted = c.spec.process?.scheduler;
  if (wanted === undefined) return;
  const flags = (wanted.flags ?? []).reduce((sum, flag) => sum | SCHEDULER_FLAGS[flag], 0);
  const attributes = struct(
    { name: 'size', width: 4, value: 48 },
    { name: 'sched_policy', width: 4, value: POLICIES[wanted.policy], format: F.SCHED_POLICIES },
    { name: 'sched_flags', width: 8, value: flags, format: F.SCHED_FLAGS },
    { name: 'sched_nice', width: 4, value: wanted.nice ?? 0 },
    { name: 'sched_priority', width: 4, value: wanted.priority ?? 0 },
    { name: 'sched_runtime', width: 8, value: wanted.runtime ?? 0 },
    { name: 'sched_deadline', width: 8, value: wanted.deadline ?? 0 },
    { name: 'sched_period', width: 8, value: wanted.period ?? 0 },
  );
  // SCHED_DEADLINE needs every CPU of the machine (sched_setattr(2), EPERM).
  const cpus = (c.spec.linux?.resources?.cpu?.cpus ?? '') === '' ? [] : ['/linux/resources/cpu/cpus'];
  c.child(
    'scheduler',
    `schedule with ${wanted.policy}`,
    ['/process/scheduler', ...cpus],
    [call('sched_setattr', [number(0), pointer(attributes, 'fixed'), number(0)])],
  );
}

const IO_CLASSES = { IOPRIO_CLASS_RT, IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE };

function ioPriority(c: Context): void {
  const wanted = c.spec.process?.ioPriority;
  if (wanted === undefined) return;
  const value = (IO_CLASSES[wanted.class] << IOPRIO_CLASS_SHIFT) | wanted.priority;
  c.child('io-priority', `set ${wanted.class} ${wanted.priority}`, '/process/ioPriority', [
    call('ioprio_set', [number(IOPRIO_WHO_PROCESS, F.IOPRIO_WHO), number(0), number(value, F.IOPRIO)]),
  ]);
}

const MEMORY_MODES = {
  MPOL_DEFAULT,
  MPOL_BIND,
  MPOL_INTERLEAVE,
  MPOL_WEIGHTED_INTERLEAVE,
  MPOL_PREFERRED,
  MPOL_PREFERRED_MANY,
  MPOL_LOCAL,
};
const MEMORY_FLAGS = { MPOL_F_NUMA_BALANCING, MPOL_F_RELATIVE_NODES, MPOL_F_STATIC_NODES };
const WORD = 64;

function memoryPolicy(c: Context): void {
  const wanted = c.spec.linux?.memoryPolicy;
  if (wanted === undefined) return;
  const mode = (wanted.flags ?? []).reduce(
    (sum, flag) => sum | MEMORY_FLAGS[flag],
    MEMORY_MODES[wanted.mode],
  );
  const nodes = wanted.nodes === undefined || wanted.nodes === '' ? [] : parseCpuList(wanted.nodes);
  const words = nodes.length === 0 ? 0 : Math.floor(Math.max(...nodes) / WORD) + 1;
  const fields = Array.from({ length: words }, (_, index) => ({
    name: String(index),
    width: 8,
    value: nodes
      .filter((node) => Math.floor(node / WORD) === index)
      .reduce((sum, node) => sum | (1n << BigInt(node % WORD)), 0n),
    format: 'hex' as const,
  }));
  // maxnode counts one more than the bits that the kernel reads (set_mempolicy(2), BUGS).
  c.child('memory-policy', `allocate memory by ${wanted.mode}`, '/linux/memoryPolicy', [
    call('set_mempolicy', [
      number(mode, F.MPOL),
      words === 0 ? NULL : pointer({ kind: 'struct', fields, array: true }, 'fixed'),
      number(words === 0 ? 0 : words * WORD + 1),
    ]),
  ]);
}

function personality(c: Context): void {
  const wanted = c.spec.linux?.personality;
  if (wanted === undefined) return;
  const domain = wanted.domain === 'LINUX32' ? PER_LINUX32 : PER_LINUX;
  c.child('personality', `personality ${wanted.domain}`, '/linux/personality', [
    call('personality', [number(domain, F.PERSONALITY)]),
  ]);
}
