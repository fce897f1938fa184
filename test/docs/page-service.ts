import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { waitFor } from '../support/wait-for.js';
import type { Running, Shell } from './shell.js';

const STOP_SECONDS = 30;
const LIVE = '[QUEUED, STARTING, RUNNING]';

/** The service that a page's commands talk to: started by a block of the page, or as `npm start` does. */
export class PageService {
  private running: Running | undefined;

  constructor(
    private readonly shell: Shell,
    readonly port: number,
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get isRunning(): boolean {
    return this.running !== undefined;
  }

  /** Starts it by these commands, in the place of one that runs. */
  async start(text: string, deadlineMs: number): Promise<Running> {
    await this.stop();
    const running = this.shell.start(text);
    this.running = running;
    let code: number | undefined;
    running.ended.then(
      (ended) => (code = ended),
      () => (code = -1),
    );
    await waitFor(async () => code !== undefined || (await this.isHealthy()), {
      deadlineMs,
      describe: () => `A service at ${this.url}; it printed:\n${running.output}`,
    });
    if (code === undefined) return running;
    this.running = undefined;
    throw new Error(`It ended with ${code} instead of serving; it printed:\n${running.output}`);
  }

  /** Lets the jobs that run come to an end first, since they would go on without it. */
  async stop({ isLast = false } = {}): Promise<void> {
    if (!this.running) return;
    const running = this.running;
    this.running = undefined;
    if (isLast) await this.endJobs().catch(() => undefined);
    running.signal('SIGINT');
    await running.end(STOP_SECONDS);
  }

  async ask<T>(query: string, variables: object = {}): Promise<{ data?: T; errors?: unknown }> {
    const response = await fetch(`${this.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    });
    return (await response.json()) as { data?: T; errors?: unknown };
  }

  private async endJobs(): Promise<void> {
    await waitFor(async () => {
      const { data } = await this.ask<{ jobs: { edges: { node: { id: string } }[] } }>(
        `{ jobs(first: 100, filter: { states: ${LIVE} }) { edges { node { id } } } }`,
      );
      const live = data?.jobs.edges ?? [];
      for (const { node } of live)
        await this.ask('mutation ($id: ID!) { cancelJob(id: $id) { id } }', { id: node.id });
      return live.length === 0;
    });
  }

  private async isHealthy(): Promise<boolean> {
    return (await fetch(`${this.url}/health/ready`)).ok;
  }
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
