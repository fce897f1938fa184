import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where the engine of this machine listens. */
function connectToEngine(): Socket {
  const url = new URL(process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock');
  return url.protocol === 'unix:' ? connect(url.pathname) : connect(Number(url.port), url.hostname);
}

/** A socket between a client and the engine, which fails as a test asks: by a cut, by silence, by a lost answer. */
export class EngineProxy {
  /** `METHOD /path` of every request, without the query. */
  readonly requests: string[] = [];
  private readonly pairs = new Set<[Socket, Socket]>();
  private loseAnswerTo?: RegExp;
  private isSilent = false;

  private constructor(
    private readonly server: Server,
    private readonly folder: string,
  ) {}

  static async open(): Promise<EngineProxy> {
    const folder = await mkdtemp(join(tmpdir(), 'engine-proxy-'));
    const server = createServer();
    const proxy = new EngineProxy(server, folder);
    server.on('connection', (client) => proxy.pass(client));
    await proxy.accept();
    return proxy;
  }

  get host(): string {
    return `unix://${this.socketPath}`;
  }

  get openConnections(): number {
    return this.pairs.size;
  }

  /** Cuts every connection. New ones are accepted. */
  cut(): void {
    for (const pair of this.pairs) for (const socket of pair) socket.destroy();
  }

  /** Cuts every connection and accepts none until `accept`. */
  async refuse(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.cut();
    await closed;
  }

  async accept(): Promise<void> {
    this.server.listen(this.socketPath);
    await once(this.server, 'listening');
  }

  /** The connections that are open stay open, and nothing passes through them any more. */
  silence(): void {
    for (const [client, engine] of this.pairs) {
      client.unpipe(engine).resume();
      engine.unpipe(client).resume();
    }
  }

  /** Nothing passes through new connections, either, until `speak`. */
  silenceAll(): void {
    this.isSilent = true;
    this.silence();
  }

  speak(): void {
    this.isSilent = false;
  }

  /** The engine gets the next request that matches, and its client is cut off before the answer. */
  loseNextAnswerTo(request: RegExp): void {
    this.loseAnswerTo = request;
  }

  async close(): Promise<void> {
    if (this.server.listening) await this.refuse();
    await rm(this.folder, { recursive: true, force: true });
  }

  private get socketPath(): string {
    return join(this.folder, 'engine.sock');
  }

  private pass(client: Socket): void {
    const engine = connectToEngine();
    const pair: [Socket, Socket] = [client, engine];
    this.pairs.add(pair);
    for (const socket of pair) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        for (const each of pair) each.destroy();
        this.pairs.delete(pair);
      });
    }
    if (this.isSilent) return this.silence();
    // One request per connection: the first line of the first bytes is the request's.
    client.once('data', (bytes: Buffer) => this.note(bytes, pair));
    client.pipe(engine);
    engine.pipe(client);
  }

  private note(bytes: Buffer, [client, engine]: [Socket, Socket]): void {
    const [method, target] = bytes.toString('latin1', 0, 2000).split(' ', 2);
    const request = `${method} ${target?.split('?')[0]}`;
    this.requests.push(request);
    if (!this.loseAnswerTo?.test(request)) return;
    this.loseAnswerTo = undefined;
    engine.unpipe(client).resume();
    engine.once('data', () => client.destroy());
  }
}
