import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/**
 * A socket in between, TCP or unix, that fails as it is told: by a cut, or by silence, in which connections stay open
 * and nothing passes.
 */
export class FaultyProxy {
  #pairs = new Set();
  #isSilent = false;
  #server = createServer({ pauseOnConnect: true }, (client) => this.#pass(client));
  #target;

  /** @param {() => import('node:net').NetConnectOpts | undefined} target asked for each connection; undefined refuses */
  constructor(target) {
    this.#target = target;
  }

  /** Listens on a free port of loopback, or on the unix socket `path`. Returns the port. */
  async listen(path) {
    this.#server.listen(path ?? { host: '127.0.0.1', port: 0 });
    await once(this.#server, 'listening');
    return path ? undefined : this.#server.address().port;
  }

  /** Cuts every connection; new ones are accepted. */
  cut() {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** Nothing passes any more, on old and new connections, until `speak`. */
  silence() {
    this.#isSilent = true;
    for (const [client, server] of this.#pairs) {
      client.unpipe(server).pause();
      server.unpipe(client).pause();
    }
  }

  /** The silent connections go on, or are cut where `isCut`, as a firewall does that forgot them. */
  speak({ isCut }) {
    this.#isSilent = false;
    if (isCut) return this.cut();
    for (const pair of this.#pairs) join(pair);
  }

  async close() {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }

  #pass(client) {
    const target = this.#target();
    if (!target) return client.destroy();
    const pair = [client, connect(target)];
    this.#pairs.add(pair);
    for (const socket of pair) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        for (const each of pair) each.destroy();
        this.#pairs.delete(pair);
      });
    }
    if (!this.#isSilent) join(pair);
  }
}

function join([client, server]) {
  client.pipe(server);
  server.pipe(client);
}
