// T23: a process that joins the pid namespace of a container is seen there before it is a harmless program
// (CVE-2016-9962). There is no `exec` yet: containers join the namespaces of another one by path.
//
// A container with CAP_SYS_PTRACE in the first user namespace may look into every process that it can see, dumpable
// or not (ptrace(2)): so mode R gives the attacker all but that.
import assert from 'node:assert/strict';
import { CAPABILITIES, capabilities } from '../harness/caisson.ts';
import { rounds } from './arena.ts';
import { attack } from './attack.ts';
import { neighbour } from './race.ts';

const OWN = ['network', 'ipc', 'uts', 'mount'].map((type) => ({ type }));

attack({
  id: 'T23',
  title: 'who joins cannot be looked into while it is set up',
  modes: ['R', 'U'],
  caught: [['a launcher that can be looked into', 'U']],
  run: async (arena) => {
    const names =
      arena.mode === 'U' ? [...CAPABILITIES, 'CAP_SYS_PTRACE', 'CAP_DAC_READ_SEARCH'] : CAPABILITIES;
    const process = { capabilities: capabilities(names) };
    const attacker = await neighbour(
      arena,
      { process },
      `exec probe look ${arena.canary}/secret`,
      'watching',
    );
    const types = arena.mode === 'U' ? ['pid', 'user'] : ['pid'];
    const namespaces = [...OWN, ...types.map((type) => ({ type, path: `/proc/${attacker.pid}/ns/${type}` }))];
    const prefix = [arena.probe, 'leak', '20', arena.canary];
    let started = 0;
    for (let i = 0; i < rounds(100, 5000) && !/reached|attached/.test(attacker.started.stdout); i++) {
      // The attacker's output is read between two starts.
      await new Promise((resolve) => setImmediate(resolve));
      if (arena.oci({ process, linux: { namespaces } }, 'true', { prefix }).code === 0) started++;
    }
    assert.ok(started > 0, 'none of them could join the attacker');
    const output = await attacker.end();
    assert.match(output, /end\n$/);
    return [...new Set(output.split('\n').filter((line) => /reached|attached/.test(line)))];
  },
});
