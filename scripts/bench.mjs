// `npm run bench`: sets up with the peers and runs bench/main.ts, or `npm run bench -- images` bench/images.ts.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { makePeers } from './peers.mjs';
import { setUp } from './setup.mjs';
import { asProgram, root, run } from './stage.mjs';

await asProgram(import.meta.url, (args) => {
  setUp('test');
  if (process.getuid() === 0) makePeers();
  const [name, rest] = args[0] === 'images' ? ['images', args.slice(1)] : ['main', args];
  const program = join(root, `build/bench/${name}.js`);
  if (!existsSync(program)) throw new Error(`there is no bench/${name}.ts`);
  run(process.execPath, ['--enable-source-maps', program, ...rest]);
});
