// Bun's port with the launcher and the init that `bun build --compile` puts into the executable.

import { readFileSync } from 'node:fs';
import init from '../../build/init' with { type: 'file' };
import launcher from '../../build/launcher' with { type: 'file' };
import { bunPort } from './bun.ts';
import type { Port } from './port.ts';

/** The port of a program that Bun runs or has compiled. */
export function embeddedPort(): Port {
  return bunPort({ launcher: () => readFileSync(launcher), init: () => readFileSync(init) });
}
