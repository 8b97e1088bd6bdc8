// A TCP relay that breaks connections after a number of bytes that a seed draws: faults between client and registry.

import { connect, createServer, type Server, type Socket } from 'node:net';

export class BreakingRelay {
  port = 0;
  broken = 0;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private state: number;
  private left: number;

  /** Breaks `breaks` connections, each after at most `bytes` in either direction. */
  constructor(target: number, breaks: number, bytes: number, seed: number) {
    this.state = seed;
    this.left = breaks;
    this.server = createServer((client) => {
      const registry = connect(target, '127.0.0.1');
      for (const socket of [client, registry]) {
        this.sockets.add(socket);
        socket.on('error', () => undefined);
      }
      const end = () => {
        client.destroy();
        registry.destroy();
      };
      client.on('close', end);
      registry.on('close', end);
      let quota = this.left > 0 ? this.draw(bytes) : Number.POSITIVE_INFINITY;
      const relay = (from: Socket, to: Socket) =>
        from.on('data', (chunk: Buffer) => {
          quota -= chunk.length;
          if (quota > 0 || this.left <= 0) {
            if (!to.write(chunk)) {
              from.pause();
              to.once('drain', () => from.resume());
            }
            return;
          }
          this.left--;
          this.broken++;
          // A part arrives, then the connection is reset.
          to.write(chunk.subarray(0, chunk.length >> 1), () => {
            client.resetAndDestroy();
            registry.destroy();
          });
        });
      relay(client, registry);
      relay(registry, client);
    });
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => {
      this.server.listen(0, '127.0.0.1', resolve);
    });
    const address = this.server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
    return this;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((resolve) => {
      this.server.close(() => resolve());
    });
  }

  private draw(limit: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return 1 + Math.floor((this.state / 2 ** 32) * limit);
  }
}
