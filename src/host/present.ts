// The port of a program that lives on: its working directory and environment are not those of its start.
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../linux/bytes.ts';
import { workingDirectory } from './files.ts';
import type { Port } from './port.ts';

/** `port` with the directory and the variables that the program has now. */
export function presentPort(port: Port): Port {
  const changing = {
    cwd: { get: workingDirectory },
    environment: { get: () => presentEnvironment(port.environment) },
  };
  // Not a copy: some of a port's properties are got when they are asked for.
  return Object.create(port, changing) as Port;
}

/** process.env; a variable that is as it was at the start keeps its bytes, which process.env has decoded. */
function presentEnvironment(atStart: readonly Bytes[]): Bytes[] {
  const first = new Map(atStart.map((entry) => [bytesToUtf8(entry), entry]));
  return Object.entries(process.env).map(([name, value]) => {
    const entry = `${name}=${value ?? ''}`;
    return first.get(entry) ?? utf8ToBytes(entry);
  });
}
