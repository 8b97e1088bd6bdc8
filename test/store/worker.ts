// One program that uses a store: pulls, removes, collects; kills itself before a given change of the disk.
//
//   node worker.js '{"root": "/x", "actions": [["pull", "one"]], "killAt": 3}'
//
// Prints one line for each action when it is done, with what it did.
import { hostDisk } from '../../src/host/node-disk.ts';
import { openStore } from '../../src/image/store/store.ts';
import { CaissonError } from '../../src/spec/error.ts';
import { type Action, act } from './actions.ts';
import { port, stepping } from './world.ts';

interface Task {
  readonly root: string;
  readonly actions: readonly Action[];
  /** The change before which this program kills itself; none without. */
  readonly killAt?: number;
  /** How many stores are open here at once, each of which does all actions. */
  readonly stores?: number;
  readonly durability?: 'full' | 'off';
}

const task = JSON.parse(process.argv[2] ?? '{}') as Task;
let changes = 0;

const disk = stepping(hostDisk(), () => {
  if (changes++ === task.killAt) process.kill(process.pid, 'SIGKILL');
});

async function one(): Promise<void> {
  const location = { root: task.root, durability: task.durability ?? 'full' };
  for (const action of task.actions) {
    const store = await openStore(await port(), disk, location);
    try {
      process.stdout.write(`${await act(store, action)}\n`);
    } finally {
      await store.close();
    }
  }
}

try {
  await Promise.all(Array.from({ length: task.stores ?? 1 }, one));
} catch (error) {
  if (!(error instanceof CaissonError)) throw error;
  process.stderr.write(`${error.code}: ${[error.message, ...error.details].join('\n  ')}\n`);
  process.exitCode = 1;
}
