// `create`: a container up to the start of its program (runtime-spec runtime.md, Create).

import { createContainer } from '../../runtime/create.ts';
import type { OciCommand } from '../command.ts';
import { CREATE_FLAGS, createOptions } from '../create-options.ts';
import { besideSocket } from '../readiness.ts';

export const command: OciCommand = {
  name: 'create',
  summary: 'Create a container',
  usage: '<container-id>',
  description: `Makes the container of a bundle. All of it exists afterwards but its program, which \`start\` starts. The id is
a name of your choice: letters, digits, "_", "+", "-" and ".".`,
  flags: CREATE_FLAGS,
  arguments: [1, 1],
  failure: 'runc create failed: ',
  run: async (invocation) => {
    const { port } = invocation;
    const options = createOptions(invocation);
    await besideSocket(port, options, () => createContainer(port, options));
    return 0;
  },
};
