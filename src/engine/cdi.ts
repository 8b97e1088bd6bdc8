// The specifications of CDI devices on this machine, and a run's flags with what they ask for.
import { type CdiFile, cdiWishes, withCdiEdits } from '../frontends/docker/cdi.ts';
import type { RunFlags } from '../frontends/docker/run-flags.ts';
import type { Port } from '../host/port.ts';
import { type Bytes, bytesToUtf8 } from '../linux/bytes.ts';
import { CaissonError } from '../spec/error.ts';
import { parseJson } from '../spec/json.ts';

/** Of the administrator, then those that programs write at each start of the machine, which count more. */
const DIRECTORIES = ['/etc/cdi', '/var/run/cdi'];
const LIMIT = 4 << 20;

/**
 * The flags as they are without CDI devices, else with those replaced by plain flags. Throws CaissonError `ECDI` where a
 * device or its specification cannot be had.
 */
export async function resolveCdi(port: Port, flags: RunFlags): Promise<RunFlags> {
  const wishes = cdiWishes(flags);
  if (wishes.length === 0) return flags;
  const files: CdiFile[] = [];
  for (const directory of DIRECTORIES) {
    for (const name of [...port.list(directory)].sort()) {
      const path = `${directory}/${name}`;
      if (/\.json$/.test(name))
        files.push({ path, document: parsed(path, () => parseJson(read(port, path), path)) });
      if (/\.ya?ml$/.test(name)) files.push({ path, document: await yaml(path, read(port, path)) });
    }
  }
  return withCdiEdits(flags, wishes, files);
}

function read(port: Port, path: Bytes): Bytes {
  return port.readFile(path, LIMIT) ?? '{}';
}

/** By the library `yaml`: anchors, tags and block scalars are nothing to read by hand. */
async function yaml(path: Bytes, text: Bytes): Promise<unknown> {
  const { parse } = await import('yaml');
  return parsed(path, () => parse(bytesToUtf8(text), { maxAliasCount: 100 }));
}

function parsed(path: Bytes, parse: () => unknown): unknown {
  try {
    return parse();
  } catch (error) {
    if (error instanceof CaissonError) throw error;
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    throw new CaissonError(`${path}: ${reason}`, { code: 'ECDI', sources: [path], cause: error });
  }
}
