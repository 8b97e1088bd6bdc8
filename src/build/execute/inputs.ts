// Stages and images that an operation reads files of, once they are there.
import type { Origin } from '../graph/operations.ts';
import type { BaseLayer, ResultLayer, StageResult } from './result.ts';

/** Files to read, and the key that stands for all of them. */
export interface Input {
  readonly layers: readonly ResultLayer[];
  readonly key: string;
}

export interface Inputs {
  /** Throws CaissonError when a stage or an image cannot be had. */
  of(origin: Origin): Promise<Input>;
}

export const NO_FILES: Input = { layers: [], key: 'nothing' };

export function inputOfStage({ layers, key }: StageResult): Input {
  return { layers, key };
}

export function inputOfImage(layers: readonly BaseLayer[], key: string): Input {
  return { layers, key };
}
