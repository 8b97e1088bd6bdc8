// Waits for a moment in which nobody else uses the machine: medians of a busy one say who else was there.
import { readFileSync } from 'node:fs';

const SAMPLE = 150;
/** The part of all processors that must be idle. */
const IDLE = 0.85;

/** Ticks of all processors since boot, idle ones and all (proc(5), /proc/stat: user nice system idle iowait ...). */
function ticks(): { idle: number; all: number } {
  const line = readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '';
  const fields = line.split(/\s+/).slice(1, 9).map(Number);
  const idle = (fields[3] ?? 0) + (fields[4] ?? 0);
  return { idle, all: fields.reduce((sum, field) => sum + field, 0) };
}

export class Calm {
  private left: number;

  /** At most `budget` milliseconds are waited in all. */
  constructor(budget: number) {
    this.left = budget;
  }

  /** Resolves with whether the machine is calm, or at once when the budget is used up. */
  async wait(): Promise<boolean> {
    while (this.left > 0) {
      const before = ticks();
      await new Promise((resolve) => setTimeout(resolve, SAMPLE));
      this.left -= SAMPLE;
      const { idle, all } = ticks();
      if (idle - before.idle >= IDLE * (all - before.all)) return true;
    }
    return false;
  }
}
