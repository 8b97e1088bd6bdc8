// A program for Node and Bun: walks through the port of the engine it runs under and prints what it found.
import { readFileSync } from 'node:fs';
import { exercise } from './port-exercise.ts';

const [launcher = '', init = '', directory = ''] = process.argv.slice(2);

async function open() {
  if (process.versions.bun === undefined)
    return (await import('../../src/host/node.ts')).nodePort({ launcher, init });
  const { bunPort } = await import('../../src/host/bun.ts');
  return bunPort({ launcher: () => readFileSync(launcher), init: () => readFileSync(init) });
}

const port = await open();
for (const line of await exercise(port, directory)) port.write(1, `${line}\n`);
