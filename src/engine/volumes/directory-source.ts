// The files of a directory of the host, `--rootfs DIR`, for volumes that begin with some of them.
import { openFlags } from '../../linux/abi/index.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { O_CLOEXEC, O_RDONLY } from '../../linux/constants/open.ts';
import { slot } from '../../plan/call.ts';
import { slotValue } from '../../plan/encode.ts';
import { step } from '../../plan/step.ts';
import * as sys from '../../plan/syscalls.ts';
import type { CopySource } from './copy-up.ts';

const { O_DIRECTORY } = openFlags('x86_64');

export function directorySource(path: Bytes): CopySource {
  return {
    view: async (player) => {
      const root = slot('root', { reply: true });
      const { batch, answer } = await player.play([
        step('parent', 'root', `open ${path}`, '/root/path', [
          sys.openat(sys.AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, { result: root }),
        ]),
      ]);
      return slotValue(batch, answer, root);
    },
  };
}
