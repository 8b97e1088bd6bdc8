// File systems that are made for one measurement each: whoever comes second must not pay for what the first has left.
//
// An ext4 without a journal, as some machines have, looks at every inode that was deleted in the last minutes before it
// makes a new one (ext4, recently_deleted). Here nothing is ever deleted: each place is a new ext4 with a journal in a new
// file, and the files stay until all is measured.
import { execFileSync } from 'node:child_process';
import type { Room } from '../test/dropin/room.ts';

/** Of a file system; the file has holes. */
const SIZE = '4G';

export class Places {
  private readonly room: Room;
  private count = 0;

  constructor(room: Room) {
    this.room = room;
  }

  /** Mounts a new file system in the room. Its tables are written, so that the kernel has nothing to do in the background. */
  async make(at: string): Promise<void> {
    const file = `${this.room.directory}/disk-${this.count++}`;
    execFileSync('truncate', ['-s', SIZE, file]);
    execFileSync('mkfs.ext4', ['-q', '-E', 'lazy_itable_init=0,lazy_journal_init=0', file]);
    // Past the page cache of the file below, as a disk would be.
    const device = output('losetup', '--find', '--show', '--direct-io=on', file);
    try {
      await this.room.output(['mkdir', '-p', at]);
      await this.room.output(['mount', '-t', 'ext4', device, at]);
    } finally {
      // Goes with the mount.
      execFileSync('losetup', ['--detach', device]);
    }
    await this.room.output(['sync']);
  }

  /** Unmounts it, with what programs have mounted in it, and not what lies below. */
  async leave(at: string): Promise<void> {
    await this.room.output(['umount', '--lazy', at]);
  }
}

function output(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: 'utf8' }).trim();
}
