import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { OnApplicationBootstrap } from '@nestjs/common';
import { Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { GraphQLSchemaHost } from '@nestjs/graphql';
import type { Disposable } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import { ApiToken } from '../auth/api-token.js';
import { RequestGuard } from '../auth/request-guard.js';
import { settledWithin } from '../common/async/abort.js';
import type { Log } from '../common/log.js';
import { LOG } from '../common/log.js';
import { subscriptionOptions } from './subscription-options.js';

const PATH = '/graphql';
/** A subscription's text and variables; nobody needs a hundredth of ws's default of 100 MiB. */
const MAX_MESSAGE_BYTES = 64 * 1024;
const PING_MS = 12_000;
/** For clients to hear that the server goes away. */
const CLOSE_PATIENCE_MS = 1_000;

/**
 * The WebSocket side of the API, by the graphql-ws protocol. It is our own rather than the driver's, because that one
 * checks neither Host nor Origin, takes queries and mutations past every HTTP-side limit, and messages of 100 MiB.
 */
@Injectable()
export class SubscriptionServer implements OnApplicationBootstrap {
  private readonly sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });
  private served: Disposable | undefined;

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly schema: GraphQLSchemaHost,
    private readonly guard: RequestGuard,
    private readonly token: ApiToken,
    @Inject(LOG) private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    const server = this.host.httpAdapter.getHttpServer() as Server;
    this.served = useServer(
      subscriptionOptions(this.schema.schema, this.token, this.log),
      this.sockets,
      PING_MS,
    );
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.upgrade(request, socket, head),
    );
  }

  /**
   * Closes every connection, with a code (1001) after which clients connect again. The HTTP server waits for them when it
   * closes, so this comes first; a client that does not read would keep it for as long as it likes.
   */
  async close(): Promise<void> {
    const clients = [...this.sockets.clients];
    await settledWithin(Promise.resolve(this.served?.dispose()), CLOSE_PATIENCE_MS);
    for (const client of clients) client.terminate();
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const path = request.url?.split('?')[0];
    if (path !== PATH) return refuse(socket, '404 Not Found');
    const fault = this.guard.faultOf(request);
    if (fault) return refuse(socket, '403 Forbidden', fault);
    this.sockets.handleUpgrade(request, socket, head, (webSocket: WebSocket) => {
      this.sockets.emit('connection', webSocket, request);
    });
  }
}

function refuse(socket: Duplex, status: string, why = ''): void {
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(why)}\r\n\r\n${why}`,
  );
}
