// How an attack is tested: against the real build it must find no evidence of success, and against a build that is
// broken on purpose it must find some.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Arena, type Mode, skip } from './arena.ts';
import { type BrokenName, brokenBuild } from './broken.ts';
import { changes, hostState, restoreSysctls } from './oracle.ts';

export interface Attack {
  /** `T05`. */
  readonly id: string;
  readonly title: string;
  readonly modes: readonly Mode[];
  /** Attacks; answers with evidence of success. What an attack needs to be one at all, it asserts. */
  readonly run: (arena: Arena) => string[] | Promise<string[]>;
  /** Builds against which there must be evidence, with the mode to show it in. */
  readonly caught: readonly (readonly [BrokenName, Mode])[];
}

const PATIENCE_MS = 3000;
const PAUSE_MS = 100;

/** All evidence: what the attack says, and what is different on the host. */
async function assault(attack: Attack, mode: Mode, program?: string): Promise<string[]> {
  const arena = new Arena(mode, program);
  const programs = [arena.program, arena.probe];
  const before = hostState(arena.canary, programs);
  try {
    const evidence = await attack.run(arena);
    // Mounts and cgroups of containers that end are taken apart by the kernel and by caisson a moment later.
    let left = changes(before, hostState(arena.canary, programs));
    for (let waited = 0; left.length > 0 && waited < PATIENCE_MS; waited += PAUSE_MS) {
      if (program !== undefined) break;
      await sleep(PAUSE_MS);
      left = changes(before, hostState(arena.canary, programs));
    }
    return [...evidence, ...left];
  } finally {
    restoreSysctls(before);
    arena.dispose();
  }
}

/** Declares the tests of one attack. */
export function attack(definition: Attack): void {
  const { id, title, modes, caught } = definition;
  for (const mode of modes) {
    test(`${id} ${mode}: ${title}`, { skip }, async () => {
      const evidence = await assault(definition, mode);
      assert.deepEqual(evidence, []);
    });
  }
  for (const [name, mode] of caught) {
    test(`${id} ${mode}: the attack succeeds on a build with ${name}`, { skip }, async () => {
      const build = brokenBuild(name);
      try {
        const evidence = await assault(definition, mode, build.program);
        assert.notDeepEqual(evidence, []);
      } finally {
        build.remove();
      }
    });
  }
}
