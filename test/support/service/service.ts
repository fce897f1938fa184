import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Client } from 'graphql-ws';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { createApp } from '../../../src/create-app.js';
import { Database } from '../../../src/database/database.js';
import type { RuntimeDefinition } from '../../../src/runtime/runtime-definition.js';
import { makeDataFolder } from './data-folder.js';
import { waitFor } from '../wait-for.js';

export interface GraphqlAnswer<T> {
  data?: T | null;
  errors?: {
    message: string;
    path?: string[];
    extensions: { code: string; requestId: string; field?: string; retryAfterMs?: number };
  }[];
}

export interface JobView {
  id: string;
  state: string;
  reason: string | null;
  message: string | null;
  exitCode: number | null;
  signal: string | null;
  attempt: number;
  outputs: { path: string; size: number; sha256: string; contentType: string; url: string }[];
  skippedOutputs: { path: string; why: string }[];
}

export interface LogEventView {
  chunks: {
    seq: number;
    cursor: string;
    attempt: number;
    stream: string;
    text: string;
    droppedBytes: number | null;
  }[];
  job: JobView | null;
  damage: string | null;
}

const JOB_FIELDS = `id state reason message exitCode signal attempt
  outputs { path size sha256 contentType url } skippedOutputs { path why }`;
export const LOGS = `subscription ($id: ID!, $after: String) { jobLogs(jobId: $id, after: $after) {
  chunks { seq cursor attempt stream text droppedBytes } damage job { ${JOB_FIELDS} } } }`;

/** The real application on a free port of loopback, as a client sees it. */
export class TestService {
  private clients: Client[] = [];

  private constructor(
    readonly app: NestFastifyApplication,
    readonly dataDir: string,
    readonly port: number,
    /** Holds `inputs/`, `outputs/` and `logs/`. */
    readonly workspaceDir: string,
  ) {}

  /** Starts it on `dataDir`, or on a folder of its own that `stop` removes; with other runtimes than those of the list. */
  static async start(
    variables: Record<string, string>,
    dataDir?: string,
    runtimes?: readonly RuntimeDefinition[],
  ): Promise<TestService> {
    const folder = dataDir ?? (await makeDataFolder('maps-e2e-'));
    const defaults = { LOG_LEVEL: 'fatal', RUNNER_IMAGE: 'py-exec:slim', DATA_DIR: folder };
    const app = await createApp({ ...defaults, ...variables }, runtimes);
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    return new TestService(app, folder, port, variables.WORKSPACE_DIR ?? join(folder, 'workspaces'));
  }

  /** What the reserve beside the database holds. */
  reserveBytes(): number {
    return this.app.get(Database).file?.reserve.bytes ?? 0;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async graphql<T>(
    query: string,
    variables: object = {},
    headers: Record<string, string> = {},
  ): Promise<GraphqlAnswer<T>> {
    const response = await fetch(`${this.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query, variables }),
    });
    return (await response.json()) as GraphqlAnswer<T>;
  }

  /** The data of an operation that must succeed. */
  async ask<T>(query: string, variables: object = {}): Promise<T> {
    const { data, errors } = await this.graphql<T>(query, variables);
    if (errors || !data) throw new Error(`unexpected errors: ${JSON.stringify(errors)}`);
    return data;
  }

  /** Submits a job, returns its id. */
  async run(script: string, more: object = {}): Promise<string> {
    const query = 'mutation ($input: RunScriptInput!) { runScript(input: $input) { job { id } } }';
    const { runScript } = await this.ask<{ runScript: { job: { id: string } } }>(query, {
      input: { script, ...more },
    });
    return runScript.job.id;
  }

  async job(id: string): Promise<JobView> {
    return (await this.ask<{ job: JobView }>(`query ($id: ID!) { job(id: $id) { ${JOB_FIELDS} } }`, { id }))
      .job;
  }

  async cancel(id: string): Promise<JobView> {
    const query = `mutation ($id: ID!) { cancelJob(id: $id) { ${JOB_FIELDS} } }`;
    return (await this.ask<{ cancelJob: JobView }>(query, { id })).cancelJob;
  }

  async waitForState(id: string, state: RegExp, deadlineMs = 120_000): Promise<JobView> {
    let last: JobView | undefined;
    return waitFor(
      async () => {
        last = await this.job(id);
        return state.test(last.state) ? last : undefined;
      },
      { deadlineMs, describe: () => `job ${id} in state ${String(state)} (last: ${JSON.stringify(last)})` },
    );
  }

  waitForEnd(id: string, deadlineMs?: number): Promise<JobView> {
    return this.waitForState(id, /SUCCEEDED|FAILED|TIMED_OUT|CANCELLED|LOST/, deadlineMs);
  }

  /** The output folder of the job that left this file in it. */
  outputFolderWith(name: string): Promise<string> {
    return waitFor(
      async () => {
        const root = join(this.workspaceDir, 'outputs');
        const folders = (await readdir(root)).map((id) => join(root, id));
        return folders.find((folder) => existsSync(join(folder, name)));
      },
      { describe: () => `the file ${name} in some job's outputs` },
    );
  }

  /** A graphql-ws client that does not retry by itself. */
  socket(connectionParams: Record<string, unknown> = {}): Client {
    const client = createClient({
      url: `${this.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams,
      retryAttempts: 0,
    });
    this.clients.push(client);
    return client;
  }

  /** Every event of a job's log, to its end. */
  async logEvents(id: string, after?: string): Promise<LogEventView[]> {
    const events: LogEventView[] = [];
    const results = this.socket().iterate<{ jobLogs: LogEventView }>({
      query: LOGS,
      variables: { id, after },
    });
    for await (const { data, errors } of results) {
      if (errors || !data) throw new Error(`unexpected errors: ${JSON.stringify(errors)}`);
      events.push(data.jobLogs);
    }
    return events;
  }

  /** The whole log of one stream. */
  async logText(id: string, stream = 'STDOUT'): Promise<string> {
    const chunks = (await this.logEvents(id)).flatMap((event) => event.chunks);
    return chunks
      .filter((chunk) => chunk.stream === stream)
      .map((chunk) => chunk.text)
      .join('');
  }

  /** Stops the server; `keepData` leaves its folder for a next one. */
  async stop({ keepData = false } = {}): Promise<void> {
    for (const client of this.clients) await client.dispose();
    await this.app.close();
    if (!keepData) await rm(this.dataDir, { recursive: true, force: true });
  }
}
