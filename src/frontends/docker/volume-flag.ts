// `--volume SOURCE:DESTINATION[:OPTIONS]`.

import type { Bytes } from '../../linux/bytes.ts';
import type { Mount } from '../../spec/runtime-spec.ts';
import { bindOptions, type HostAction } from './bind-options.ts';
import { comesLater, flagSource, invalidArgument } from './flag-error.ts';
import { absoluteHostPath, destinationPath } from './mount-paths.ts';

/** A mount with the words that asked for it and what it asks of the host side. */
export interface RequestedMount {
  readonly mount: Mount;
  readonly source: string;
  readonly actions: readonly HostAction[];
}

const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** One `--volume`. Throws docker's messages; volumes with and without a name come with issue 5. */
export function parseVolume(text: Bytes, cwd: Bytes): RequestedMount {
  const parts = text.split(':');
  if (parts.length > 3) throw invalidArgument('volume', text, `invalid spec: ${text}: too many colons`);
  if (parts.some((part) => part === '')) {
    throw invalidArgument('volume', text, `invalid spec: ${text}: empty section between colons`);
  }
  const [from, to, options] = parts as [Bytes, Bytes | undefined, Bytes | undefined];
  const source = flagSource('volume', text);
  if (to === undefined) throw comesLater(`${source}, an anonymous volume,`, 'volumes (issue 5)');
  if (VOLUME_NAME.test(from)) throw comesLater(`${source}, a named volume,`, 'volumes (issue 5)');
  if (!from.startsWith('/') && !from.startsWith('.')) {
    throw invalidArgument(
      'volume',
      text,
      `"${from}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. ` +
        'If you intended to pass a host directory, use absolute path',
    );
  }
  try {
    const path = absoluteHostPath(from, cwd);
    const parsed = bindOptions(options?.split(',') ?? [], path);
    return {
      mount: { destination: destinationPath(to), type: 'bind', source: path, options: parsed.options },
      source,
      actions: parsed.actions.map((kind) => ({ kind, path, source })),
    };
  } catch (error) {
    if (error instanceof RangeError) throw invalidArgument('volume', text, error.message);
    throw error;
  }
}
