// Steps that load the device program of a container and attach it to its v2 cgroup (bpf(2)).
import { type EbpfInstruction, encodeEbpf } from '../linux/bpf.ts';
import * as BPF from '../linux/constants/bpf.ts';
import { ERRNO } from '../linux/errno.ts';
import { flagTable } from '../linux/flags.ts';
import { type Call, type Field, type Memory, type Slot, slot, struct } from '../plan/call.ts';
import { type Step, step } from '../plan/step.ts';
import { check, close } from '../plan/syscalls.ts';
import type { Pointer } from '../spec/error.ts';
import { bpf } from './calls.ts';

const ATTACH_FLAGS = flagTable('BPF_PROG_ATTACH', () => ({
  BPF_F_ALLOW_MULTI: BPF.BPF_F_ALLOW_MULTI,
  BPF_F_REPLACE: BPF.BPF_F_REPLACE,
}));

const u32 = (name: string, value: Field['value'], format?: Field['format']): Field =>
  format === undefined ? { name, width: 4, value } : { name, width: 4, value, format };

/**
 * Loads `program` and attaches it to the cgroup whose directory `cgroup` is open. A cgroup obeys all of its programs,
 * so on an update the one program there is replaced, never joined by a second: with `replace` there must be exactly
 * one (ENOENT for none, ENOSPC for several), without it there must be none yet.
 */
export function deviceStepsV2(
  cgroup: Slot,
  program: readonly EbpfInstruction[],
  provenance: readonly Pointer[],
  options: { replace?: boolean } = {},
): Step[] {
  const loaded = slot('device program', { width: 4 });
  const target = slot('cgroup for bpf', { width: 4 });
  const old = slot('old device program', { width: 4 });
  const replace = options.replace === true;
  const flags = BPF.BPF_F_ALLOW_MULTI | (replace ? BPF.BPF_F_REPLACE : 0);
  const attach = struct(
    u32('target_fd', target),
    u32('attach_bpf_fd', loaded),
    u32('attach_type', BPF.BPF_CGROUP_DEVICE),
    u32('attach_flags', flags, ATTACH_FLAGS),
    u32('replace_bpf_fd', replace ? old : 0),
  );
  // The number of the descriptor has to stand inside the structure: CHECK passes it on.
  const copy = check(cgroup, 'GE', 0, ERRNO.EBADF, { result: target });
  return [
    step(
      'parent',
      'cgroup-device-load',
      `load the device program (${program.length} instructions)`,
      provenance,
      [bpf(BPF.BPF_PROG_LOAD, loadAttributes(program), { result: loaded })],
    ),
    step(
      'parent',
      'cgroup-device-attach',
      `${replace ? 'replace' : 'attach'} the device program`,
      provenance,
      [
        copy,
        ...(replace ? findOld(target, old) : []),
        bpf(BPF.BPF_PROG_ATTACH, attach),
        close(loaded),
        ...(replace ? [close(old)] : []),
      ],
    ),
  ];
}

/** union bpf_attr of BPF_PROG_LOAD up to expected_attach_type, 72 bytes. */
function loadAttributes(program: readonly EbpfInstruction[]): Memory {
  const text = `${program.length} instructions`;
  return struct(
    u32('prog_type', BPF.BPF_PROG_TYPE_CGROUP_DEVICE),
    u32('insn_cnt', program.length),
    { name: 'insns', width: 8, value: { kind: 'buffer', bytes: encodeEbpf(program), text } },
    { name: 'license', width: 8, value: { kind: 'string', bytes: 'Apache-2.0' } },
    u32('log_level', 0),
    u32('log_size', 0),
    { name: 'log_buf', width: 8, value: 0 },
    u32('kern_version', 0),
    u32('prog_flags', 0),
    // The bytes of "caisson", which bpftool then shows.
    { name: 'prog_name', width: 8, value: 0x6e6f7373696163n, format: 'hex' },
    { name: 'prog_name', width: 8, value: 0 },
    u32('prog_ifindex', 0),
    u32('expected_attach_type', BPF.BPF_CGROUP_DEVICE),
  );
}

/** The kernel writes the id of the one program to where the next call reads it. */
function findOld(target: Slot, old: Slot): Call[] {
  const byId = struct(u32('prog_id', 0), u32('next_id', 0), u32('open_flags', 0));
  const queried = slot('cgroup for query', { width: 4 });
  const query = struct(
    u32('target_fd', queried),
    u32('attach_type', BPF.BPF_CGROUP_DEVICE),
    u32('query_flags', 0),
    u32('attach_flags', 0),
    { name: 'prog_ids', width: 8, value: byId },
    u32('prog_cnt', 1),
    u32('reserved', 0),
  );
  return [
    check(target, 'GE', 0, ERRNO.EBADF, { result: queried }),
    bpf(BPF.BPF_PROG_QUERY, query),
    bpf(BPF.BPF_PROG_GET_FD_BY_ID, byId, { result: old }),
  ];
}
