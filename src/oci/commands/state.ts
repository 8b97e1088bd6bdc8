// `state`: what a container is and does, as JSON (runtime-spec runtime.md, State).

import { readContainer } from '../../runtime/container.ts';
import type { OciCommand } from '../command.ts';
import { containerState } from '../container-state.ts';
import { goJson } from '../go-json.ts';

export const command: OciCommand = {
  name: 'state',
  summary: 'Show the state of a container',
  usage: '<container-id>',
  flags: [],
  arguments: [1, 1],
  run: ({ port, target, out }) => {
    out(goJson(containerState(readContainer(port, target()), ''), '  '));
    return 0;
  },
};
