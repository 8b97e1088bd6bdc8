// A chain of ours as a value: where it is hooked, and its rules as nft writes them.
import type { TableFamily } from './sets.ts';

export interface Chain {
  readonly family: TableFamily;
  readonly name: string;
  /** Where packets come in; without it other chains jump here. */
  readonly base?: Hook;
  /** One rule of the kernel each. */
  readonly rules: readonly string[];
}

export interface Hook {
  readonly type: 'filter' | 'nat';
  readonly hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';
  readonly priority: number;
}
