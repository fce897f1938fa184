import type { AddressInfo } from 'node:net';
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import { waitFor } from '../wait-for.js';
import type { Job, LogChunk } from '../../../src/client/api-types.js';

type Variables = { jobId: string; after?: string };
type Script = (connection: FakeConnection, variables: Variables) => unknown;
type Break = 'terminate' | 'complete' | { code: number };

/** The graphql-transport-ws protocol by hand, one subscription per connection, cut where a test wants it. */
export class FakeLogServer {
  /** The payloads of every `connection_init` and the variables of every `subscribe`, in order. */
  readonly inits: unknown[] = [];
  readonly subscriptions: Variables[] = [];
  private answer: Script = () => {};
  private initCode: number | undefined;
  readonly url: string;

  private constructor(private readonly sockets: WebSocketServer) {
    this.url = `ws://127.0.0.1:${(sockets.address() as AddressInfo).port}/graphql`;
    sockets.on('connection', (socket) => socket.on('message', (data) => this.receive(socket, data)));
  }

  static async listen(): Promise<FakeLogServer> {
    const sockets = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      handleProtocols: () => 'graphql-transport-ws',
    });
    await new Promise((resolve) => sockets.once('listening', resolve));
    return new FakeLogServer(sockets);
  }

  script(answer: Script): void {
    this.answer = answer;
  }

  refuseInit(code: number): void {
    this.initCode = code;
  }

  async isDeserted(): Promise<void> {
    await waitFor(() => this.sockets.clients.size === 0, { describe: () => 'the last client leaving' });
  }

  /** Waits until the client does not take what is sent any more. */
  async isBlocked(): Promise<void> {
    let before = -1;
    await waitFor(() => {
      const [socket] = this.sockets.clients;
      const now = socket?.bufferedAmount ?? 0;
      const isStill = now === before && now > 0;
      before = now;
      return isStill;
    });
  }

  async close(): Promise<void> {
    for (const socket of this.sockets.clients) socket.terminate();
    await new Promise((resolve) => this.sockets.close(resolve));
  }

  private receive(socket: WebSocket, data: unknown): void {
    const message = JSON.parse(String(data)) as {
      type: string;
      id: string;
      payload?: { variables: Variables };
    };
    if (message.type === 'connection_init') {
      this.inits.push(message.payload);
      if (this.initCode) socket.close(this.initCode, 'Unauthorized');
      else socket.send(JSON.stringify({ type: 'connection_ack' }));
    }
    if (message.type === 'subscribe' && message.payload) {
      this.subscriptions.push(message.payload.variables);
      this.answer(new FakeConnection(socket, message.id), message.payload.variables);
    }
  }
}

class FakeConnection {
  constructor(
    private readonly socket: WebSocket,
    private readonly id: string,
  ) {}

  next(chunks: LogChunk[], job: Job | null = null): this {
    return this.send('next', { data: { jobLogs: { chunks, job, damage: null } } });
  }

  error(message: string, extensions: object): this {
    return this.send('error', [{ message, extensions }]);
  }

  resultError(message: string, extensions: object): this {
    return this.send('next', { errors: [{ message, extensions }] });
  }

  break(how: Break): void {
    if (how === 'complete') this.send('complete');
    // Let what was sent go out first: it is the client's part to keep it.
    else if (how === 'terminate') this.socket.send('', () => this.socket.terminate());
    else this.socket.close(how.code);
  }

  private send(type: string, payload?: unknown): this {
    this.socket.send(JSON.stringify({ id: this.id, type, payload }));
    return this;
  }
}

export function chunk(seq: number, text = `line ${seq}\n`): LogChunk {
  return {
    seq,
    cursor: String(seq),
    attempt: 1,
    at: '2026-01-01T00:00:00.000Z',
    stream: 'STDOUT',
    text,
    droppedBytes: null,
  };
}

export function finished(id: string): Job {
  return { id, state: 'SUCCEEDED', reason: 'EXIT_ZERO', exitCode: 0 } as Job;
}
