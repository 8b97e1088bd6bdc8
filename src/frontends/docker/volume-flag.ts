// `--volume [SOURCE:]DESTINATION[:OPTIONS]`: a named or anonymous volume, or a bind of a host path.

import type { Bytes } from '../../linux/bytes.ts';
import { bindOptions } from './bind-options.ts';
import { flagSource, invalidArgument } from './flag-error.ts';
import { absoluteHostPath, destinationPath } from './mount-paths.ts';
import { volumeNameProblem } from './volume-name.ts';
import { type RequestedMount, requestVolume } from './volume-request.ts';

/** One `--volume`. Throws docker's messages. */
export function parseVolume(text: Bytes, cwd: Bytes): RequestedMount {
  const parts = text.split(':');
  if (parts.length > 3) throw invalidArgument('volume', text, `invalid spec: ${text}: too many colons`);
  if (parts.some((part) => part === '')) {
    throw invalidArgument('volume', text, `invalid spec: ${text}: empty section between colons`);
  }
  const [from, to, options] = parts as [Bytes, Bytes | undefined, Bytes | undefined];
  const source = flagSource('volume', text);
  const words = options?.split(',') ?? [];
  try {
    if (to === undefined) return requestVolume(destinationPath(from), source, { name: undefined });
    if (!from.startsWith('/') && !from.startsWith('.')) return named(from, to, words, source);
    const path = absoluteHostPath(from, cwd);
    const parsed = bindOptions(words, path);
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

function named(name: Bytes, to: Bytes, words: readonly Bytes[], source: string): RequestedMount {
  const problem = volumeNameProblem(name);
  if (problem !== undefined) throw new RangeError(problem);
  return requestVolume(destinationPath(to), source, {
    name,
    words: words.filter((word) => word !== 'nocopy'),
    copy: !words.includes('nocopy'),
  });
}
