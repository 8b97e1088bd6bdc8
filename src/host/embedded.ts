// Bun's port with the launcher and the init that `bun build --compile` puts into the executable.
//
// As base64 text: an embedded file is read by way of `node:fs`, which takes 0.9 ms to load (measured).
import init from '../../build/init.base64' with { type: 'text' };
import launcher from '../../build/launcher.base64' with { type: 'text' };
import monitor from '../../build/monitor.base64' with { type: 'text' };
import { bunPort } from './bun.ts';
import type { Port } from './port.ts';

/** How long the executable blocks for the end of a container before it lets the event loop wait, in milliseconds. */
const PATIENCE = 10;

/** The port of a program that Bun runs or has compiled. */
export function embeddedPort(): Port {
  return bunPort({
    launcher: () => Uint8Array.fromBase64(launcher),
    init: () => Uint8Array.fromBase64(init),
    monitor: () => Uint8Array.fromBase64(monitor),
    patience: PATIENCE,
  });
}
