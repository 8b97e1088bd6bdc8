// Credential helpers: programs named docker-credential-NAME that keep passwords (github.com/docker/docker-credential-helpers).

import type { Port } from '../../host/port.ts';
import { type Bytes, bytesToUtf8, utf8ToBytes } from '../../linux/bytes.ts';
import { isObject } from '../../spec/check.ts';
import { CaissonError } from '../../spec/error.ts';
import { parseJson, stringifyJson } from '../../spec/json.ts';
import { oneLine, type Secrets } from '../http/redaction.ts';
import type { Credentials } from './credentials.ts';

/** A helper may ask a person for a passphrase. */
const TIMEOUT = 120_000;

/** The user name by which a helper says that the secret is an identity token. */
const TOKEN_USER = '<token>';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** What a helper must not be told: it would decide what code runs in it. */
const LOADER_VARIABLES =
  /^(?:LD_|DYLD_|GCONV_PATH=|NODE_OPTIONS=|BUN_|PYTHON(?:PATH|STARTUP|HOME)=|PERL5|RUBY|BASH_ENV=|ENV=|IFS=)/;

export class CredentialHelper {
  private readonly port: Port;
  private readonly name: string;
  private readonly secrets: Secrets;

  constructor(port: Port, name: string, secrets: Secrets) {
    this.port = port;
    this.name = name;
    this.secrets = secrets;
  }

  /** The credentials for a server name; undefined when the helper has none. Throws CaissonError `ECREDHELPER`. */
  async get(server: string): Promise<Credentials | undefined> {
    const { exitCode, stdout, stderr } = await this.run('get', utf8ToBytes(server));
    if (exitCode !== 0) {
      const said = `${stdout}${stderr}`;
      if (/credentials not found|no credentials server URL|no usernames? for/i.test(said)) return undefined;
      throw this.failed('get', said);
    }
    const answer = this.parse(stdout);
    const user = typeof answer.Username === 'string' ? bytesToUtf8(answer.Username) : '';
    const secret = typeof answer.Secret === 'string' ? bytesToUtf8(answer.Secret) : '';
    if (secret === '') return undefined;
    this.secrets.add(secret, user);
    return user === TOKEN_USER
      ? { kind: 'identity', token: secret }
      : { kind: 'password', user, password: secret };
  }

  /** Keeps credentials. Throws CaissonError `ECREDHELPER`. */
  async store(server: string, credentials: Credentials): Promise<void> {
    const [user, secret] =
      credentials.kind === 'password'
        ? [credentials.user, credentials.password]
        : [TOKEN_USER, credentials.token];
    const input = {
      ServerURL: utf8ToBytes(server),
      Username: utf8ToBytes(user),
      Secret: utf8ToBytes(secret),
    };
    const { exitCode, stdout, stderr } = await this.run('store', stringifyJson(input));
    if (exitCode !== 0) throw this.failed('store', `${stdout}${stderr}`);
  }

  /** Forgets credentials; false when there were none. Throws CaissonError `ECREDHELPER`. */
  async erase(server: string): Promise<boolean> {
    const { exitCode, stdout, stderr } = await this.run('erase', utf8ToBytes(server));
    if (exitCode === 0) return true;
    const said = `${stdout}${stderr}`;
    if (/credentials not found/i.test(said)) return false;
    throw this.failed('erase', said);
  }

  private async run(action: string, stdin: Bytes) {
    const program = this.find();
    const env = this.port.environment.filter((entry) => !LOADER_VARIABLES.test(entry));
    return this.port.spawn(program, [action], { env, cwd: '/', stdin: `${stdin}\n`, timeout: TIMEOUT });
  }

  /** In the directories of the caller's PATH, as docker does; absolute ones only. */
  private find(): Bytes {
    if (!NAME.test(this.name)) {
      throw new CaissonError(`${JSON.stringify(oneLine(this.name, 80))} is no name of a credential helper`, {
        code: 'ECREDHELPER',
      });
    }
    const program = `docker-credential-${this.name}`;
    const path =
      this.port.environment.find((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? '';
    for (const folder of path.split(':')) {
      if (!folder.startsWith('/')) continue;
      const stat = this.port.stat(`${folder}/${program}`);
      if (stat?.type === 'file' && (stat.mode & 0o111) !== 0) return `${folder}/${program}`;
    }
    throw new CaissonError(`the credential helper ${program} is not installed`, {
      code: 'ECREDHELPER',
      details: ['config.json names it in credsStore or credHelpers; it was looked for in PATH'],
    });
  }

  private parse(stdout: Bytes): { readonly [name: string]: unknown } {
    let value: unknown;
    try {
      value = parseJson(stdout);
    } catch {
      // Its text is a secret.
    }
    if (isObject(value)) return value;
    throw new CaissonError(`docker-credential-${this.name} answers something else than JSON`, {
      code: 'ECREDHELPER',
    });
  }

  private failed(action: string, said: Bytes): CaissonError {
    const text = this.secrets.redact(oneLine(bytesToUtf8(said), 200));
    return new CaissonError(
      `docker-credential-${this.name} ${action} failed${text === '' ? '' : `: ${text}`}`,
      {
        code: 'ECREDHELPER',
      },
    );
  }
}
