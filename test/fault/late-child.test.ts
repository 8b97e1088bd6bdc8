// A launcher that is killed while its child is still setting up: the child must not execute the program.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, test } from 'node:test';
import { nodePort } from '../../src/host/node.ts';
import { builtPrograms } from '../../src/host/programs.ts';
import { utf8ToBytes } from '../../src/linux/bytes.ts';
import { call, NULL, number, pointer, struct } from '../../src/plan/call.ts';
import { type Step, step } from '../../src/plan/step.ts';
import { Player } from '../../src/runtime/player.ts';
import { prepare } from '../../src/runtime/prepare.ts';
import { removeCgroups, withLauncher } from '../../src/runtime/removal.ts';
import { parseSpec } from '../../src/spec/validate.ts';
import { Harness, type Part, rootOnly as skip } from '../harness/caisson.ts';
import { wait } from './traces.ts';

const harness = new Harness();
after(() => {
  harness.close();
});

/** Makes the child sleep before it asks to die with its parent. */
function delayed(steps: readonly Step[]): Step[] {
  const time = struct(
    { name: 'tv_sec', width: 8, value: 0 },
    { name: 'tv_nsec', width: 8, value: 400_000_000 },
  );
  const sleep = step('child', 'sleep', 'sleep', 'test', [
    call('ppoll', [NULL, number(0), pointer(time, 'fixed'), NULL, number(0)]),
  ]);
  const at = steps.findIndex(({ id }) => id === 'death-signal');
  assert.ok(at > 0, 'the plan has no death signal');
  return [...steps.slice(0, at), sleep, ...steps.slice(at)];
}

/** Whether the program was executed; the launcher is killed after `killAfter` milliseconds. */
async function executes(killAfter: number | undefined): Promise<boolean> {
  const marker = `marker-${killAfter}`;
  const configuration = harness.configuration(
    { root: { path: harness.rootfs } as Part },
    `echo > /${marker}`,
  );
  const port = nodePort(builtPrograms());
  const { spec } = parseSpec(utf8ToBytes(JSON.stringify(configuration)));
  const prepared = prepare(port, spec, { id: utf8ToBytes(harness.newId()), dieWithParent: true });
  const channel = await port.openChannel();
  try {
    await new Player(port, channel).send(delayed(prepared.plan.steps));
    await wait(killAfter ?? 0);
    if (killAfter !== undefined) process.kill(channel.pid, 'SIGKILL');
    await wait(900 - (killAfter ?? 0));
    return existsSync(`${harness.rootfs}/${marker}`);
  } finally {
    await channel.close();
    await withLauncher(port, (player) => removeCgroups(port, player, prepared.cgroups));
  }
}

test('a child whose parent is dead does not execute', { skip }, async () => {
  assert.equal(await executes(undefined), true, 'without a kill it does');
  assert.equal(await executes(150), false);
});
