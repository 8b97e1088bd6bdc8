// Runs `true` in a sandbox of the library whenever a line comes: in a place out of a pool, or in one that stays; prints nanoseconds.
import { createInterface } from 'node:readline';
import { Sandbox } from '../src/index.ts';

/** A pool fills itself again while the others of this bench are measured. */
async function runner(how: string | undefined): Promise<() => Promise<{ readonly exitCode: number }>> {
  if (how === 'pool') {
    const pool = await Sandbox.pool({ size: 2 });
    return () => pool.run(['true']);
  }
  const sandbox = await Sandbox.create();
  return () => sandbox.run(['true']);
}

const run = await runner(process.argv[2]);
for await (const _ of createInterface({ input: process.stdin })) {
  const start = process.hrtime.bigint();
  const { exitCode } = await run();
  const took = process.hrtime.bigint() - start;
  if (exitCode !== 0) throw new Error(`true ended with ${exitCode}`);
  process.stdout.write(`${took}\n`);
}
process.exit(0);
