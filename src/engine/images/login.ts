// `login` and `logout`: credentials are tried at their registry before they are kept, and never go elsewhere.
import { normalHost, serverName } from '../../distribution/auth/credential-key.ts';
import { storedCredentials } from '../../distribution/configuration/configuration.ts';
import { checkLogin } from '../../distribution/login.ts';
import type { Port } from '../../host/port.ts';
import { CaissonError } from '../../spec/error.ts';
import { DEFAULT_DOMAIN } from '../../spec/reference.ts';
import { registryConfiguration } from './registry.ts';

const HOST = /^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?$/;

/** The registry that a person named, `host[:port]`; Docker Hub without one. Throws CaissonError `EUSAGE`. */
export function loginHost(text: string | undefined): string {
  if (text === undefined || text === '') return DEFAULT_DOMAIN;
  const bare = text.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  if (HOST.test(bare)) return normalHost(bare);
  throw new CaissonError(`"${text}" is not a registry: host or host:port is expected`, { code: 'EUSAGE' });
}

/** What docker calls a registry in what it prints. */
export function serverTitle(host: string): string {
  return serverName(host);
}

/**
 * Keeps a user's credentials when the registry takes them; the result is where. Throws CaissonError `EDENIED` where it
 * does not.
 */
export async function login(port: Port, host: string, user: string, password: string): Promise<string> {
  const configuration = await registryConfiguration(port);
  const checked = await checkLogin(configuration, host, { kind: 'password', user, password });
  return await storedCredentials(port, configuration.secrets).store(host, checked);
}

/** Forgets them; false when there were none. */
export async function logout(port: Port, host: string): Promise<boolean> {
  const configuration = await registryConfiguration(port);
  return await storedCredentials(port, configuration.secrets).erase(host);
}

/** Whether credentials for a registry are kept already, and for whom. */
export async function knownUser(port: Port, host: string): Promise<string | undefined> {
  const configuration = await registryConfiguration(port);
  const { credentials } = await storedCredentials(port, configuration.secrets).find(host, '');
  return credentials === undefined || credentials.kind === 'bearer' ? undefined : credentials.user;
}
