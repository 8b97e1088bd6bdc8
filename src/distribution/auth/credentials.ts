// Credentials of one registry, and where they come from.

/** A name and a password, or a token for which a token service gives others (docker's identitytoken). */
export type Credentials =
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  | { readonly kind: 'identity'; readonly token: string; readonly user?: string }
  /** A bearer token as such (docker's registrytoken). */
  | { readonly kind: 'bearer'; readonly token: string };

export interface CredentialAnswer {
  readonly credentials?: Credentials;
  /** Where they come from, or why there are none; one line without secrets. */
  readonly source: string;
}

/**
 * Finds the credentials for a registry. `host` is its host and port as in a reference (`docker.io`,
 * `localhost:5000`), `repository` its path: some files keep credentials for a part of a registry.
 * There is no fall-back from one host to another (CVE-2021-41092).
 */
export interface CredentialSource {
  find(host: string, repository: string): Promise<CredentialAnswer>;
}

/** For whom nobody has logged in. */
export const anonymous: CredentialSource = {
  find: (host) => Promise.resolve({ source: `nobody is logged in to ${host}` }),
};
