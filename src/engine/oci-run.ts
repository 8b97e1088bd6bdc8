// `caisson oci run`: a bundle from start to exit, as runc's command of the same name.
import type { Port } from '../host/port.ts';
import type { Bytes } from '../linux/bytes.ts';
import { attach } from '../runtime/attach.ts';
import { readBundle } from '../runtime/bundle.ts';
import { holdSignals } from '../runtime/held-signals.ts';
import { withHome } from '../runtime/home.ts';
import { holdIdMaps, type IdMapHolders } from '../runtime/idmap.ts';
import { Player } from '../runtime/player.ts';
import { prepare } from '../runtime/prepare.ts';
import { runAttached } from '../runtime/run.ts';
import type { Exit } from '../runtime/start.ts';
import { withConsoleSize } from '../runtime/terminal.ts';
import { CaissonError } from '../spec/error.ts';

export interface OciRunOptions {
  readonly id: Bytes;
  readonly bundle: Bytes;
  readonly stateRoot: Bytes;
  readonly pidFile?: Bytes;
  readonly noPivot?: boolean;
  readonly noNewKeyring?: boolean;
  readonly warn: (message: string) => void;
}

/** Throws CaissonError; the exit is the container's otherwise. */
export async function ociRun(port: Port, options: OciRunOptions): Promise<Exit> {
  const signals = holdSignals(port);
  // The launcher starts while the configuration is read and compiled.
  const channel = await port.openChannel();
  let idMaps: IdMapHolders | undefined;
  let detach: (() => void) | undefined;
  try {
    const { spec: read, warnings } = readBundle(port, options.bundle);
    if (read.process?.args === undefined) {
      throw new CaissonError('config.json has no process to run', {
        code: 'EINVALIDSPEC',
        provenance: ['/process/args'],
      });
    }
    const spec = await withHome(new Player(port, channel), read);
    idMaps = await holdIdMaps(port, new Player(port, channel), spec);
    const prepared = prepare(port, withConsoleSize(port, spec), {
      ...options,
      dieWithParent: true,
      idmapped: idMaps.pids,
    });
    for (const warning of [...warnings, ...prepared.warnings]) options.warn(warning);
    return await runAttached(port, channel, prepared, options, {
      started: (running) => {
        if (options.pidFile !== undefined) port.replaceFile(options.pidFile, String(running.pid), 0o644);
        detach = attach(port, running, signals, { forwardSignals: true, interactive: true });
      },
    });
  } catch (error) {
    await signals.check();
    throw error;
  } finally {
    detach?.();
    await idMaps?.close();
    await channel.close();
    signals.end();
  }
}
