// One HTTP exchange (RFC 9112) over connections of our own: no redirect, no retry, no credential of its own accord.

import { Agent, type ClientRequest, type ClientRequestArgs, type IncomingMessage, request } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { CaissonError } from '../../spec/error.ts';
import type { AddressClass } from './address-class.ts';
import { openConnection, type Route, type TlsMaterial } from './connect.ts';
import type { Limits } from './limits.ts';
import { hostHeader, type Origin, originOf, originText, shownUrl } from './origin.ts';
import type { ProxyChoice } from './proxy.ts';
import { Patience, Response } from './response.ts';

/** A body that can be sent again: after a redirect, or on a new connection. */
export interface Content {
  readonly length: number;
  open(): AsyncIterable<Uint8Array>;
}

export interface Request {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly content?: Content;
  /** The class of the registry that led to this URL; undefined for one that a person named. */
  readonly from?: AddressClass;
}

export interface TransportSettings {
  readonly limits: Limits;
  readonly proxy: ProxyChoice;
  readonly tls: (origin: Origin) => TlsMaterial;
  /** Hosts (with ports) whose certificates are not looked at. */
  readonly unverified: (origin: Origin) => boolean;
  readonly userAgent: string;
}

/** Interim responses (RFC 9110, section 15.2) before the answer; without end they would fill the memory. */
const HINTS_LIMIT = 32;

/** Open connections to several origins, each kept for the next request to it. */
export class Transport {
  readonly limits: Limits;
  private readonly agents = new Map<string, OriginAgent>();
  private readonly settings: TransportSettings;
  private closed = false;

  constructor(settings: TransportSettings) {
    this.settings = settings;
    this.limits = settings.limits;
  }

  /** The class of the address at which an origin was last reached; `public` where nothing is known. */
  peerOf(origin: Origin): AddressClass {
    for (const agent of this.agents.values()) {
      if (originText(agent.route.origin) === originText(origin)) return agent.peer;
    }
    return 'public';
  }

  /** Sends one request and resolves with the header of its response. Throws node's errors and CaissonErrors. */
  async exchange(sent: Request): Promise<Response> {
    const origin = originOf(sent.url);
    if (origin === undefined)
      throw new CaissonError(`not http: ${shownUrl(sent.url)}`, { code: 'EREDIRECT' });
    if (this.closed)
      throw new CaissonError('the connection to the registry has been closed', { code: 'ECANCELED' });
    const agent = this.agentOf(origin, sent.from);
    return new Exchange(sent, origin, agent, this.settings).run();
  }

  /** Ends all connections; what is under way fails. */
  close(): void {
    this.closed = true;
    for (const agent of this.agents.values()) agent.destroyAll();
    this.agents.clear();
  }

  // One agent for each origin and for each class that leads there: a connection is not shared between those who may
  // be led to it and those who may not.
  private agentOf(origin: Origin, from: AddressClass | undefined): OriginAgent {
    const key = `${originText(origin)} ${from ?? ''}`;
    const known = this.agents.get(key);
    if (known !== undefined) return known;
    const proxy = this.settings.proxy(origin);
    const route: Route = {
      origin,
      tls: origin.scheme === 'https' ? this.settings.tls(origin) : { certificates: [] },
      verify: !this.settings.unverified(origin),
      ...(proxy === undefined ? {} : { proxy }),
      ...(from === undefined ? {} : { from }),
    };
    const agent = new OriginAgent(route, this.settings.limits.connectTime);
    this.agents.set(key, agent);
    return agent;
  }
}

/** Keeps connections to one origin; node:http asks it for them. */
class OriginAgent extends Agent {
  readonly route: Route;
  peer: AddressClass = 'public';
  private readonly connectTime: number;
  private closed = false;
  private readonly open = new Set<Socket>();

  constructor(route: Route, connectTime: number) {
    super({ keepAlive: true, maxFreeSockets: 8, scheduling: 'lifo' });
    this.route = route;
    this.connectTime = connectTime;
  }

  override createConnection(
    _: ClientRequestArgs,
    callback?: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    openConnection(this.route, this.connectTime).then(
      ({ socket, peer }) => {
        if (this.closed) socket.destroy();
        this.peer = peer;
        this.open.add(socket);
        socket.once('close', () => this.open.delete(socket));
        callback?.(null, socket);
      },
      // node:http looks at the error first; its type wants a socket beside it.
      (error: Error) => callback?.(error, new Socket()),
    );
  }

  destroyAll(): void {
    this.closed = true;
    this.destroy();
    for (const socket of this.open) socket.destroy();
  }
}

class Exchange {
  private readonly sent: Request;
  private readonly origin: Origin;
  private readonly limits: Limits;
  private readonly outgoing: ClientRequest;
  private answered = false;

  constructor(sent: Request, origin: Origin, agent: OriginAgent, settings: TransportSettings) {
    this.sent = sent;
    this.origin = origin;
    this.limits = settings.limits;
    const { proxy } = agent.route;
    const absolute = proxy !== undefined && proxy.scheme !== 'socks5' && origin.scheme === 'http';
    const authorization = absolute ? proxy.authorization : undefined;
    this.outgoing = request({
      agent,
      method: sent.method,
      host: origin.host,
      port: origin.port,
      path: absolute
        ? `${originText(origin)}${sent.url.pathname}${sent.url.search}`
        : `${sent.url.pathname}${sent.url.search}`,
      maxHeaderSize: settings.limits.headerBytes,
      headers: {
        Host: hostHeader(origin),
        'User-Agent': settings.userAgent,
        // The content's digest is that of the bytes as they are.
        'Accept-Encoding': 'identity',
        ...sent.headers,
        ...(sent.content === undefined ? {} : { 'Content-Length': String(sent.content.length) }),
        ...(authorization === undefined ? {} : { 'Proxy-Authorization': authorization }),
      },
    });
  }

  async run(): Promise<Response> {
    let stop: NodeJS.Timeout | undefined;
    const wait = (milliseconds: number) => {
      clearTimeout(stop);
      stop = setTimeout(() => this.outgoing.destroy(this.late()), milliseconds);
    };
    const watch = () => wait(this.limits.headerTime);
    // With a new connection, which has a limit of its own.
    wait(this.limits.connectTime + this.limits.headerTime);
    this.outgoing.once('socket', watch);
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      this.outgoing.once('response', (message) => {
        this.answered = true;
        resolve(message);
      });
      this.outgoing.on('error', reject);
      let hints = 0;
      const hint = () => {
        if (++hints > HINTS_LIMIT) this.outgoing.destroy(this.endless());
      };
      this.outgoing.on('information', hint);
      this.outgoing.on('continue', hint);
      // node:http reports some ends as a mere close.
      this.outgoing.once('close', () =>
        reject(Object.assign(new Error('connection closed'), { code: 'ECONNRESET' })),
      );
    });
    answer.catch(() => undefined);
    try {
      const sending = this.sendContent(watch);
      await Promise.race([answer, sending]);
      const message = await answer;
      return new Response(message, this.sent, this.limits, () => {
        if (!this.outgoing.writableEnded) this.outgoing.destroy();
      });
    } catch (error) {
      this.outgoing.destroy();
      throw error;
    } finally {
      clearTimeout(stop);
    }
  }

  /** Sends the body at the pace of the receiver; an early answer (a refusal) ends it. */
  private async sendContent(moved: () => void): Promise<void> {
    const { content } = this.sent;
    if (content === undefined) {
      this.outgoing.end();
      return;
    }
    const patience = new Patience(this.limits, this.sent.url);
    let left = content.length;
    for await (const chunk of content.open()) {
      if (this.answered || this.outgoing.destroyed) return;
      left -= chunk.length;
      if (left < 0) break;
      moved();
      if (!this.outgoing.write(chunk)) await patience.within(this.drained());
      patience.moved(chunk.length);
    }
    if (this.answered) return;
    if (left !== 0)
      throw new CaissonError(`content has another size than the ${content.length} bytes announced`, {
        code: 'ESIZE',
      });
    moved();
    this.outgoing.end();
  }

  private drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        for (const event of ['drain', 'close', 'response', 'error']) this.outgoing.off(event, done);
        resolve();
      };
      for (const event of ['drain', 'close', 'response', 'error']) this.outgoing.on(event, done);
    });
  }

  private endless(): CaissonError {
    return new CaissonError(`${originText(this.origin)} does not come to its answer`, { code: 'EREGISTRY' });
  }

  private late(): CaissonError {
    return new CaissonError(
      `${originText(this.origin)} does not answer (${this.limits.headerTime / 1000} s)`,
      {
        code: 'ETIMEDOUT',
      },
    );
  }
}
