// Freezes and thaws all processes of a container (v1: freezer-subsystem.rst; v2: cgroup.freeze, cgroup-v2.rst).
import type { Bytes } from '../linux/bytes.ts';
import { O_CLOEXEC, O_WRONLY } from '../linux/constants/open.ts';
import { slot } from '../plan/call.ts';
import { type Step, step } from '../plan/step.ts';
import { AT_FDCWD, close, openat, write } from '../plan/syscalls.ts';
import { CaissonError } from '../spec/error.ts';
import { hierarchyOf } from './layout.ts';
import type { Cgroup } from './path.ts';
import { parseFlatKeyed } from './statistics-files.ts';

export type FreezerState = 'thawed' | 'freezing' | 'frozen';

interface Freezer {
  readonly file: Bytes;
  readonly freeze: Bytes;
  readonly thaw: Bytes;
  /** Says how far freezing is. */
  readonly state: Bytes;
  /** Holds `1` while this cgroup itself, not one above it, is asked to be frozen. */
  readonly asked: Bytes;
}

/**
 * v2 wherever the container has a v2 cgroup, because a process frozen there can still be killed, and because the v1
 * freezer loses against processes that fork all the time.
 */
function freezerOf(cgroups: readonly Cgroup[]): Freezer | undefined {
  const unified = cgroups.find(({ version }) => version === 2);
  if (unified !== undefined) {
    const { directory } = unified;
    return {
      file: `${directory}/cgroup.freeze`,
      freeze: '1',
      thaw: '0',
      state: `${directory}/cgroup.events`,
      asked: `${directory}/cgroup.freeze`,
    };
  }
  return v1FreezerOf(cgroups);
}

function v1FreezerOf(cgroups: readonly Cgroup[]): Freezer | undefined {
  const v1 = hierarchyOf(cgroups, 'freezer');
  if (v1 === undefined) return undefined;
  const file = `${v1.directory}/freezer.state`;
  const asked = `${v1.directory}/freezer.self_freezing`;
  return { file, freeze: 'FROZEN', thaw: 'THAWED', state: file, asked };
}

function required(cgroups: readonly Cgroup[]): Freezer {
  const freezer = freezerOf(cgroups);
  if (freezer !== undefined) return freezer;
  throw new CaissonError(
    'cannot toggle freezer: the container has neither cgroup v2 nor the freezer controller',
    {
      code: 'EUNSUPPORTED',
    },
  );
}

/**
 * Asks for freezing, which goes on after the call. Read `freezerStateFile` until `freezerState` says frozen (v2 tells
 * poll(2) too: POLLPRI on cgroup.events); on v1 play this again while it says freezing, because processes that fork
 * meanwhile are asked only then, and thaw when you give up. Throws CaissonError without a freezer.
 */
export function freezeStep(cgroups: readonly Cgroup[]): Step {
  const freezer = required(cgroups);
  return step(
    'parent',
    'cgroup-freeze',
    'freeze the processes',
    'pause',
    writing(freezer.file, freezer.freeze),
    writing(freezer.file, freezer.thaw),
  );
}

/** Lets the processes go on. Throws CaissonError without a freezer. */
export function thawStep(cgroups: readonly Cgroup[]): Step {
  const freezer = required(cgroups);
  return step('parent', 'cgroup-thaw', 'thaw the processes', 'resume', writing(freezer.file, freezer.thaw));
}

/**
 * What a killed process may wait for in vain: `asked` holds `1` while the v1 freezer is asked, by us or by somebody else on a
 * host that has v2 as well, and `thaw` ends that. undefined without a v1 freezer.
 */
export function v1Freezer(cgroups: readonly Cgroup[]): { readonly asked: Bytes; thaw(): Step } | undefined {
  const freezer = v1FreezerOf(cgroups);
  if (freezer === undefined) return undefined;
  const { asked, file, thaw } = freezer;
  return {
    asked,
    thaw: () => step('parent', 'cgroup-thaw', 'thaw the processes', 'kill', writing(file, thaw)),
  };
}

/** The file that `freezerState` reads; undefined without a freezer. */
export function freezerStateFile(cgroups: readonly Cgroup[]): Bytes | undefined {
  return freezerOf(cgroups)?.state;
}

/** The file that holds `1` while the container is paused, or about to be; undefined without a freezer. */
export function freezerRequestFile(cgroups: readonly Cgroup[]): Bytes | undefined {
  return freezerOf(cgroups)?.asked;
}

/** The state in the content of `freezerStateFile`; v2 does not tell thawed from freezing. */
export function freezerState(content: Bytes): FreezerState {
  const word = content.trim();
  if (word === 'FROZEN') return 'frozen';
  if (word === 'FREEZING') return 'freezing';
  if (word === 'THAWED') return 'thawed';
  return parseFlatKeyed(content).get('frozen') === 1 ? 'frozen' : 'thawed';
}

function writing(file: Bytes, text: Bytes) {
  const fd = slot(file);
  return [openat(AT_FDCWD, file, O_WRONLY | O_CLOEXEC, 0, { result: fd }), write(fd, text), close(fd)];
}
