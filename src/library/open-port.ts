// The port of the program that uses the library: Node or Bun, on Linux.
import type { Port } from '../host/port.ts';
import { CaissonError } from '../spec/error.ts';

let port: Promise<Port> | undefined;

/** What is to be done on a machine whose kernel is another's. */
const INSTEAD: Readonly<Record<string, string>> = {
  darwin: 'run it in a Linux virtual machine, such as Lima or Colima, or in a container of Docker Desktop',
  win32: 'run it in the Linux of WSL 2 (`wsl --install`)',
};

/**
 * The port, the same each time. Throws CaissonError `EPLATFORM` on other systems than Linux and on other processors than
 * x64 and arm64, `EPROGRAMS` where the static programs of this package are missing or not what they were.
 */
export function openPort(): Promise<Port> {
  port ??= open().catch((error: unknown) => {
    port = undefined;
    throw error;
  });
  return port;
}

async function open(): Promise<Port> {
  if (process.platform !== 'linux') {
    const instead = INSTEAD[process.platform] ?? 'run it on Linux, or in a Linux virtual machine';
    throw new CaissonError(`containers need a Linux kernel, and this is ${process.platform}: ${instead}`, {
      code: 'EPLATFORM',
    });
  }
  if (process.arch !== 'x64' && process.arch !== 'arm64') {
    throw new CaissonError(`caisson has programs for x64 and arm64, and this is ${process.arch}`, {
      code: 'EPLATFORM',
    });
  }
  const [{ builtPrograms, readProgram }, { presentPort }] = await Promise.all([
    import('../host/programs.ts'),
    import('../host/present.ts'),
  ]);
  const { launcher, init, monitor } = programs(builtPrograms);
  if (process.versions.bun === undefined)
    return presentPort((await import('../host/node.ts')).nodePort({ launcher, init, monitor }));
  const { bunPort } = await import('../host/bun.ts');
  return presentPort(
    bunPort({
      launcher: () => readProgram(launcher),
      init: () => readProgram(init),
      monitor: () => readProgram(monitor),
    }),
  );
}

/** The programs of this package. Throws CaissonError `EPROGRAMS`. */
function programs<T>(find: () => T): T {
  try {
    return find();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new CaissonError(message, { code: 'EPROGRAMS', cause });
  }
}
