import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An image registry that has no image, and says so in one of the ways that registries do. */
export class FakeImageRegistry {
  private constructor(private readonly server: Server) {}

  /** Answers every request for an image with `status`. A container engine takes plain HTTP from localhost. */
  static async open(status: number, body = ''): Promise<FakeImageRegistry> {
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      response.statusCode = request.url === '/v2/' ? 200 : status;
      response.end(body);
    };
    const registry = new FakeImageRegistry(createServer(answer));
    registry.server.listen(0, 'localhost');
    await once(registry.server, 'listening');
    return registry;
  }

  image(name: string): string {
    return `localhost:${(this.server.address() as AddressInfo).port}/${name}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
