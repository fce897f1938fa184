import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Database } from '../src/database/database.js';
import { makeDataFolder } from './support/service/data-folder.js';
import { describeServiceRuntimes } from './support/service/service-runtimes.js';
import { ServerProcess } from './support/service/server-process.js';
import { TestService } from './support/service/service.js';
import { waitFor } from './support/wait-for.js';

await describeServiceRuntimes(({ name, variables }) => {
  describe(`the probes on ${name}`, () => {
    it('say healthy, live and ready; with the database away only live', async () => {
      const service = await TestService.start(variables);
      const ask = async (path: string): Promise<{ status: number; body: Record<string, unknown> }> => {
        const response = await fetch(service.url + path);
        return { status: response.status, body: (await response.json()) as Record<string, unknown> };
      };
      try {
        expect(await ask('/health')).toMatchObject({
          status: 200,
          body: { status: 'healthy', version: '0.1.0', runtime: { name, healthy: true } },
        });
        expect((await ask('/health/live')).status).toBe(200);
        expect(await ask('/health/ready')).toMatchObject({ status: 200, body: { status: 'ok' } });
        await service.app.get(Database).db.destroy();
        expect(await ask('/health')).toMatchObject({
          status: 503,
          body: { status: 'unhealthy', database: 'down' },
        });
        expect((await ask('/health/ready')).status).toBe(503);
        expect((await ask('/health/live')).status).toBe(200);
      } finally {
        await service.stop();
      }
    });
  });

  // What follows is about starting, whatever the runtime.
  if (name !== 'process') return;

  describe('npm start', () => {
    let dataDir: string;
    let servers: ServerProcess[];

    beforeEach(async () => {
      dataDir = await makeDataFolder('maps-start-');
      servers = [];
    });

    afterEach(async () => {
      for (const server of servers) server.child.kill('SIGKILL');
      await Promise.all(servers.map(({ exited }) => exited));
      await rm(dataDir, { recursive: true, force: true });
    });

    const start = (more: Record<string, string> = {}): ServerProcess => {
      const server = new ServerProcess({
        ...variables,
        DATA_DIR: dataDir,
        PORT: '0',
        ...more,
      });
      servers.push(server);
      return server;
    };

    it('says why it chose its runtime and where it listens, and ends on SIGTERM', async () => {
      const server = start();
      const url = await server.listening();
      expect(server.lines.find((line) => line.msg === 'runtime chosen')).toMatchObject({
        runtime: 'process',
        reason: 'EXECUTION_RUNTIME=process',
      });
      expect((await fetch(`${url}/health`)).status).toBe(200);
      server.child.kill('SIGTERM');
      await server.exited;
    });

    it('ends on SIGTERM although a client holds a subscription and does not read', async () => {
      const server = start();
      const url = await server.listening();
      const body = JSON.stringify({
        query:
          'mutation { runScript(input: { script: "import time\\nwhile True: print(1)", timeoutSeconds: 600 }) { job { id } } }',
      });
      const answer = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      const { data } = (await answer.json()) as { data: { runScript: { job: { id: string } } } };
      const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
      await once(socket, 'open');
      socket.send('{"type":"connection_init"}');
      await once(socket, 'message');
      const query = 'subscription ($id: ID!) { jobLogs(jobId: $id) { chunks { text } } }';
      socket.send(
        JSON.stringify({
          id: '1',
          type: 'subscribe',
          payload: { query, variables: { id: data.runScript.job.id } },
        }),
      );
      await once(socket, 'message');
      socket.pause();
      server.child.kill('SIGTERM');
      const ended = await Promise.race([server.exited.then(() => true), setTimeout(60_000, false)]);
      socket.terminate();
      expect(ended).toBe(true);
      const next = start();
      const variables = { id: data.runScript.job.id };
      await next.ask('mutation ($id: ID!) { cancelJob(id: $id) { id } }', variables);
      const job = 'query ($id: ID!) { job(id: $id) { state } }';
      await waitFor(
        async () => (await next.ask<{ job: { state: string } }>(job, variables)).job.state === 'CANCELLED',
      );
    });

    it('names every fault of its configuration, and no value', async () => {
      const server = start({ PORT: 'many', MAX_PIDS: '-1', API_TOKEN: 'hush' });
      expect(await server.exited).toBe(1);
      for (const variable of ['PORT', 'MAX_PIDS', 'API_TOKEN'])
        expect(server.stderr).toContain(`- ${variable}`);
      expect(server.stderr).not.toMatch(/many|hush|\bat .*\.js/);
    });

    it('refuses to share its data with another server, and to be open to the network without a token', async () => {
      await start().listening();
      const second = start();
      expect(await second.exited).toBe(1);
      expect(second.stderr).toMatch(/in use by another running server/);
      const open = start({ HOST: '0.0.0.0', DATA_DIR: join(dataDir, 'other') });
      expect(await open.exited).toBe(1);
      expect(open.stderr).toMatch(/API_TOKEN is required/);
    });

    it('leaves no worker behind where its port is taken, and says what to do', async () => {
      const taken = createServer();
      taken.listen(0, '127.0.0.1');
      await once(taken, 'listening');
      const port = String((taken.address() as AddressInfo).port);
      const server = start({ PORT: port, WARM_POOL: 'default=2..2' });
      const code = await server.exited;
      taken.close();
      expect([code, server.stderr]).toEqual([
        1,
        `The service cannot start. Something else listens on port ${port} of 127.0.0.1 already. Stop it, or set PORT to a free one.\n`,
      ]);
      expect(workloadsOf(dataDir)).toEqual([]);
    });

    it('goes on when a signal comes that means nothing to it', async () => {
      const server = start();
      const url = await server.listening();
      server.signal('SIGUSR2');
      await waitFor(() => server.lines.some(({ msg }) => String(msg).startsWith('SIGUSR2 means nothing')));
      expect((await fetch(`${url}/health/live`)).status).toBe(200);
    });

    it('on SIGTERM sends its clients to the next server with a code that means again, and leaves its jobs', async () => {
      const first = start();
      const url = await first.listening();
      const id = await first.run('import time\nfor i in range(60):\n print(i, flush=True); time.sleep(0.05)');
      const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
      await once(socket, 'open');
      const closed = once(socket, 'close');
      await waitFor(async () => (await (await fetch(`${url}/jobs/${id}/logs.txt`)).text()).includes('3\n'));
      const stoppedAt = performance.now();
      first.signal('SIGTERM');
      // 1001, going away: one of those after which clients of the protocol connect again by themselves.
      expect((await closed)[0]).toBe(1001);
      await first.exited;
      // On an idle machine far less than the grace that Kubernetes and Compose give it.
      expect(performance.now() - stoppedAt).toBeLessThan(60_000);
      const second = start();
      const next = await second.listening();
      const query = 'query ($id: ID!) { job(id: $id) { state attempt } }';
      await waitFor(
        async () => (await second.ask<{ job: { state: string } }>(query, { id })).job.state === 'SUCCEEDED',
      );
      expect(await second.ask(query, { id })).toEqual({ job: { state: 'SUCCEEDED', attempt: 1 } });
      const log = await (await fetch(`${next}/jobs/${id}/logs.txt`)).text();
      expect(log).toBe(Array.from({ length: 60 }, (_, n) => `${n}\n`).join(''));
    });

    it('takes its running jobs over after kill -9: none lost, none run twice, the log whole', async () => {
      const first = start();
      const url = await first.listening();
      const script = 'import time\nfor i in range(40):\n print(i, flush=True); time.sleep(0.05)';
      const query = 'mutation ($s: String!) { runScript(input: { script: $s }) { job { id } } }';
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query, variables: { s: script } }),
      });
      const { data } = (await response.json()) as { data: { runScript: { job: { id: string } } } };
      const { id } = data.runScript.job;
      await waitFor(async () => (await (await fetch(`${url}/jobs/${id}/logs.txt`)).text()).includes('3\n'));
      first.child.kill('SIGKILL');
      await first.exited;
      const next = await start().listening();
      const ask = async (): Promise<{ state: string; attempt: number }> => {
        const body = JSON.stringify({ query: `{ job(id: "${id}") { state attempt } }` });
        const answer = await fetch(`${next}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
        });
        return ((await answer.json()) as { data: { job: { state: string; attempt: number } } }).data.job;
      };
      await waitFor(async () => (await ask()).state === 'SUCCEEDED');
      expect(await ask()).toEqual({ state: 'SUCCEEDED', attempt: 1 });
      const log = await (await fetch(`${next}/jobs/${id}/logs.txt`)).text();
      expect(log).toBe(Array.from({ length: 40 }, (_, i) => `${i}\n`).join(''));
    });
  });
});

/** The processes of workloads whose state lies in a data folder: each was started with the name of its own. */
function workloadsOf(dataDir: string): string[] {
  const isOf = (pid: string): boolean => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`=${dataDir}/process/`);
    } catch {
      return false;
    }
  };
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isOf(name));
}
