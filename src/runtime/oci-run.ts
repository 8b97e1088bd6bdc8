// `run` of the OCI runtime: a bundle from create to the end of its process, or detached to its start.
import type { Cgroup } from '../cgroups/path.ts';
import type { Port } from '../host/port.ts';
import { SIGNALS } from '../linux/signals.ts';
import { ownCgroups } from './abandoned.ts';
import { attach } from './attach.ts';
import { claimContainer, ociState } from './container.ts';
import {
  type CreateOptions,
  createContainer,
  ociRecord,
  prepareOci,
  readOciBundle,
  runCreateHooks,
  runStartHooks,
  runStopHooks,
} from './create.ts';
import { holdSignals } from './held-signals.ts';
import { runHostHooks } from './hooks.ts';
import { releaseParents, removeParents } from './parents.ts';
import { Player } from './player.ts';
import { checkPreserved } from './preserved-descriptors.ts';
import { afterFailure, takeBack } from './removal.ts';
import { explained } from './run.ts';
import { type Exit, type Running, start } from './start.ts';
import { startContainer } from './start-created.ts';
import { identify, write } from './state.ts';
import { plainLineFeeds, withConsoleSize } from './terminal.ts';

export interface OciRunOptions extends CreateOptions {
  /** Leaves as soon as the program runs. */
  readonly detach?: boolean;
  /** The container is not deleted when it has ended. */
  readonly keep?: boolean;
}

/** The exit code of the container, 0 for a detached one. Throws CaissonError with provenance. */
export async function runContainer(port: Port, options: OciRunOptions): Promise<number> {
  if (options.detach) {
    await createContainer(port, options);
    await startContainer(port, options, options.warnOfHook);
    return 0;
  }
  return (await runAttachedOci(port, options)).code;
}

/** The whole life of a container whose command stays with it. */
export async function runAttachedOci(port: Port, options: OciRunOptions): Promise<Exit> {
  const { stateRoot, id } = options;
  checkPreserved(port, options.preserveFds ?? 0);
  const signals = holdSignals(port);
  const channel = await port.openChannel({ keep: options.preserveFds ?? 0 });
  const player = new Player(port, channel);
  let detach: (() => void) | undefined;
  let release: (() => Promise<void>) | undefined;
  try {
    const read = readOciBundle(port, options);
    const bundle = { ...read, spec: withConsoleSize(port, read.spec) };
    const ready = await prepareOci(port, player, bundle, options, {
      dieWithParent: true,
      plainLineFeeds: plainLineFeeds(port),
    });
    release = ready.release;
    const { spec, cgroups } = ready.prepared;
    const record = ociRecord(port, player, spec, ready.prepared, options);
    const claim = claimContainer(port, stateRoot, record, { configuration: bundle.text });
    let { oci } = record;
    // Nothing is to be cleaned up: it stays, or has never been there.
    let kept = false;
    let failed = true;
    let mine: readonly Cgroup[] = cgroups;
    try {
      const running = await start(port, player, ready.prepared, {
        before: claim.steps,
        hooks: (child) => runCreateHooks(port, ready.prepared, record, child, options),
        startHooks: (child) => runStartHooks(port, ready.prepared, record, child, options),
      }).catch(async (error: unknown) => {
        await releaseParents(player, ready.prepared.guard);
        const refused = claim.refused(error);
        kept = refused !== undefined;
        mine = ownCgroups(port, stateRoot, record);
        throw refused ?? error;
      });
      try {
        const init = identify(port, running.pid);
        oci = { ...record.oci, phase: 'started', init };
        write(port, stateRoot, { ...record, oci: { ...oci, attached: true } });
        if (options.pidFile !== undefined) port.replaceFile(options.pidFile, String(running.pid), 0o644);
        detach = attach(port, running, signals, { forwardSignals: true, interactive: true });
        const state = ociState({ record, status: 'running' });
        await runHostHooks(port, 'poststart', spec.hooks, state, { pid: running.pid });
      } catch (error) {
        await end(running);
        throw error;
      }
      const exit = await explained(player, cgroups, await running.wait());
      if (options.keep === true) {
        // From here on it is like one that was created: it stays until it is deleted.
        write(port, stateRoot, { ...record, oci });
        kept = true;
      }
      failed = false;
      return exit;
    } finally {
      const cleanUp = async () => {
        await takeBack(port, player, mine);
        await removeParents(port, player, options.stateRoot, record);
        port.remove(`${stateRoot}/${id}`);
        await runStopHooks(port, spec, record, options);
      };
      if (!kept) await (failed ? afterFailure(options.warn, cleanUp) : cleanUp());
    }
  } catch (error) {
    await signals.check();
    throw error;
  } finally {
    detach?.();
    await release?.();
    await channel.close();
    signals.end();
  }
}

async function end(running: Running): Promise<void> {
  await running.signal(SIGNALS.SIGKILL);
  await running.wait();
}
