// docker run: the program, its identity, limits, mounts, devices and what an engine does when it cannot start.

import assert from 'node:assert/strict';
import { Docker } from './docker.ts';
import { IMAGE } from './image.ts';
import { matrix } from './matrix.ts';
import { succeeded } from './room.ts';
import { inTerminal, shown } from './terminal.ts';

/** Runs a script that must succeed. */
async function output(docker: Docker, flags: readonly string[], script: string): Promise<string> {
  return succeeded(await docker.run(flags, script), ['docker', 'run', ...flags]);
}

matrix('docker', (runtime) => Docker.open(runtime), {
  'run: output, errors and exit status': async (docker) => {
    const { code, stdout, stderr } = await docker.run([], 'echo out; echo err >&2; exit 7');
    assert.deepEqual({ code, stdout, stderr }, { code: 7, stdout: 'out\n', stderr: 'err\n' });
    assert.equal((await docker.run(['--init'], 'kill -TERM $$')).code, 143);
  },
  'run: environment, user, groups, directory and host name': async (docker) => {
    const flags = ['-e', 'A=b c', '-u', 'alice:staff', '--group-add', '63', '-w', '/home', '-h', 'inside'];
    const script = 'echo "$A|$FROM_IMAGE|$HOME|$(id -u) $(id -g) $(id -G)|$PWD|$(hostname)"';
    assert.equal(await output(docker, flags, script), 'b c|yes|/home/alice|1000 50 50 63|/home|inside');
  },
  'run -i: standard input': async (docker) => {
    const args = ['run', '--rm', '-i', '--network', 'none', IMAGE, 'sh', '-c', 'tr a-z A-Z; echo end'];
    assert.equal(await docker.output(args, { input: 'typed\nlines\n' }), 'TYPED\nLINES\nend');
  },
  'run -it: a terminal with its size': async (docker) => {
    const args = ['docker', 'run', '--rm', '-it', '--network', 'none', IMAGE];
    const script = 'test -t 0 && test -t 1 && tty; sleep 0.3; stty size; exit 6';
    const { code, stdout } = await docker.room.run(inTerminal([...args, 'sh', '-c', script]), {
      env: { DOCKER_HOST: 'unix:///run/docker.sock' },
    });
    assert.equal(code, 6, stdout);
    assert.match(shown(stdout), /\/dev\/(?:pts\/0|console)\n33 111\n/);
  },
  'run: no such program is 127, one that is not executable 126': async (docker) => {
    const missing = await docker.call(['run', '--rm', '--network', 'none', IMAGE, 'nonesuch']);
    assert.equal(missing.code, 127, missing.stderr);
    assert.match(missing.stderr, /exec: "nonesuch": executable file not found in \$PATH/);
    const absolute = await docker.call(['run', '--rm', '--network', 'none', IMAGE, '/nonesuch']);
    assert.equal(absolute.code, 127, absolute.stderr);
    assert.match(absolute.stderr, /no such file or directory/);
    const plain = await docker.call(['run', '--rm', '--network', 'none', IMAGE, '/etc/passwd']);
    assert.equal(plain.code, 126, plain.stderr);
    assert.match(plain.stderr, /permission denied/);
  },
  'run: limits are written and shown': async (docker) => {
    const flags =
      '--memory 96m --memory-swap 96m --cpus 0.5 --cpu-shares 300 --pids-limit 55 --cpuset-cpus 0';
    const files = [
      'memory/memory.limit_in_bytes',
      'cpu/cpu.cfs_quota_us',
      'cpu/cpu.shares',
      'pids/pids.max',
      'cpuset/cpuset.cpus',
    ];
    const script = `cd /sys/fs/cgroup; cat ${files.join(' ')}`;
    assert.equal(await output(docker, flags.split(' '), script), `${96 * 2 ** 20}\n50000\n300\n55\n0`);
  },
  'run: out of memory is told': async (docker) => {
    const id = await docker.detached(['--memory', '16m', '--memory-swap', '16m'], 'tail /dev/zero');
    assert.equal(await docker.output(['wait', id]), '137');
    assert.equal(await docker.inspect(id, '{{.State.OOMKilled}}'), 'true');
    await docker.remove(id);
  },
  'run: ulimits, sysctls, oom score, shared memory': async (docker) => {
    const flags = '--ulimit nofile=123:456 --sysctl net.ipv4.ip_unprivileged_port_start=77 --shm-size 3m';
    const script = `ulimit -n; ulimit -H -n; cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/self/oom_score_adj
      df -k /dev/shm | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2`;
    const lines = await output(docker, [...flags.split(' '), '--oom-score-adj', '500'], script);
    assert.equal(lines, '123\n456\n77\n500\n3072');
  },
  'run: capabilities, no new privileges, seccomp': async (docker) => {
    const status = (flags: string[]) =>
      output(docker, flags, 'grep -E "^(CapBnd|CapEff|NoNewPrivs|Seccomp):" /proc/self/status | cut -f 2');
    assert.equal(await status([]), '00000000a80425fb\n00000000a80425fb\n0\n2');
    const dropped = ['--cap-drop', 'ALL', '--cap-add', 'CHOWN', '--security-opt', 'no-new-privileges'];
    assert.equal(
      await status([...dropped, '--security-opt', 'seccomp=unconfined']),
      '0000000000000001\n0000000000000001\n1\n0',
    );
    assert.match((await docker.run([], 'unshare -m true')).stderr, /Operation not permitted/);
  },
  'run: volumes, tmpfs, a read-only root': async (docker) => {
    const { room } = docker;
    await room.output(['sh', '-c', 'mkdir -p /srv/data && echo given > /srv/data/file']);
    const flags =
      '--read-only -v /srv/data:/data -v /srv/data:/fixed:ro -v named:/named --tmpfs /scratch:size=1m';
    const script = `cat /data/file; echo back > /data/back; echo > /named/x; echo > /scratch/x
      echo > /fixed/x || echo fixed; echo > /root/x || echo root`;
    assert.equal(await output(docker, flags.split(' '), script), 'given\nfixed\nroot');
    assert.equal(await room.output(['cat', '/srv/data/back']), 'back');
  },
  'run: devices and their rules': async (docker) => {
    const flags = ['--device', '/dev/fuse:/dev/other:r', '--device-cgroup-rule', 'c 1:11 rwm'];
    const script = `stat -c %t:%T /dev/other; (: < /dev/other) && echo opened; (: > /dev/other) || echo refused
      mknod /kmsg c 1 11; (: > /kmsg) && echo kmsg; mknod /mem c 1 1; (: < /mem) || echo memory`;
    assert.equal(await output(docker, flags, script), 'a:e5\nopened\nrefused\nkmsg\nmemory');
  },
  'run --privileged: all capabilities, devices, writable cgroups': async (docker) => {
    const script = `grep CapEff /proc/self/status | cut -f 2; grep Seccomp: /proc/self/status | cut -f 2
      test -c /dev/fuse && echo fuse; mkdir -p /mnt && mount -t tmpfs tmpfs /mnt && echo mounted
      mkdir /sys/fs/cgroup/pids/below && rmdir /sys/fs/cgroup/pids/below && echo cgroup
      : > /proc/sys/net/ipv4/ip_forward && echo sysctl`;
    const [capabilities, ...rest] = (await output(docker, ['--privileged'], script)).split('\n');
    const bounding = (await docker.room.output(['grep', 'CapBnd', '/proc/self/status'])).split('\t')[1];
    assert.equal(capabilities, bounding);
    assert.deepEqual(rest, ['0', 'fuse', 'mounted', 'cgroup', 'sysctl']);
  },
  'run: masked and read-only paths': async (docker) => {
    const script = `wc -c < /proc/keys; ls -A /sys/firmware | wc -l
      (: > /proc/sys/kernel/domainname) 2>/dev/null || echo fixed; (: > /proc/sysrq-trigger) 2>/dev/null || echo fixed`;
    assert.equal(await output(docker, [], script), '0\n0\nfixed\nfixed');
  },
  'run --init, and the namespaces of others': async (docker) => {
    assert.match(await output(docker, ['--init'], 'cat /proc/1/comm'), /^(?:docker-init|tini)/);
    const id = await docker.detached(['--hostname', 'first', '--ipc', 'shareable'], 'sleep 777');
    const shared = ['--pid', `container:${id}`, '--ipc', `container:${id}`];
    assert.match(await output(docker, shared, 'ps'), /1 root +sleep 777/);
    const own = await docker.room.output(['hostname']);
    assert.equal(await output(docker, ['--uts', 'host', '--cgroupns', 'host'], 'hostname'), own);
    await docker.remove(id);
  },
  'run: cgroup namespace': async (docker) => {
    const host = await output(docker, ['--cgroupns', 'host'], 'grep pids /proc/self/cgroup');
    assert.match(host, /:pids:\/docker\/[0-9a-f]{64}$/);
    const own = await output(docker, ['--cgroupns', 'private'], 'grep pids /proc/self/cgroup');
    assert.match(own, /:pids:\/$/);
  },
  'create and start are two steps': async (docker) => {
    const id = await docker.output(['create', '--network', 'none', IMAGE, 'echo', 'later']);
    assert.equal(await docker.inspect(id, '{{.State.Status}}'), 'created');
    assert.equal(await docker.output(['start', '--attach', id]), 'later');
    assert.equal(await docker.output(['start', '--attach', id]), 'later');
    assert.equal(await docker.inspect(id, '{{.State.Status}} {{.State.ExitCode}}'), 'exited 0');
    await docker.remove(id);
  },
});
