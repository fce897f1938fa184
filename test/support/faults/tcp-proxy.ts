import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';

interface Pair {
  client: Socket;
  server: Socket;
  /** Everything the client has said so far, as text. */
  said: string;
  isMuted: boolean;
}

/** Stands between a client and a server and breaks what passes through it. */
export class TcpProxy {
  private readonly pairs = new Set<Pair>();
  private isSilent = false;

  private constructor(
    private readonly listener: Server,
    private readonly target: { host: string; port: number },
    readonly port: number,
  ) {}

  /** Listens on a port of its own; `isOpen: false` only reserves it. */
  static async open(url: string, { isOpen = true } = {}): Promise<TcpProxy> {
    const { hostname, port } = new URL(url);
    const listener = createServer();
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const proxy = new TcpProxy(
      listener,
      { host: hostname, port: Number(port) },
      (listener.address() as AddressInfo).port,
    );
    listener.on('connection', (socket) => proxy.join(socket));
    if (!isOpen) await proxy.refuse();
    return proxy;
  }

  /** `url` through this proxy. */
  through(url: string): string {
    const changed = new URL(url);
    changed.host = `127.0.0.1:${this.port}`;
    return changed.href;
  }

  /** Ends every connection and takes no new one, as a server that is down. */
  async refuse(): Promise<void> {
    this.cut();
    if (!this.listener.listening) return;
    const closed = once(this.listener, 'close');
    this.listener.close();
    await closed;
  }

  /** Takes connections again. */
  async accept(): Promise<void> {
    if (this.listener.listening) return;
    this.listener.listen(this.port, '127.0.0.1');
    await once(this.listener, 'listening');
  }

  cut(): void {
    for (const { client, server } of this.pairs) {
      client.destroy();
      server.destroy();
    }
  }

  /** Passes nothing on any more and closes nothing, as a network that lost its way: on what is there, or all that comes. */
  silence(which: (said: string) => boolean = () => true, { andNew = true } = {}): void {
    this.isSilent = andNew;
    for (const pair of this.pairs) if (which(pair.said)) mute(pair);
  }

  /** New connections pass again; silenced ones stay so. */
  speak(): void {
    this.isSilent = false;
  }

  async close(): Promise<void> {
    await this.refuse();
  }

  private join(client: Socket): void {
    const server = connect(this.target);
    const pair: Pair = { client, server, said: '', isMuted: false };
    this.pairs.add(pair);
    client.on('data', (data: Buffer) => (pair.said += data.toString('latin1')));
    for (const socket of [client, server]) socket.on('error', () => undefined);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.pipe(to);
      from.on('close', () => {
        if (!pair.isMuted) to.destroy();
        if (client.destroyed) {
          server.destroy();
          this.pairs.delete(pair);
        }
      });
    }
    if (this.isSilent) mute(pair);
  }
}

function mute(pair: Pair): void {
  pair.isMuted = true;
  for (const socket of [pair.client, pair.server]) socket.unpipe().pause();
}
