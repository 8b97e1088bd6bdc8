// `caisson exec`.
import { execInContainer } from '../../engine/containers/exec.ts';
import { boolean, flagValues, list, value } from '../../frontends/flag.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Command } from '../command.ts';
import { containerEngine } from '../container-engine.ts';
import type { Context } from '../context.ts';

const FLAGS = [
  boolean('detach', 'Detached mode: run command in the background', { short: 'd' }),
  value('detach-keys', 'Override the key sequence for detaching a container'),
  list('env', 'Set environment variables', { short: 'e' }),
  list('env-file', 'Read in a file of environment variables', { completes: 'file' }),
  boolean('interactive', 'Keep STDIN open even if not attached', { short: 'i' }),
  boolean('privileged', 'Give extended privileges to the command'),
  boolean('tty', 'Allocate a pseudo-TTY', { short: 't' }),
  value('user', 'Username or UID (format: "<name|uid>[:<group|gid>]")', { short: 'u' }),
  value('workdir', 'Working directory inside the container', { short: 'w' }),
] as const;

export const command: Command = {
  name: 'exec',
  summary: 'Execute a command in a running container',
  usage: '[OPTIONS] CONTAINER COMMAND [ARG...]',
  description: '',
  examples: ['caisson exec -it web sh', 'caisson exec -u postgres db psql -c "select 1"'],
  flags: FLAGS,
  arguments: [2, Number.POSITIVE_INFINITY],
  stopsAtPositional: true,
  run: async (parsed, context) => {
    const flags = flagValues(FLAGS, parsed.flags);
    const [name = '', ...args] = parsed.positionals;
    const { interactive = false, tty = false, detach = false, privileged = false } = flags;
    if (tty && interactive && !detach && context.port.terminal === undefined) {
      throw new CaissonError('the input device is not a TTY: leave out -t, or -i', {
        code: 'EUSAGE',
        exitCode: 1,
        sources: ['--interactive', '--tty'],
      });
    }
    const engine = await containerEngine(context);
    return await execInContainer(engine, name, {
      ...{ args, tty: tty && !detach, interactive, detach, privileged },
      user: flags.user,
      workdir: flags.workdir,
      env: [
        ...(flags.envFile ?? []).flatMap((path) => fileEntries(context, path)),
        ...withValues(context, flags.env),
      ],
    });
  },
};

/** A name alone stands for this command's own variable. */
function withValues({ port }: Context, entries: readonly Bytes[] = []): Bytes[] {
  return entries.flatMap((entry) => {
    if (entry.includes('=')) return [entry];
    return port.environment.find((own) => own.startsWith(`${entry}=`)) ?? [];
  });
}

function fileEntries(context: Context, path: Bytes): Bytes[] {
  const { port } = context;
  const text = port.readFile(path.startsWith('/') ? path : `${port.cwd}/${path}`);
  if (text === undefined)
    throw new CaissonError(`open ${path}: no such file or directory`, { code: 'EUSAGE', exitCode: 1 });
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  return withValues(context, lines);
}
