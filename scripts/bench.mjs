// `npm run bench`: sets up with the peers and runs bench/main.ts; `npm run bench -- images` or `engine` those.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { makePeers } from './peers.mjs';
import { setUp } from './setup.mjs';
import { asProgram, root, run } from './stage.mjs';

await asProgram(import.meta.url, (args) => {
  setUp('test');
  if (process.getuid() === 0) makePeers();
  const own = args[0] === 'images' || args[0] === 'engine';
  const [name, rest] = own ? [args[0], args.slice(1)] : ['main', args];
  const program = join(root, `build/bench/${name}.js`);
  if (!existsSync(program)) throw new Error(`there is no bench/${name}.ts`);
  run(process.execPath, ['--enable-source-maps', program, ...rest]);
});
