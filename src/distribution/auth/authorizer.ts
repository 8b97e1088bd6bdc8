// Authorization of requests to one registry: what it has challenged, which tokens are at hand, whose credentials go where.

import { CaissonError } from '../../spec/error.ts';
import type { AddressClass } from '../http/address-class.ts';
import type { Secrets } from '../http/redaction.ts';
import type { Transport } from '../http/transport.ts';
import type { Challenge } from './challenge.ts';
import type { CredentialAnswer, CredentialSource, Credentials } from './credentials.ts';
import { basic, requestToken, type Token, type TokenService } from './token.ts';

type Mode =
  | { readonly kind: 'none' }
  | { readonly kind: 'basic' }
  | { readonly kind: 'bearer'; readonly service: TokenService };

export interface RegistryIdentity {
  /** The host and port as in a reference: whose credentials these are. */
  readonly host: string;
  readonly repository: string;
  readonly url: () => URL;
  readonly peer: () => AddressClass;
}

/** More scopes than this ask for nothing that a pull or a push needs. */
const SCOPES_LIMIT = 8;
const SCOPE = /^[A-Za-z0-9_./:-]{1,400}:[A-Za-z,*]{1,60}$/;

export class Authorizer {
  private readonly transport: Transport;
  private readonly registry: RegistryIdentity;
  private readonly source: CredentialSource;
  private readonly secrets: Secrets;
  private readonly tokens = new Map<string, Promise<Token>>();
  private mode: Mode = { kind: 'none' };
  private further: readonly string[] = [];
  private answer: Promise<CredentialAnswer> | undefined;
  /** Why a request is not authorized, for the error that follows. */
  note: string | undefined;

  constructor(transport: Transport, registry: RegistryIdentity, source: CredentialSource, secrets: Secrets) {
    this.transport = transport;
    this.registry = registry;
    this.source = source;
    this.secrets = secrets;
  }

  /** The Authorization header for a request of these scopes by what is known; undefined before the first challenge. */
  async header(scopes: readonly string[]): Promise<string | undefined> {
    if (this.mode.kind === 'none') return undefined;
    const credentials = await this.credentials();
    if (credentials?.kind === 'bearer') return `Bearer ${credentials.token}`;
    if (this.mode.kind === 'basic') {
      return credentials?.kind === 'password' ? basic(credentials.user, credentials.password) : undefined;
    }
    const token = await this.token(this.mode.service, this.union(scopes), credentials);
    return `Bearer ${token.value}`;
  }

  /**
   * Takes the challenges of a 401 to a request that was sent with `sent`. Whether there is now another header to try:
   * the same is never sent twice, so that a registry that always answers 401 is asked twice or three times.
   */
  async challenged(
    challenges: readonly Challenge[],
    scopes: readonly string[],
    sent: string | undefined,
  ): Promise<boolean> {
    const bearer = challenges.find(
      ({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'),
    );
    const hasBasic = challenges.some(({ scheme }) => scheme === 'basic');
    if (bearer === undefined && !hasBasic) {
      this.note = 'the registry does not say how to log in';
      return false;
    }
    if (bearer === undefined) {
      this.mode = { kind: 'basic' };
      const credentials = await this.credentials();
      if (credentials?.kind === 'identity')
        this.note = 'the registry takes a password and only an identity token is kept';
    } else {
      this.mode = { kind: 'bearer', service: serviceOf(bearer) };
      this.learn(bearer.parameters.get('scope'));
    }
    let next = await this.header(scopes);
    if (next === sent && this.mode.kind === 'bearer') {
      // Refused before its time; another request may already have got a new one.
      this.tokens.delete(this.keyOf(this.mode.service, this.union(scopes)));
      next = await this.header(scopes);
    }
    return next !== undefined && next !== sent;
  }

  /** A token for `scopes`, with an identity token to keep where the service gives one; undefined where there is no token service. */
  async login(): Promise<Token | undefined> {
    if (this.mode.kind !== 'bearer') return undefined;
    const credentials = await this.credentials();
    return requestToken(this.transport, this.secrets, {
      ...this.request(this.mode.service, [], credentials),
      offline: true,
    });
  }

  /** Scopes of a challenge: some registries name repositories in their own way. */
  private learn(scope: string | undefined): void {
    const offered = (scope ?? '').slice(0, 4096).split(' ');
    const readable = offered.filter((each) => SCOPE.test(each));
    this.further = [...new Set([...this.further, ...readable])].slice(0, SCOPES_LIMIT);
  }

  /** With those that were learnt, as far as they ask for no more than is wanted anyway. */
  private union(scopes: readonly string[]): readonly string[] {
    const wanted = new Set(scopes.flatMap(actionsOf));
    const own = new Set(scopes.map(resourceOf));
    const further = this.further.filter(
      (scope) => !own.has(resourceOf(scope)) && actionsOf(scope).every((action) => wanted.has(action)),
    );
    return [...new Set([...scopes, ...further])].sort();
  }

  private async credentials(): Promise<Credentials | undefined> {
    this.answer ??= this.source.find(this.registry.host, this.registry.repository);
    const { credentials, source } = await this.answer;
    if (credentials?.kind === 'password') this.secrets.add(credentials.password, credentials.user);
    else if (credentials !== undefined) this.secrets.add(credentials.token);
    this.note ??= credentials === undefined ? source : `the credentials (${source}) do not suffice`;
    return credentials;
  }

  private token(
    service: TokenService,
    scopes: readonly string[],
    credentials: Credentials | undefined,
  ): Promise<Token> {
    const key = this.keyOf(service, scopes);
    const known = this.tokens.get(key);
    const fresh = (): Promise<Token> => {
      const asked = requestToken(this.transport, this.secrets, this.request(service, scopes, credentials));
      this.tokens.set(key, asked);
      asked.catch(() => {
        if (this.tokens.get(key) === asked) this.tokens.delete(key);
      });
      return asked;
    };
    // Several layers at once ask once.
    if (known === undefined) return fresh();
    return known.then((token) => {
      if (performance.now() < token.until) return token;
      return this.tokens.get(key) === known ? fresh() : this.token(service, scopes, credentials);
    });
  }

  private request(service: TokenService, scopes: readonly string[], credentials: Credentials | undefined) {
    const { host } = this.registry;
    const registry = { url: this.registry.url(), peer: this.registry.peer(), host };
    return { service, scopes, registry, ...(credentials === undefined ? {} : { credentials }) };
  }

  private keyOf(service: TokenService, scopes: readonly string[]): string {
    return JSON.stringify([service.realm, service.service, ...scopes]);
  }
}

function serviceOf({ parameters }: Challenge): TokenService {
  const realm = parameters.get('realm') ?? '';
  if (realm.length > 2048)
    throw new CaissonError('the address of the token service is too long', { code: 'EREDIRECT' });
  const service = parameters.get('service');
  return { realm, ...(service === undefined ? {} : { service: service.slice(0, 1024) }) };
}

/** The actions of `repository:team/app:pull,push`. */
function actionsOf(scope: string): readonly string[] {
  return scope.slice(scope.lastIndexOf(':') + 1).split(',');
}

function resourceOf(scope: string): string {
  return scope.slice(0, scope.lastIndexOf(':'));
}
