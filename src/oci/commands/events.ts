// `events`: what a container uses, now and then or once, and when the kernel has killed for want of memory.

import { boolean, value } from '../../frontends/flag.ts';
import { parseDuration } from '../../frontends/number.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { containerStatistics, watchEvents } from '../../runtime/events.ts';
import { CaissonError } from '../../spec/error.ts';
import { type OciCommand, usageError } from '../command.ts';
import { goJson } from '../go-json.ts';

export const command: OciCommand = {
  name: 'events',
  summary: 'Show statistics of a container, and when it is out of memory',
  usage: '<container-id>',
  description: `Prints a line of JSON every five seconds, and one whenever the kernel has killed a process of the container for
want of memory, until the container has ended.`,
  flags: [
    value('interval', 'Time between two statistics, as 500ms or 5s', { takes: 'DURATION', fallback: '5s' }),
    boolean('stats', 'Print the statistics once and leave'),
  ],
  arguments: [1, 1],
  run: async ({ port, parsed, target, out }) => {
    const container = target();
    const interval = milliseconds(parsed.text('interval') ?? '5s');
    if (parsed.on('stats')) out(`${goJson(containerStatistics(port, container))}\n`);
    else await watchEvents(port, container, interval, (event) => out(`${goJson(event)}\n`));
    return 0;
  },
};

/** Go's durations: a number with a unit, or several. */
function milliseconds(text: Bytes): number {
  if (/^-|^\+?0+(?:[a-z]|$)/.test(text)) {
    throw new CaissonError('duration interval must be greater than 0', { code: 'EUSAGE' });
  }
  const parsed = /^[0-9.]+$/.test(text) ? undefined : parseDuration(text);
  if (parsed === undefined) throw usageError(`invalid value "${text}" for flag -interval: not a duration`);
  // Less than a millisecond is a millisecond.
  return Math.max(1, parsed);
}
