// When an image and the lines of its history were made.
import type { ImageDraft } from '../graph/image-draft.ts';

/**
 * Gives lines without a time that of the next layer, or of the one before where none follows, as BuildKit does; with
 * `epoch`, in seconds, lines of this build (from `inherited` on) have that. The result is the image's time.
 */
export function settleTimes(
  draft: ImageDraft,
  inherited: number,
  epoch: number | undefined,
  now: Date,
): string {
  const fixed = epoch === undefined ? undefined : isoSeconds(epoch);
  const { history } = draft;
  if (fixed !== undefined) for (const entry of history.slice(inherited)) entry.created = fixed;
  let next: string | undefined;
  for (let at = history.length - 1; at >= 0; at--) {
    const entry = history[at];
    if (entry === undefined) continue;
    if (entry.created === undefined && next !== undefined) entry.created = next;
    next = entry.created ?? next;
  }
  let before = next;
  for (const entry of history) {
    entry.created ??= before ?? now.toISOString();
    before = entry.created;
  }
  return fixed ?? before ?? now.toISOString();
}

/** RFC 3339 without a fraction, as Go writes whole seconds. */
function isoSeconds(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}
