// T27: keys of the caller's session are not in the container.
import { attack } from './attack.ts';

const KEY = 'caisson-attack-key';

attack({
  id: 'T27',
  title: 'a key in the session keyring of the caller is not found inside',
  modes: ['R', 'L', 'U'],
  caught: [
    ['the session keyring of the caller', 'R'],
    ['the session keyring of the caller', 'L'],
  ],
  run: (arena) => {
    const prefix = [arena.probe, 'key-join', KEY];
    // Without the filter of the command line, which refuses keyctl(2) anyhow.
    const { stdout } = arena.oci({}, `probe key-search ${KEY}`, { prefix });
    const filtered = arena.runDefault([], ['/bin/probe', 'key-search', KEY], { prefix }).stdout;
    return [stdout, filtered].filter((output) => !output.startsWith('absent '));
  },
});
