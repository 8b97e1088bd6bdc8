// `rename`: another name for a container, whether it runs or not.
//
// The new name is taken first, by symlink(2), so that of two commands one gets it; the old one goes last. A command that
// is killed in between leaves a container with two names, of which the file says the right one.
import { checkName } from '../../frontends/docker/settings.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { withContainer } from '../../runtime/container.ts';
import { write } from '../../runtime/state.ts';
import { CaissonError } from '../../spec/error.ts';
import { replaceContainerFile } from './container-file.ts';
import type { Engine } from './engine.ts';
import { runs, viewAgain } from './files.ts';
import { findId } from './find.ts';
import { releaseName, takeName } from './names.ts';
import { withPlace } from './place-lock.ts';

/** Throws CaissonError `ENOTFOUND`, `EUSAGE` for a name that is none, `ECONFLICT` for one that is taken. */
export async function renameContainer(engine: Engine, text: Bytes, wanted: Bytes): Promise<void> {
  const id = findId(engine, text);
  const name = wanted.startsWith('/') ? wanted.slice(1) : wanted;
  checkName(name);
  await withPlace(engine, id, async ({ player }) => {
    const view = viewAgain(engine, id);
    const { file } = view;
    if (file.name === name) {
      throw new CaissonError('Renaming a container with the same name as its current name', {
        code: 'EUSAGE',
        exitCode: 1,
      });
    }
    await takeName(engine, player, name, id);
    try {
      replaceContainerFile(engine, { ...file, name, flags: { ...file.flags, name } });
    } catch (error) {
      releaseName(engine, name, id);
      throw error;
    }
    releaseName(engine, file.name, id);
    if (runs(view)) await renameRun(engine, id, name);
  });
}

/** The record of a run has the name, too: commands about cgroups look there. */
async function renameRun({ port, stateRoot }: Engine, id: Bytes, name: Bytes): Promise<void> {
  try {
    await withContainer(port, { stateRoot, id }, 'exclusive', async ({ container }) => {
      write(port, stateRoot, { ...container.record, name });
    });
  } catch (error) {
    // It has ended meanwhile.
    if (!(error instanceof CaissonError) || error.code !== 'ENOTFOUND') throw error;
  }
}
