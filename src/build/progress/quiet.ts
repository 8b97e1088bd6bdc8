// Progress for nobody: what a build tells is in its result and its errors.
import type { Progress, Vertex } from './progress.ts';

const NOTHING = (): void => undefined;

const SILENT: Vertex = {
  output: NOTHING,
  note: NOTHING,
  done: NOTHING,
  cached: NOTHING,
  failed: NOTHING,
};

export function quietProgress(warn: (message: string) => void): Progress {
  return { begin: () => SILENT, warn, close: NOTHING };
}
