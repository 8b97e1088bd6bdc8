// Stored credentials: which files are read, in which order, and which one login and logout change.

import type { Port } from '../../host/port.ts';
import { type Bytes, bytesToUtf8 } from '../../linux/bytes.ts';
import { CaissonError } from '../../spec/error.ts';
import type { Secrets } from '../http/redaction.ts';
import { codeOf } from '../retry.ts';
import {
  type AuthFile,
  credentialsIn,
  hasEntry,
  helperIn,
  parseAuthFile,
  withCredentials,
} from './auth-file.ts';
import { CredentialHelper } from './credential-helper.ts';
import { normalHost, serverName } from './credential-key.ts';
import type { CredentialAnswer, CredentialSource, Credentials } from './credentials.ts';

const FILE_LIMIT = 8 << 20;
const LINKS_LIMIT = 8;

export interface CredentialPlaces {
  readonly variable: (name: string) => string | undefined;
  readonly home?: Bytes;
  /** `--authfile`. */
  readonly authFile?: Bytes;
}

export class StoredCredentials implements CredentialSource {
  private readonly port: Port;
  private readonly places: CredentialPlaces;
  private readonly secrets: Secrets;

  constructor(port: Port, places: CredentialPlaces, secrets: Secrets) {
    this.port = port;
    this.places = places;
    this.secrets = secrets;
  }

  /** A helper that fails is told in `source`: the request goes on without credentials, and says so if it is refused. */
  async find(host: string, repository: string): Promise<CredentialAnswer> {
    const failures: string[] = [];
    for (const path of this.files()) {
      try {
        const found = await this.findIn(path, host, repository);
        if (found !== undefined) return found;
      } catch (error) {
        if (!(error instanceof CaissonError)) throw error;
        failures.push(error.message);
      }
    }
    if (failures.length > 0) return { source: failures.join('; ') };
    return { source: `nobody is logged in to ${normalHost(host)}: caisson login ${normalHost(host)}` };
  }

  private async findIn(path: Bytes, host: string, repository: string): Promise<CredentialAnswer | undefined> {
    const file = this.read(path);
    if (file === undefined) return undefined;
    const helper = helperIn(file, host);
    const kept = helper === undefined ? undefined : await this.helper(helper.name).get(serverName(host));
    if (kept !== undefined) return { credentials: kept, source: `docker-credential-${helper?.name}` };
    // What is meant to be with a helper of its own is not looked for in the file.
    const credentials = helper?.isOwn === true ? undefined : credentialsIn(file, host, repository);
    return credentials === undefined ? undefined : { credentials, source: bytesToUtf8(path) };
  }

  /** Keeps credentials as docker does: with the helper that the file names, else in the file. The result says where. */
  async store(host: string, credentials: Credentials): Promise<string> {
    const path = this.target();
    const file = this.read(path) ?? { path, document: {} };
    const helper = helperIn(file, host);
    if (helper === undefined) {
      this.write(path, withCredentials(file, host, credentials));
      return bytesToUtf8(path);
    }
    await this.helper(helper.name).store(serverName(host), credentials);
    this.write(path, withCredentials(file, host, 'by-helper'));
    return `docker-credential-${helper.name}`;
  }

  /** Forgets the credentials for a registry; false when there were none in the file or with its helper. */
  async erase(host: string): Promise<boolean> {
    const path = this.target();
    const file = this.read(path);
    if (file === undefined) return false;
    const isListed = hasEntry(file, host);
    const helper = helperIn(file, host);
    const isErased = helper === undefined ? false : await this.helper(helper.name).erase(serverName(host));
    if (isListed) this.write(path, withCredentials(file, host, undefined));
    return isListed || isErased;
  }

  private helper(name: string): CredentialHelper {
    return new CredentialHelper(this.port, name, this.secrets);
  }

  /** The one that was named; else docker's, then podman's (containers-auth.json(5)). */
  private files(): readonly Bytes[] {
    const { variable, home } = this.places;
    const { named } = this;
    if (named !== undefined) return [named];
    const runtime = variable('XDG_RUNTIME_DIR');
    const config = variable('XDG_CONFIG_HOME') || (home === undefined ? undefined : `${home}/.config`);
    return [
      ...this.dockerFile(),
      runtime ? `${runtime}/containers/auth.json` : `/run/containers/${this.port.uid}/auth.json`,
      ...(config === undefined ? [] : [`${config}/containers/auth.json`]),
    ];
  }

  private get named(): Bytes | undefined {
    const { variable, authFile } = this.places;
    return authFile ?? (variable('REGISTRY_AUTH_FILE') || undefined);
  }

  private dockerFile(): readonly Bytes[] {
    const { variable, home } = this.places;
    const folder = variable('DOCKER_CONFIG') || (home === undefined ? undefined : `${home}/.docker`);
    return folder === undefined ? [] : [`${folder}/config.json`];
  }

  /** What login and logout change, a link followed: people keep such files elsewhere. */
  private target(): Bytes {
    const first = this.named ?? this.dockerFile()[0];
    if (first === undefined) {
      throw new CaissonError('there is no home directory to keep credentials in', {
        code: 'EAUTHFILE',
        details: ['set HOME, DOCKER_CONFIG or REGISTRY_AUTH_FILE'],
      });
    }
    let path = first;
    for (let links = 0; links < LINKS_LIMIT; links++) {
      const target = this.port.readLink?.(path);
      if (target === undefined) return path;
      path = target.startsWith('/') ? target : `${path.slice(0, path.lastIndexOf('/'))}/${target}`;
    }
    throw new CaissonError(`${bytesToUtf8(first)}: too many links`, { code: 'EAUTHFILE' });
  }

  private read(path: Bytes): AuthFile | undefined {
    let text: Bytes | undefined;
    try {
      text = this.port.readFile(path, FILE_LIMIT);
    } catch (error) {
      throw new CaissonError(`${bytesToUtf8(path)} cannot be read (${codeOf(error)})`, {
        code: 'EAUTHFILE',
        cause: error,
      });
    }
    return text === undefined ? undefined : parseAuthFile(text, path);
  }

  private write(path: Bytes, content: Bytes): void {
    const slash = path.lastIndexOf('/');
    try {
      if (slash > 0) this.port.makeDirectory(path.slice(0, slash));
      // What login has said stays, whatever a power cut takes.
      if (this.port.replaceFileDurably === undefined) this.port.replaceFile(path, content, 0o600);
      else this.port.replaceFileDurably(path, content, 0o600);
    } catch (error) {
      const what = `${bytesToUtf8(path)} cannot be written (${codeOf(error)})`;
      throw new CaissonError(what, { code: 'EAUTHFILE', cause: error });
    }
  }
}
