// `npm run bench`: sets up with the peers and runs bench/main.ts with the arguments given.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { makePeers } from './peers.mjs';
import { setUp } from './setup.mjs';
import { asProgram, root, run } from './stage.mjs';

await asProgram(import.meta.url, (args) => {
  setUp('test');
  if (process.getuid() === 0) makePeers();
  const program = join(root, 'build/bench/main.js');
  if (!existsSync(program)) throw new Error('there is no bench/main.ts');
  run(process.execPath, ['--enable-source-maps', program, ...args]);
});
