// Waiting, for a time or for something to become true.

import assert from 'node:assert/strict';

/** Waits. */
export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Waits until `probe` returns something, at most `seconds`; the time is the test's failure. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  seconds = 20,
): Promise<T> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) return assert.fail(`${what} did not happen in ${seconds} s`);
    await sleep(30);
  }
}
