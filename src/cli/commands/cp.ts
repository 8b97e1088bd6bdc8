// `caisson cp`.
import { copyFromHost, copyFromStream, copyToHost, copyToStream } from '../../engine/containers/copy.ts';
import { parseSide, type Side } from '../../engine/containers/copy-rules.ts';
import { refuseTerminal, writeOutput } from '../../engine/images/streams.ts';
import { boolean, flagValues } from '../../frontends/flag.ts';
import { decompress } from '../../image/layer/decompress.ts';
import type { Bytes } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { OCI_LAYER } from '../../spec/media-types.ts';
import type { Command } from '../command.ts';
import { containerEngine } from '../container-engine.ts';
import type { Context } from '../context.ts';
import { humanSize } from '../human.ts';
import { ending } from '../image-shop.ts';
import { isOutputTerminal } from '../terminal.ts';

const FLAGS = [
  boolean('archive', 'Archive mode (copy all uid/gid information)', { short: 'a' }),
  boolean('follow-link', 'Always follow symbol link in SRC_PATH', { short: 'L' }),
  boolean(
    'quiet',
    'Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached',
    {
      short: 'q',
    },
  ),
] as const;

export const command: Command = {
  name: 'cp',
  summary: 'Copy files/folders between a container and the local filesystem',
  usage:
    '[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n        caisson cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH',
  description:
    "Use '-' as the source to read a tar archive from stdin and extract it to a directory destination in a container.\n" +
    "Use '-' as the destination to stream a tar archive of a container source to stdout.\n" +
    'The container may be running, stopped, or merely created.',
  examples: ['caisson cp web:/etc/nginx/nginx.conf .', 'caisson cp ./site/. web:/srv/www'],
  flags: FLAGS,
  arguments: [2, 2],
  run: ending(async (parsed, context) => {
    const flags = flagValues(FLAGS, parsed.flags);
    const [source, destination] = parsed.positionals.map(parseSide) as [Side, Side];
    const options = { archive: flags.archive === true, followLink: flags.followLink === true };
    const size = await copy(context, source, destination, options);
    const quiet = flags.quiet ?? !isOutputTerminal();
    if (size !== undefined && !quiet) {
      const to = parsed.positionals[1] as Bytes;
      context.port.write(2, `Successfully copied ${humanSize(size, 3)} to ${to}\n`);
    }
  }),
};

async function copy(
  context: Context,
  source: Side,
  destination: Side,
  options: { readonly archive: boolean; readonly followLink: boolean },
): Promise<number | undefined> {
  if (source.kind === 'container' && destination.kind === 'container')
    throw wrong('copying between containers is not supported');
  const engine = await containerEngine(context);
  const { port } = context;
  if (source.kind === 'container') {
    if (destination.kind === 'host')
      return await copyToHost(engine, source.container, source.path, destination.path, options);
    refuseTerminal(isOutputTerminal(), 'copy');
    await copyToStream(engine, source.container, source.path, options, (archive) =>
      writeOutput(port, undefined, archive),
    );
    return undefined;
  }
  if (destination.kind !== 'container') throw wrong('must specify at least one container source');
  if (source.kind === 'host')
    return await copyFromHost(engine, source.path, destination.container, destination.path, options);
  const input = port.readInputChunks?.() ?? port.readChunks('/proc/self/fd/0');
  return await copyFromStream(engine, destination.container, destination.path, decompress(input, OCI_LAYER));
}

function wrong(message: string): CaissonError {
  return new CaissonError(message, { code: 'EUSAGE', exitCode: 1 });
}
