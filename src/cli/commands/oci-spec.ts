// `caisson oci spec`: the configuration to begin with, the one that runc writes.

import { boolean, value } from '../../frontends/flag.ts';
import { exampleSpec } from '../../spec/defaults.ts';
import { CaissonError } from '../../spec/error.ts';
import { stringifyJson } from '../../spec/json.ts';
import { type Command, flagOn, flagText } from '../command.ts';

export const command: Command = {
  name: 'oci spec',
  summary: 'Create a new specification file',
  usage: '[OPTIONS]',
  flags: [
    value('bundle', 'Directory of the bundle', {
      short: 'b',
      takes: 'DIR',
      fallback: '.',
      completes: 'directory',
    }),
    boolean('rootless', 'For an ordinary user'),
  ],
  arguments: [0, 0],
  singleDash: true,
  run: (parsed, { port }) => {
    const bundle = flagText(parsed, 'bundle') ?? '.';
    const path = `${bundle}/config.json`;
    if (port.stat(path) !== undefined) {
      throw new CaissonError(`${path} exists: remove it first`, { code: 'EEXIST', exitCode: 1 });
    }
    if (port.stat(bundle)?.type !== 'directory') {
      throw new CaissonError(`${bundle} is not a directory`, { code: 'ENOBUNDLE', exitCode: 1 });
    }
    const spec = exampleSpec(flagOn(parsed, 'rootless') ? { uid: port.uid, gid: port.gid } : undefined);
    port.replaceFile(path, `${stringifyJson(spec, '\t')}\n`, 0o644);
    return 0;
  },
};
