// A token service for docker-registry in tests: JSON Web Tokens for what a user may do (distribution's token specification).

import { sign, X509Certificate } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { FakeServer, send, type TlsFiles } from './fake-server.ts';

export class TokenService extends FakeServer {
  /** Seconds for which a token is good. */
  seconds = 300;
  /** Repositories that may only be read. */
  readonly readOnly = new Set<string>();
  private readonly signing: TlsFiles;
  private readonly user: string;
  private readonly password: string;

  constructor(signing: TlsFiles, user: string, password: string) {
    super();
    this.signing = signing;
    this.user = user;
    this.password = password;
  }

  protected override answer(request: IncomingMessage, response: ServerResponse): void {
    const { authorization } = request.headers;
    const wanted = `Basic ${Buffer.from(`${this.user}:${this.password}`).toString('base64')}`;
    if (authorization !== wanted)
      return void send(response, 401, {}, '{"details":"incorrect username or password"}');
    const url = new URL(request.url ?? '/', this.url);
    const token = this.token(url.searchParams.getAll('scope'));
    send(response, 200, {}, JSON.stringify({ token, expires_in: this.seconds }));
  }

  private token(scopes: readonly string[]): string {
    const now = Math.floor(Date.now() / 1000);
    const access = scopes.map((scope) => {
      const [type = '', name = '', actions = ''] = scope.split(':');
      const allowed = actions.split(',').filter((action) => action === 'pull' || !this.readOnly.has(name));
      return { type, name, actions: allowed };
    });
    const header = { typ: 'JWT', alg: 'ES256', x5c: [this.chain()] };
    const claims = {
      ...{ iss: 'tests', sub: this.user, aud: 'test', jti: String(Math.random()) },
      ...{ iat: now - 5, nbf: now - 5, exp: now + this.seconds, access },
    };
    const text = [header, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    const signature = sign('sha256', Buffer.from(text), { key: this.signing.key, dsaEncoding: 'ieee-p1363' });
    return `${text}.${signature.toString('base64url')}`;
  }

  private chain(): string {
    return new X509Certificate(this.signing.certificate).raw.toString('base64');
  }
}
