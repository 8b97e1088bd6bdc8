// `caisson login`.
import { login, loginHost, serverTitle } from '../../engine/images/login.ts';
import { boolean, value } from '../../frontends/flag.ts';
import { bytesToUtf8 } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import { type Command, flagOn, flagText, type Parsed } from '../command.ts';
import type { Context } from '../context.ts';
import { ending } from '../image-shop.ts';
import { ask } from '../prompt.ts';

export const command: Command = {
  name: 'login',
  summary: 'Authenticate to a registry',
  usage: '[OPTIONS] [SERVER]',
  description:
    "Credentials are tried first, and kept as docker keeps them: with the helper that docker's config.json names,\n" +
    'else in that file. Without a server, Docker Hub is meant.',
  examples: ['cat password | caisson login --username me --password-stdin registry.example:5000'],
  flags: [
    value('password', 'Password or Personal Access Token (PAT)', { short: 'p' }),
    boolean('password-stdin', 'Take the Password or Personal Access Token (PAT) from stdin'),
    value('username', 'Username', { short: 'u' }),
  ],
  arguments: [0, 1],
  run: ending(async (parsed, context) => {
    const host = loginHost(parsed.positionals[0]);
    const { user, password } = await credentials(parsed, context, serverTitle(host));
    const place = await login(context.port, host, bytesToUtf8(user), bytesToUtf8(password));
    if (!place.startsWith('docker-credential-')) {
      context.warn(
        `your credentials are stored unencrypted in '${place}'; a credential helper keeps them safer`,
      );
    }
    context.out('Login Succeeded');
  }),
};

interface Entered {
  readonly user: string;
  readonly password: string;
}

async function credentials(parsed: Parsed, context: Context, server: string): Promise<Entered> {
  const user = flagText(parsed, 'username');
  const given = flagText(parsed, 'password');
  const fromInput = flagOn(parsed, 'password-stdin');
  if (given !== undefined && fromInput)
    throw new CaissonError('conflicting options: cannot specify both --password and --password-stdin', {
      code: 'EUSAGE',
    });
  if (fromInput) {
    if (user === undefined)
      throw new CaissonError('the --password-stdin option requires --username to be set', { code: 'EUSAGE' });
    return { user, password: context.port.readInput().replace(/\r?\n$/, '') };
  }
  if (given !== undefined) {
    context.warn('using --password via the CLI is insecure. Use --password-stdin');
    if (user !== undefined) return { user, password: given };
  }
  if (context.port.terminal === undefined) {
    throw new CaissonError('cannot perform an interactive login from a non TTY device', {
      code: 'EUSAGE',
      exitCode: 1,
      details: ['pass --username and --password-stdin'],
    });
  }
  context.out(`Authenticating to ${server}`);
  const name = user ?? (await ask(context, 'Username: '));
  const password = given ?? (await ask(context, 'Password: ', true));
  if (name === '' || password === '')
    throw new CaissonError('username and password must not be empty', { code: 'EUSAGE', exitCode: 1 });
  return { user: name, password };
}
