// `caisson restart`.
import { findContainer } from '../../engine/containers/find.ts';
import { startContainer } from '../../engine/containers/start.ts';
import { stopContainer } from '../../engine/containers/stop.ts';
import { tellContainer } from '../../engine/events/tell.ts';
import { flagValues, value } from '../../frontends/flag.ts';
import type { Command } from '../command.ts';
import { containerEngine, eachContainer } from '../container-engine.ts';
import { secondsFlag, signalFlag } from '../signal-flag.ts';

const FLAGS = [
  value('signal', 'Signal to send to the container', { short: 's' }),
  value('timeout', 'Seconds to wait before killing the container', { short: 't', takes: 'int' }),
] as const;

export const command: Command = {
  name: 'restart',
  summary: 'Restart one or more containers',
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  description: '',
  examples: ['caisson restart web'],
  flags: FLAGS,
  arguments: [1, Number.POSITIVE_INFINITY],
  run: async (parsed, context) => {
    const flags = flagValues(FLAGS, parsed.flags);
    const options = {
      timeout: secondsFlag('restart', flags.timeout),
      signal: signalFlag('restart', flags.signal),
    };
    const engine = await containerEngine(context);
    return await eachContainer(context, parsed.positionals, async (name) => {
      const { file } = findContainer(engine, name);
      await stopContainer(engine, file.id, options);
      await startContainer(engine, file.id);
      tellContainer(engine, 'restart', file);
      return name;
    });
  },
};
