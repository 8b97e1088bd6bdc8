// The configuration of the registry client: everything that it takes from files and environment of the host.

import type { Port } from '../../host/port.ts';
import type { Bytes } from '../../linux/bytes.ts';
import type { CredentialSource } from '../auth/credentials.ts';
import { StoredCredentials } from '../auth/stored-credentials.ts';
import type { TlsMaterial } from '../http/connect.ts';
import { DEFAULT_LIMITS, type Limits } from '../http/limits.ts';
import type { Origin } from '../http/origin.ts';
import { type ProxyChoice, proxyOfEnvironment } from '../http/proxy.ts';
import { Secrets } from '../http/redaction.ts';
import { DEFAULT_RETRIES, type RetryPolicy } from '../retry.ts';
import { Certificates } from './certificates.ts';
import type { RegistriesConf } from './registries-conf.ts';
import { loadRegistriesConf } from './registries-files.ts';

export interface RegistryConfiguration {
  readonly registries: RegistriesConf;
  readonly credentials: CredentialSource;
  readonly tls: (origin: Origin) => TlsMaterial;
  readonly proxy: ProxyChoice;
  readonly userAgent: string;
  readonly limits: Limits;
  readonly retries: RetryPolicy;
  readonly secrets: Secrets;
}

export interface ConfigurationOptions {
  /** `--authfile`: the one file of credentials. */
  readonly authFile?: Bytes;
  /** Credentials that a caller brings instead of the stored ones. */
  readonly credentials?: CredentialSource;
  readonly userAgent?: string;
  readonly limits?: Partial<Limits>;
  readonly retries?: Partial<RetryPolicy>;
}

/** Reads registries.conf; credentials and certificates are read when a request needs them. Throws CaissonError `EREGISTRIESCONF`. */
export async function loadRegistryConfiguration(
  port: Port,
  options: ConfigurationOptions = {},
): Promise<RegistryConfiguration> {
  const variable = environmentOf(port);
  const home = variable('HOME');
  const places = { variable, ...(home === undefined || home === '' ? {} : { home }) };
  const secrets = new Secrets();
  const certificates = new Certificates(port, places);
  const authFile = options.authFile === undefined ? {} : { authFile: options.authFile };
  return {
    registries: await loadRegistriesConf(port, places),
    credentials: options.credentials ?? new StoredCredentials(port, { ...places, ...authFile }, secrets),
    tls: (origin) => certificates.materialFor(origin),
    proxy: proxyOfEnvironment(variable),
    userAgent: options.userAgent ?? 'caisson',
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    retries: { ...DEFAULT_RETRIES, ...options.retries },
    secrets,
  };
}

/** The files of credentials that `login` and `logout` change. */
export function storedCredentials(port: Port, secrets: Secrets, authFile?: Bytes): StoredCredentials {
  const variable = environmentOf(port);
  const home = variable('HOME');
  const places = { variable, ...(home === undefined || home === '' ? {} : { home }) };
  return new StoredCredentials(port, { ...places, ...(authFile === undefined ? {} : { authFile }) }, secrets);
}

function environmentOf(port: Port): (name: string) => Bytes | undefined {
  return (name) => {
    const entry = port.environment.find((each) => each.startsWith(`${name}=`));
    return entry?.slice(name.length + 1);
  };
}
