// `--ssh`: agents that RUN may ask to sign. Of key files an agent of the build's own is made, OpenSSH's, when it is needed.
//
// The keys are given to it by its standard input and never lie in a directory of ours. It runs on a pipe of this program,
// so that it ends with the build however that ends (ssh-agent(1) looks for the program that it was begun with).
import type { Session } from '../../build/cache/session.ts';
import { type HeldProgram, holdProgram } from '../../host/hold.ts';
import type { Port } from '../../host/port.ts';
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';

export interface Agents {
  /** The path of an agent's socket; undefined for one that was not given. Throws CaissonError `EAGENT`. */
  socket(id: string): Promise<Bytes | undefined>;
  close(): Promise<void>;
}

type Source = { readonly socket: Bytes } | { readonly keys: readonly Bytes[] };

const KEY_LIMIT = 64 << 10;
const TIMEOUT = 20_000;
const SOCKET = 'agent';

/** Throws CaissonError `EUSAGE` for what is neither a socket nor keys. */
export function buildAgents(port: Port, session: Session, flags: readonly Bytes[]): Agents {
  const sources = new Map(flags.map((text) => sourceOf(port, bytesToUtf8(text))));
  const begun = new Map<string, Promise<{ readonly socket: Bytes; readonly held: HeldProgram }>>();
  return {
    socket: async (id) => {
      const source = sources.get(id);
      if (source === undefined || 'socket' in source) return source?.socket;
      const known = begun.get(id) ?? begin(port, session.room('agent'), source.keys);
      begun.set(id, known);
      return (await known).socket;
    },
    close: async () => {
      for (const each of begun.values()) {
        const agent = await each.catch(() => undefined);
        if (agent !== undefined) await end(port, agent.held);
      }
    },
  };
}

function wrong(text: string, why: string): CaissonError {
  return new CaissonError(utf8ToBytes(`invalid --ssh ${text}: ${why}`), { code: 'EUSAGE' });
}

/** `default`, `ID`, `ID=SOCKET`, `ID=KEY[,KEY]`. */
function sourceOf(port: Port, text: string): [string, Source] {
  const equals = text.indexOf('=');
  const id = equals < 0 ? text : text.slice(0, equals);
  const variable = port.environment.find((entry) => entry.startsWith('SSH_AUTH_SOCK='))?.slice(14) ?? '';
  const given = equals < 0 ? [variable] : utf8ToBytes(text.slice(equals + 1)).split(',');
  if (given.some((path) => path === ''))
    throw wrong(text, equals < 0 ? 'there is no agent: SSH_AUTH_SOCK is not set' : 'a path is empty');
  const paths = given.map((path) => (path.startsWith('/') ? path : `${port.cwd}/${path}`));
  const types = paths.map((path) => port.stat(path)?.type);
  const [first = ''] = paths;
  if (types[0] === 'socket' && types.length === 1) return [id, { socket: first }];
  if (types.every((type) => type === 'file')) return [id, { keys: paths }];
  if (types.includes('socket')) throw wrong(text, 'only one socket, or keys, may be given');
  const odd = given[types.findIndex((type) => type !== 'file')] ?? '';
  throw wrong(text, `${bytesToUtf8(odd)} is neither the socket of an agent nor a key`);
}

function failed(what: string, details: readonly Bytes[]): CaissonError {
  return new CaissonError(utf8ToBytes(what), { code: 'EAGENT', exitCode: 1, details });
}

function program(port: Port, name: string): Bytes {
  const found = port.findProgram(name);
  if (found !== undefined) return found;
  throw failed(`--ssh with keys needs the program ${name}`, ['Debian: apt install openssh-client']);
}

/** In `room`, as its current directory: the path of a socket may have 107 bytes only (unix(7)). */
async function begin(port: Port, room: Bytes, keys: readonly Bytes[]) {
  const [agent, add, cat] = [program(port, 'ssh-agent'), program(port, 'ssh-add'), program(port, 'cat')];
  const held = await holdProgram(agent, ['-a', SOCKET, cat], { env: { LC_ALL: 'C' }, cwd: room });
  try {
    const socket = `${room}/${SOCKET}`;
    const since = Date.now();
    // There is a socket a moment before anybody answers on it.
    while (port.stat(socket)?.type !== 'socket' || !(await answers(port, add, room))) {
      if (held.ended() !== undefined || Date.now() - since > TIMEOUT)
        throw failed(`ssh-agent does not start: ${held.ended() ?? 'it does not answer'}`, []);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (const path of keys) await addKey(port, add, room, path);
    return { socket, held };
  } catch (error) {
    await end(port, held);
    throw error;
  }
}

/** ssh-add(1): 2 where the agent cannot be reached, 1 where it has no keys. */
async function answers(port: Port, add: Bytes, room: Bytes): Promise<boolean> {
  const env = [`SSH_AUTH_SOCK=${SOCKET}`, 'LC_ALL=C'];
  const { exitCode } = await port.spawn(add, ['-l'], { env, cwd: room, timeout: TIMEOUT });
  return exitCode === 0 || exitCode === 1;
}

async function addKey(port: Port, add: Bytes, room: Bytes, path: Bytes): Promise<void> {
  const content = port.readFile(path, KEY_LIMIT);
  if (content === undefined) throw failed(`${bytesToUtf8(path)}: the key cannot be read`, []);
  // Nobody is asked for a passphrase.
  const env = [`SSH_AUTH_SOCK=${SOCKET}`, 'SSH_ASKPASS=/bin/false', 'SSH_ASKPASS_REQUIRE=force', 'LC_ALL=C'];
  const ended = await port.spawn(add, ['-q', '-'], { env, cwd: room, stdin: content, timeout: TIMEOUT });
  if (ended.exitCode === 0) return;
  const said = ended.stderr
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(0, 3);
  throw failed(`${bytesToUtf8(path)}: no key that an agent takes`, [
    ...said,
    'keys with a passphrase: start ssh-agent, add it with ssh-add, and give --ssh the socket',
  ]);
}

/** The agent is the child of the program that it was begun with, and would look for that every ten seconds only. */
async function end(port: Port, held: HeldProgram): Promise<void> {
  const children = (port.readFile(`/proc/${held.pid}/task/${held.pid}/children`) ?? '').trim().split(' ');
  for (const child of children) if (/^\d+$/.test(child)) process.kill(Number(child), 'SIGTERM');
  await held.release();
}
