import { FaultyProxy } from './faulty-proxy.mjs';
import { Server } from './server.mjs';

/** All replicas, and the one address in front of them at which clients find those that listen. */
export class Cluster {
  #turn = 0;
  #proxy = new FaultyProxy(() => this.#next());

  constructor(count, variables, folder, history, previous) {
    this.servers = Array.from({ length: count }, (_, at) => {
      const name = `server-${at + 1}`;
      // One of them takes its own jobs over at once, the others wait for their leases to run out.
      const own = at === 0 ? { REPLICA_NAME: name } : {};
      return new Server(name, { ...variables, ...own }, folder, history, previous);
    });
  }

  /** Starts all of them; throws when one does not get up without any fault. */
  async start() {
    this.url = `http://127.0.0.1:${await this.#proxy.listen()}`;
    for (const server of this.servers)
      if (!(await server.start())) throw new Error(`${server.name} did not start`);
  }

  get proxy() {
    return this.#proxy;
  }

  async stop() {
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  /** For the end of the run, whatever state they are in. */
  async close() {
    await Promise.all(this.servers.map((server) => server.end()));
    await this.#proxy.close();
  }

  /** Where the next connection goes: in turn to those that listen. */
  #next() {
    const listening = this.servers.filter((server) => server.port !== undefined);
    const { port } = listening[this.#turn++ % Math.max(1, listening.length)] ?? {};
    return port === undefined ? undefined : { host: '127.0.0.1', port };
  }
}
