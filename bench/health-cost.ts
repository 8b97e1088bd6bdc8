// What health checks of many containers cost: processor time of the whole machine while they run, less what it takes without them.
import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { type BenchEngine, type Engines, IMAGE } from './engines.ts';

const COUNT = 100;
/** Seconds between two checks of one container, and of what is measured. */
const INTERVAL = 10;
const MEASURED = 30;
/** Of the caller's clock: sysconf(_SC_CLK_TCK). */
const TICKS = 100;

/** Seconds of processor time that the machine has spent since it started, idle time left out (proc(5), /proc/stat). */
function spent(): number {
  const fields = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '')
    .split(/\s+/)
    .slice(1, 9)
    .map(Number);
  const idle = (fields[3] ?? 0) + (fields[4] ?? 0);
  return (fields.reduce((sum, field) => sum + field, 0) - idle) / TICKS;
}

async function share(): Promise<number> {
  const before = spent();
  await wait(MEASURED * 1e3);
  return (spent() - before) / MEASURED;
}

/** The part of one core that the checks of 100 containers every 10 s take. */
export async function healthCost(engines: Engines, engine: BenchEngine): Promise<number> {
  const alone = await share();
  const health = `--health-cmd true --health-interval ${INTERVAL}s`;
  const run = `$E run --detach --network none ${health} ${IMAGE} sleep 100000 > /dev/null`;
  await engines.script(engine, `for i in $(seq ${COUNT}); do ${run}; done; sleep 2`);
  const checked = await share();
  await engines.script(engine, '$E rm --force $($E ps --all --quiet) > /dev/null');
  return checked - alone;
}
