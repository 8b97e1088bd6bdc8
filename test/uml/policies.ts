// Policies of the security modules for tests in user-mode-linux, compiled by the peers' root's own tools.

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInPeers } from '../peers/harness.ts';

// Initial SIDs get their numbers by order, which is the kernel's (security/selinux/include/initial_sid_to_string.h).
const INITIAL_SIDS = [
  'kernel security unlabeled fs file file_labels init any_socket port netif netmsg node igmp_packet icmp_socket',
  'tcp_socket sysctl_modprobe sysctl sysctl_fs sysctl_kernel sysctl_net sysctl_net_unix sysctl_vm sysctl_dev kmod',
  'policy scmp_packet devnull',
].flatMap((line) => line.split(' '));

const CLASSES: Readonly<Record<string, string>> = {
  security: 'compute_av load_policy setenforce',
  process: 'fork transition dyntransition setexec setkeycreate entrypoint noatsecure siginh rlimitinh',
  file: 'read write execute entrypoint execute_no_trans relabelto relabelfrom',
  dir: 'read search write',
  filesystem: 'mount relabelfrom relabelto',
  key: 'create view',
};

/**
 * A policy with types `base_t` (everything at first), `container_t` for processes and `container_file_t` for files,
 * user `system_u`, roles `system_r` and `object_r`, level s0 and categories c0 to c2; for a permissive kernel.
 */
export function selinuxPolicy(): string {
  const context = (sid: string): string =>
    sid === 'kernel' || sid === 'init'
      ? 'system_u:system_r:base_t:s0 - s0:c0.c2'
      : 'system_u:object_r:container_file_t:s0';
  return [
    ...Object.keys(CLASSES).map((name) => `class ${name}`),
    ...INITIAL_SIDS.map((name) => `sid ${name}`),
    ...Object.entries(CLASSES).map(([name, permissions]) => `class ${name} { ${permissions} }`),
    'sensitivity s0;',
    'dominance { s0 }',
    'category c0;',
    'category c1;',
    'category c2;',
    'level s0:c0.c2;',
    'mlsconstrain file { read } ( l1 dom l2 );',
    // A label may change with no_new_privs on, as container-selinux has it (process2 is allowed: unknown here).
    'policycap nnp_nosuid_transition;',
    ...['base_t', 'container_t', 'container_file_t'].map((type) => `type ${type};`),
    'role system_r;',
    'role object_r;',
    'role system_r types { base_t container_t };',
    'allow base_t container_t : process transition;',
    'user system_u roles { system_r object_r } level s0 range s0 - s0:c0.c2;',
    ...INITIAL_SIDS.map((name) => `sid ${name} ${context(name)}`),
    'fs_use_trans tmpfs system_u:object_r:container_file_t:s0;',
    '',
  ].join('\n');
}

/** Lines of shell that load `policy` in a machine booted with `security: 'selinux'`; compiles it now. */
export function loadSelinux(policy: string): string {
  mkdirSync('build', { recursive: true });
  const directory = mkdtempSync(join(process.cwd(), 'build', 'policy-'));
  writeFileSync(join(directory, 'policy.conf'), policy);
  const compiler = ['checkpolicy', '-M', '-U', 'allow', '-c', '33', '-o', 'policy.bin', 'policy.conf'];
  const result = runInPeers(compiler, directory);
  if (result.status !== 0) throw new Error(`checkpolicy: ${result.stdout}${result.stderr}`);
  // cat writes the policy in one call, which the kernel wants.
  return `cat ${directory}/policy.bin >/sys/fs/selinux/load\nrm -r ${directory}`;
}

/** Lines of shell that load `profile` in a machine booted with `security: 'apparmor'`, by the peers' parser. */
export function loadApparmor(profile: string): string {
  const root = runInPeers(['true']).status === 0 ? peersRoot() : '';
  return `
for each in proc sys; do mount --rbind /$each ${root}/$each; done
chroot ${root} apparmor_parser --replace --skip-cache <<'PROFILE'
${profile}
PROFILE`;
}

function peersRoot(): string {
  const result = runInPeers(['sh', '-c', 'echo "$CAISSON_PEERS"']);
  if (result.status !== 0 || result.stdout === '\n') throw new Error(`no peers: ${result.stderr}`);
  return result.stdout.trim();
}
