// Constants of bpf(2) and eBPF instructions, for the device filter of cgroup v2.

// bpf(2) commands, <linux/bpf.h>
export const BPF_MAP_CREATE = 0;
export const BPF_PROG_LOAD = 5;
export const BPF_OBJ_PIN = 6;
export const BPF_OBJ_GET = 7;
export const BPF_PROG_ATTACH = 8;
export const BPF_PROG_DETACH = 9;
export const BPF_PROG_GET_NEXT_ID = 11;
export const BPF_PROG_GET_FD_BY_ID = 13;
export const BPF_OBJ_GET_INFO_BY_FD = 15;
export const BPF_PROG_QUERY = 16;

// bpf(2) program and attach types, <linux/bpf.h>
export const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
export const BPF_CGROUP_DEVICE = 6;

// BPF_PROG_ATTACH and BPF_PROG_QUERY flags, <linux/bpf.h>
export const BPF_F_ALLOW_OVERRIDE = 1;
export const BPF_F_ALLOW_MULTI = 2;
export const BPF_F_REPLACE = 4;
export const BPF_F_QUERY_EFFECTIVE = 1;

// struct bpf_cgroup_dev_ctx, <linux/bpf.h>
export const BPF_DEVCG_ACC_MKNOD = 1;
export const BPF_DEVCG_ACC_READ = 2;
export const BPF_DEVCG_ACC_WRITE = 4;
export const BPF_DEVCG_DEV_BLOCK = 1;
export const BPF_DEVCG_DEV_CHAR = 2;

// Instruction encoding beyond classic BPF (seccomp.ts has the shared part), <linux/bpf.h>
export const BPF_JMP32 = 6;
export const BPF_ALU64 = 7;
export const BPF_DW = 0x18;
export const BPF_MOV = 0xb0;
export const BPF_JNE = 0x50;
export const BPF_JLT = 0xa0;
export const BPF_JLE = 0xb0;
export const BPF_CALL = 0x80;
export const BPF_EXIT = 0x90;

// Registers, <linux/bpf.h>
export const BPF_REG_0 = 0;
export const BPF_REG_1 = 1;
export const BPF_REG_2 = 2;
export const BPF_REG_3 = 3;
export const BPF_REG_4 = 4;
export const BPF_REG_5 = 5;
export const BPF_REG_6 = 6;
export const BPF_REG_10 = 10;
