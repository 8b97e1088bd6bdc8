// Runs a bundle by the engine, in this process, whenever a line comes; prints the nanoseconds from call to promise.
import { createInterface } from 'node:readline';
import type { Port } from '../src/host/port.ts';
import { builtPrograms, readProgram } from '../src/host/programs.ts';
import { runContainer } from '../src/runtime/oci-run.ts';

async function openPort(): Promise<Port> {
  const programs = builtPrograms();
  if (process.versions.bun === undefined) return (await import('../src/host/node.ts')).nodePort(programs);
  const { bunPort } = await import('../src/host/bun.ts');
  return bunPort({ launcher: () => readProgram(programs.launcher), init: () => readProgram(programs.init) });
}

const bundle = process.argv[2] ?? '';
const port = await openPort();
let count = 0;
for await (const _ of createInterface({ input: process.stdin })) {
  const id = `bench-${process.pid}-${count++}`;
  const start = process.hrtime.bigint();
  const code = await runContainer(port, {
    id,
    bundle,
    stateRoot: '/run/caisson-bench',
    warn: () => undefined,
  });
  const took = process.hrtime.bigint() - start;
  if (code !== 0) throw new Error(`true ended with ${code}`);
  process.stdout.write(`${took}\n`);
}
