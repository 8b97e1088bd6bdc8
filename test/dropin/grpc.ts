// One unary call of gRPC over HTTP/2 on a unix socket (grpc.io, "gRPC over HTTP2").

import { type ClientHttp2Session, connect } from 'node:http2';
import { createConnection } from 'node:net';
import { encode, type Message, Received } from './protobuf.ts';

/** A call that the server has refused. */
export class GrpcError extends Error {
  readonly status: number;

  constructor(method: string, status: number, message: string) {
    super(`${method}: ${decodeURIComponent(message)} (gRPC status ${status})`);
    this.status = status;
  }
}

function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** A connection to a server. */
export class GrpcClient {
  private readonly session: ClientHttp2Session;

  constructor(socket: string) {
    this.session = connect('http://localhost', { createConnection: () => createConnection(socket) });
    this.session.setMaxListeners(0);
    this.session.on('error', () => {
      // Each call that is under way fails with it.
    });
  }

  /** @param method `SERVICE/NAME` */
  call(method: string, request: Message, seconds = 60): Promise<Received> {
    return new Promise((resolve, reject) => {
      const stream = this.session.request({
        ':method': 'POST',
        ':path': `/${method}`,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      const chunks: Buffer[] = [];
      let status: unknown;
      let text: unknown;
      const take = (headers: Readonly<Record<string, unknown>>) => {
        status = headers['grpc-status'] ?? status;
        text = headers['grpc-message'] ?? text;
      };
      stream.setTimeout(seconds * 1000, () => stream.destroy(new Error(`${method}: no answer`)));
      stream.on('response', take);
      stream.on('trailers', take);
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', reject);
      stream.on('end', () => {
        if (status === '0') resolve(new Received(Buffer.concat(chunks).subarray(5)));
        else reject(new GrpcError(method, Number(status), String(text)));
      });
      stream.end(framed(encode(request)));
    });
  }

  close(): void {
    this.session.destroy();
  }
}
