// T19: device nodes that a container makes are not opened: disks, memory, FUSE. The program of cgroup v2 is tested in
// test/uml, where there is one; `update` and `exec` come with the OCI issue.

import { CAPABILITIES, capabilities } from '../harness/caisson.ts';
import type { Arena } from './arena.ts';
import { attack } from './attack.ts';

/** Disks, memory, ports, kernel messages, FUSE, loop, KVM, TUN, input. */
const NODES = [
  'b 8 0',
  'b 254 0',
  'b 7 0',
  'c 1 1',
  'c 1 2',
  'c 1 4',
  'c 1 11',
  'c 10 229',
  'c 10 237',
  'c 10 232',
  'c 10 200',
  'c 13 64',
  'c 5 1',
  'c 4 64',
];
/** What a container may use. */
const GOOD = ['c 1 3', 'c 1 5', 'c 1 7', 'c 1 8', 'c 1 9', 'c 5 0'];

const script = (nodes: readonly string[]) => nodes.map((each) => `probe node ${each}`).join('; ');

/** runc lets every container open /dev/net/tun, and engines that call an OCI runtime expect it. */
const TUNNEL = /^c 10:200 /;

function judge(stdout: string, allowed?: RegExp): string[] {
  const lines = stdout.split('\n').filter((line) => line !== '');
  const opened = lines.filter(
    (line) => / (?:read|write) (?!EPERM|EACCES)/.test(line) && allowed?.test(line) !== true,
  );
  return lines.length === NODES.length ? opened : [`${lines.length} answers, not ${NODES.length}: ${stdout}`];
}

function useful(stdout: string): string[] {
  return GOOD.filter((_, index) => !/mknod ok read (?:ok|ENXIO)/.test(stdout.split('\n')[index] ?? '')).map(
    (each) => `${each} is of no use: ${stdout}`,
  );
}

attack({
  id: 'T19',
  title: 'nodes of devices that are not allowed do not open, by the rules of the configuration',
  modes: ['R'],
  caught: [['all devices', 'R']],
  run: (arena) => {
    const parts = {
      process: { capabilities: capabilities(CAPABILITIES) },
      linux: { resources: { devices: [{ allow: false, access: 'rwm' }] } },
    };
    return [
      ...judge(arena.ociOutput(parts, script(NODES)), TUNNEL),
      ...useful(arena.ociOutput(parts, script(GOOD))),
    ];
  },
});

attack({
  id: 'T19',
  title: 'nodes of devices that are not allowed do not open, by the defaults',
  modes: ['R'],
  caught: [['all devices', 'R']],
  run: (arena: Arena) => {
    const run = (flags: readonly string[], nodes: readonly string[]) =>
      arena.runDefault(flags, ['/bin/sh', '-c', script(nodes)]).stdout;
    const withNodes = ['--cap-add', 'MKNOD'];
    return [
      ...judge(run(withNodes, NODES)),
      ...judge(run([], NODES)),
      ...useful(run(withNodes, GOOD)),
      ...judge(arena.ociOutput({}, script(NODES)), TUNNEL),
    ];
  },
});
