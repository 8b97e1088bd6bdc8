// login: credentials are tried before they are kept.

import { CaissonError } from '../spec/error.ts';
import type { Credentials } from './auth/credentials.ts';
import type { RegistryConfiguration } from './configuration/configuration.ts';
import { isInsecureHost } from './configuration/places.ts';
import { endpointOf } from './endpoint.ts';
import { EndpointClient } from './endpoint-client.ts';
import { silent } from './progress.ts';
import { surroundingsFor } from './registry.ts';

/**
 * Tries credentials at a registry (`host[:port]`) and resolves with what is to be kept: the identity token that its
 * token service gives instead of a password, else the credentials themselves. Throws CaissonError `EDENIED` when they
 * are refused, and what a connection throws.
 */
export async function checkLogin(
  configuration: RegistryConfiguration,
  host: string,
  credentials: Credentials,
): Promise<Credentials> {
  const endpoint = endpointOf(host, '', isInsecureHost(configuration.registries, host));
  const source = { find: () => Promise.resolve({ credentials, source: 'given' }) };
  const around = surroundingsFor({ ...configuration, credentials: source }, [endpoint], silent);
  const client = new EndpointClient(endpoint, around);
  try {
    const response = await client.send({
      method: 'GET',
      target: '',
      scopes: [],
      what: 'login',
      accept: [200],
    });
    await response.discard();
    const token = await client.authorization.login();
    if (token?.refresh === undefined) return credentials;
    const user = credentials.kind === 'password' ? { user: credentials.user } : {};
    return { kind: 'identity', token: token.refresh, ...user };
  } catch (error) {
    if (!(error instanceof CaissonError) || error.code !== 'EDENIED') throw error;
    throw new CaissonError(error.message, {
      code: 'EDENIED',
      details: [`${host} does not take this user name and password`],
    });
  } finally {
    around.waits.close();
    around.transport.close();
  }
}
