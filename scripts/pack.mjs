// Gathers what `npm pack` packs beside the compiled JavaScript: the static programs for x64 and arm64, and their hashes.
//
//   node scripts/pack.mjs     writes build/programs; npm runs it before it packs (`prepack`)

import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asProgram, root } from './stage.mjs';

const PROGRAMS = ['launcher', 'init', 'monitor'];
/** What set-up calls the programs of the other processor. */
const FOREIGN = { x64: 'x86_64', arm64: 'aarch64' };

/** Copies them, and records their hashes. Throws where one has not been built. */
export function gatherPrograms() {
  const target = join(root, 'build/programs');
  rmSync(target, { recursive: true, force: true });
  const hashes = {};
  for (const arch of Object.keys(FOREIGN)) {
    mkdirSync(join(target, arch), { recursive: true });
    for (const name of PROGRAMS) {
      const source = join(root, 'build', arch === process.arch ? name : `${name}-${FOREIGN[arch]}`);
      if (!existsSync(source))
        throw new Error(
          `${source} is missing: install the cross compiler and run \`node scripts/setup.mjs test\``,
        );
      copyFileSync(source, join(target, arch, name));
      chmodSync(join(target, arch, name), 0o755);
      hashes[`${arch}/${name}`] = createHash('sha256').update(readFileSync(source)).digest('hex');
    }
  }
  writeFileSync(join(target, 'hashes.json'), `${JSON.stringify(hashes, null, 2)}\n`);
  chmodSync(join(root, 'build/src/cli/main.js'), 0o755);
}

await asProgram(import.meta.url, () => gatherPrograms());
