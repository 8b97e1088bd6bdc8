// Whether containers in user namespaces work here, and who is in the way.
//
// user_namespaces(7); user.max_user_namespaces of namespaces(7); kernel.unprivileged_userns_clone is a patch of Debian's;
// kernel.apparmor_restrict_unprivileged_userns is Ubuntu's since 23.10.
import { ERRNO } from '../../linux/errno.ts';
import type { DoctorFacts } from './facts.ts';
import { type Finding, finding } from './finding.ts';
import type { Failure } from './trials.ts';

/** Everything hangs on them for an ordinary user; root has other ways. */
function severity({ privileged }: DoctorFacts): 'limited' | 'missing' {
  return privileged ? 'limited' : 'missing';
}

const MAX = 'user/max_user_namespaces';
const CLONE = 'kernel/unprivileged_userns_clone';
const APPARMOR = 'kernel/apparmor_restrict_unprivileged_userns';

/** The sysctls that are in the way, each with how to change it. */
function blockers({ sysctls }: DoctorFacts): string[] {
  const found: string[] = [];
  if (sysctls.get(MAX) === '0') {
    found.push('user.max_user_namespaces is 0: sysctl -w user.max_user_namespaces=65536');
  }
  if (sysctls.get(CLONE) === '0') {
    found.push('kernel.unprivileged_userns_clone is 0: sysctl -w kernel.unprivileged_userns_clone=1');
  }
  if (sysctls.get(APPARMOR) === '1') {
    found.push(
      'AppArmor takes all privilege away in user namespaces of programs without a profile ' +
        '(kernel.apparmor_restrict_unprivileged_userns is 1): give caisson a profile with "userns,", or set it to 0',
    );
  }
  return found;
}

function explain(facts: DoctorFacts, { errno, step }: Failure): string[] {
  const known = blockers(facts);
  if (known.length > 0) return known;
  if (errno === ERRNO.ENOSPC || errno === ERRNO.EUSERS) {
    return [
      'the limit of user namespaces, or of 32 in one another, is reached: see user.max_user_namespaces',
    ];
  }
  if (errno === ERRNO.EINVAL && step === 'own-user-namespace') {
    return ['the kernel was built without CONFIG_USER_NS: another kernel is needed'];
  }
  if (facts.filtered) {
    return [
      "a seccomp filter lies upon caisson itself, as docker's default one: run the outer container with " +
        '--security-opt seccomp=unconfined',
    ];
  }
  return ['something else refuses them: a security module (see the kernel log), or a chroot around caisson'];
}

function main(facts: DoctorFacts): Finding {
  const failure = facts.trials.userNamespace;
  const subject = 'user namespaces';
  if (failure !== undefined) {
    return finding('user-namespaces', subject, severity(facts), failure.message, ...explain(facts, failure));
  }
  const others = facts.privileged ? blockers(facts) : [];
  if (others.length === 0)
    return finding('user-namespaces', subject, 'ok', 'can be made, and mounts inside of them');
  return finding('user-namespaces', subject, 'limited', 'for root, but not for ordinary users', ...others);
}

function procfs(facts: DoctorFacts): Finding[] {
  const failure = facts.trials.userProcfs;
  if (failure === undefined || facts.trials.userNamespace !== undefined) return [];
  const covered = facts.procMasks.slice(0, 3).join(', ');
  const advice =
    covered === ''
      ? ['see the kernel log for a security module that refuses it']
      : [
          `parts of this /proc are covered (${covered} ...), and a new one would uncover them: run the outer container ` +
            'with --security-opt systempaths=unconfined, or use --pid host',
        ];
  return [finding('user-procfs', 'procfs in them', severity(facts), failure.message, ...advice)];
}

function subordinateIds(facts: DoctorFacts): Finding {
  const { user, uids, gids, helpers } = facts.subordinate;
  const subject = 'subordinate ids';
  const id = 'subordinate-ids';
  if (facts.uid === 0 && uids === 0) return finding(id, subject, 'ok', 'root needs none');
  const advice: string[] = [];
  if (uids === 0 || gids === 0) {
    advice.push(`give ${user} some: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user}`);
  }
  if (!helpers && facts.uid !== 0) advice.push('install newuidmap and newgidmap: apt-get install uidmap');
  if (facts.noNewPrivs && facts.uid !== 0) {
    advice.push(
      'newuidmap is set-user-id and has no effect under no_new_privs, which caisson was started with',
    );
  }
  if (advice.length === 0)
    return finding(id, subject, 'ok', `${uids} user and ${gids} group ids for ${user}`);
  return finding(id, subject, 'limited', `containers of ${user} have one user, root`, ...advice);
}

function overlay(facts: DoctorFacts): Finding[] {
  const failure = facts.trials.userOverlay;
  if (failure === undefined || facts.trials.userNamespace !== undefined) return [];
  return [
    finding(
      'user-overlay',
      'overlay in them',
      'limited',
      failure.message,
      facts.privileged
        ? 'ordinary users cannot use the image host: --rootfs DIR works'
        : 'the image host cannot be used: --rootfs DIR works; load the module with: modprobe overlay',
    ),
  ];
}

/** The findings, most important first. */
export function userNamespaceFindings(facts: DoctorFacts): Finding[] {
  return [main(facts), ...procfs(facts), ...overlay(facts), subordinateIds(facts)];
}
