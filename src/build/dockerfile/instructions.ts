// The instructions of a Dockerfile as data, before variables are replaced.
import type { Heredoc } from './heredoc.ts';
import type { LogicalLine, Word } from './source.ts';

/** What every instruction has. */
interface Common {
  readonly line: LogicalLine;
  readonly comments: readonly string[];
}

export interface Pair {
  readonly key: Word;
  readonly value: Word;
}

/** A document that is copied as a file. */
export interface InlineFile {
  readonly name: string;
  readonly content: string;
  /** Variables in it are replaced. */
  readonly expand: boolean;
}

/** A command in the shell form (one word, for a shell) or the exec form (a JSON array). */
export interface CommandForm {
  readonly words: readonly string[];
  readonly shell: boolean;
  readonly documents: readonly Heredoc[];
}

export interface CopyInstruction extends Common {
  readonly kind: 'add' | 'copy';
  readonly sources: readonly Word[];
  readonly files: readonly InlineFile[];
  readonly destination: Word;
  readonly chown: string;
  readonly chmod: string;
  readonly link: boolean;
  readonly exclude: readonly string[];
  /** COPY: a stage, its number, or an image. */
  readonly from: Word | undefined;
  readonly parents: boolean;
  /** ADD only. */
  readonly checksum: string;
  readonly keepGitDir: boolean | undefined;
  readonly unpack: boolean | undefined;
}

export interface RunInstruction extends Common {
  readonly kind: 'run';
  readonly command: CommandForm;
  /** `--mount`, not yet read: values may hold variables. */
  readonly mounts: readonly Word[];
  readonly network: 'default' | 'none' | 'host';
  readonly security: 'sandbox' | 'insecure';
}

/** HEALTHCHECK; times in nanoseconds, as the image configuration has them. */
export interface HealthCheck {
  readonly Test: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

export interface ArgInstruction extends Common {
  readonly kind: 'arg';
  readonly arguments: readonly { readonly key: Word; readonly value: Word | undefined }[];
}

export interface FromInstruction extends Common {
  readonly kind: 'from';
  readonly base: Word;
  /** In lower case; empty without AS. */
  readonly name: string;
  readonly platform: string;
}

/** Everything but FROM, which begins a stage. */
export type Instruction =
  | ArgInstruction
  | CopyInstruction
  | RunInstruction
  | (Common & { readonly kind: 'env' | 'label'; readonly pairs: readonly Pair[] })
  | (Common & { readonly kind: 'maintainer' | 'stopsignal' | 'user' | 'workdir'; readonly value: Word })
  | (Common & { readonly kind: 'cmd' | 'entrypoint'; readonly command: CommandForm })
  | (Common & { readonly kind: 'shell'; readonly shell: readonly string[] })
  | (Common & { readonly kind: 'expose'; readonly ports: readonly Word[] })
  | (Common & { readonly kind: 'volume'; readonly paths: readonly Word[] })
  | (Common & { readonly kind: 'healthcheck'; readonly health: HealthCheck })
  | (Common & { readonly kind: 'onbuild'; readonly trigger: string });

/** FROM and what follows it. */
export interface Stage {
  readonly from: FromInstruction;
  readonly index: number;
  readonly instructions: readonly Instruction[];
}

/** A whole Dockerfile. */
export interface Dockerfile {
  /** ARG before the first FROM. */
  readonly globalArguments: readonly ArgInstruction[];
  readonly stages: readonly Stage[];
  readonly escape: '\\' | '`';
}
