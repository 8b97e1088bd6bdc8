// A program for the embedded QuickJS: walks through its port and prints what it found.
import { runAsProgram } from '../../src/host/quickjs.ts';
import { exercise } from './port-exercise.ts';

runAsProgram(async (port) => {
  const [directory = ''] = port.arguments;
  try {
    const lines = await exercise(port, directory);
    for (const line of lines) port.write(1, `${line}\n`);
    return 0;
  } catch (error) {
    port.write(2, error instanceof Error ? `${error.message}\n${error.stack}` : String(error));
    return 1;
  }
});
