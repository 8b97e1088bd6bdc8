// Names that `--build-context` gives another meaning: they stand before stages and images of the same name.
import { utf8ToBytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { familiar, parseReference } from '../../spec/reference.ts';

/** What a name stands for: a directory, or an image by its reference (`oci-layout://` ones too). */
export type NamedContext =
  | { readonly kind: 'directory' }
  | { readonly kind: 'image'; readonly reference: string };

/** By `contextName`. */
export type NamedContexts = ReadonlyMap<string, NamedContext>;

/** One spelling of a name: `alpine`, `alpine:latest` and `docker.io/library/alpine` are the same. */
export function contextName(name: string): string {
  try {
    return familiar(parseReference(utf8ToBytes(name.toLowerCase())));
  } catch (error) {
    if (error instanceof CaissonError) return name.toLowerCase();
    throw error;
  }
}

export function namedContext(contexts: NamedContexts, name: string): NamedContext | undefined {
  return contexts.size === 0 ? undefined : contexts.get(contextName(name));
}
