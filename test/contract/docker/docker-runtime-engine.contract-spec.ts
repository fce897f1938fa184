import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import Docker from 'dockerode';
import { createDockerRuntime } from '../../../src/runtime/docker/docker.runtime.js';
import { probeDocker } from '../../../src/runtime/docker/probe-docker.js';
import type { RuntimeProvider } from '../../../src/runtime/runtime-provider.js';
import { RuntimeUnavailableError } from '../../../src/runtime/runtime.errors.js';
import { RuntimeBench } from '../../support/runtimes/runtime-bench.js';
import { DockerBackdoor, whyNoDocker } from '../../support/runtimes/docker/runtime-docker.js';
import { SECRET_VALUES } from '../../support/runtimes/runtime-secrets.js';
import { EngineProxy } from '../../support/runtimes/docker/runtime-engine-proxy.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';
import { waitFor } from '../../support/wait-for.js';
import { SILENT_LOG } from '../../support/recorded-log.js';

const IMAGE = 'py-exec:slim';
const RUNS_ON = 'import time\nprint("ready", flush=True)\nwhile True: time.sleep(60)\n';
const ENDS_WITH_3 = 'raise SystemExit(3)\n';
const EXITED_3 = { kind: 'exited', exitCode: 3, oomKilled: false };
const EXITED_143 = { kind: 'exited', exitCode: 143, oomKilled: false };
const TIMEOUT_MS = 180_000;

describeTier('docker', await whyNoDocker(IMAGE), () => {
  describe('the docker runtime and an engine that comes and goes', () => {
    const installationId = `test-${randomUUID()}`;
    let bench: RuntimeBench;
    let proxy: EngineProxy;
    /** Reaches the engine through the proxy; the bench itself does not. */
    let runtime: RuntimeProvider;
    let dataDir: string;

    beforeAll(async () => {
      bench = await RuntimeBench.open({
        create: (folder) =>
          createDockerRuntime({ dataDir: (dataDir = folder), installationId, log: SILENT_LOG }),
        hooks: new DockerBackdoor(new Docker(), installationId),
        image: IMAGE,
      });
    });

    beforeEach(async () => {
      proxy = await EngineProxy.open();
      const server = { dataDir, installationId, log: SILENT_LOG, secrets: SECRET_VALUES };
      const options = { ...server, dockerHost: proxy.host, reconcileMs: 500 };
      runtime = await createDockerRuntime(options);
    });

    afterEach(async () => {
      await runtime.close();
      await waitFor(() => proxy.openConnections === 0, { describe: () => 'no connection after close' });
      await proxy.close();
      await bench.tidy();
    }, TIMEOUT_MS);

    afterAll(async () => {
      expect(await bench.close()).toEqual([]);
    }, TIMEOUT_MS);

    const follows = (): Promise<unknown> =>
      waitFor(() => proxy.requests.some((request) => request.endsWith('/events')), {
        describe: () => 'a request for events',
      });

    it('makes two requests to start a workload, and no more', async () => {
      const workload = await bench.prepare({ script: ENDS_WITH_3 });
      proxy.requests.length = 0;
      await workload.start(runtime);
      expect(proxy.requests).toEqual([
        'POST /containers/create',
        expect.stringMatching(/^POST \/containers\/[0-9a-f]{64}\/start$/),
      ]);
    });

    it('makes one request more for a workload with secrets, and leaves no connection open', async () => {
      const workload = await bench.prepare({ script: 'raise SystemExit(3)\n', secrets: ['API_KEY'] });
      proxy.requests.length = 0;
      await workload.start(runtime);
      expect(proxy.requests).toEqual([
        'POST /containers/create',
        expect.stringMatching(/^POST \/containers\/[0-9a-f]{64}\/attach$/),
        expect.stringMatching(/^POST \/containers\/[0-9a-f]{64}\/start$/),
      ]);
      await waitFor(() => proxy.openConnections === 0, { describe: () => 'the input closed' });
      expect(await workload.exit()).toEqual(EXITED_3);
    });

    it(
      'lets no script run without its secrets when the connection breaks before they are sent',
      async () => {
        for (const request of [/^POST .*\/attach$/, /^POST .*\/start$/]) {
          const script = 'open("/output/ran", "w")\n';
          const workload = await bench.prepare({ script, secrets: ['API_KEY'] });
          proxy.loseNextAnswerTo(request);
          await expect(workload.start(runtime)).rejects.toThrow(RuntimeUnavailableError);
          await workload.start(runtime);
          expect(await workload.exit(runtime)).toEqual({ kind: 'exited', exitCode: 124, oomKilled: false });
          expect((await workload.spool()).started).toBe(false);
          await expect(workload.output('ran')).rejects.toThrow('ENOENT');
        }
      },
      TIMEOUT_MS,
    );

    it('gives a workload its secrets when the engine made it and could not say so', async () => {
      const script = 'import os\nprint(len(os.environ["API_KEY"]))\n';
      const workload = await bench.prepare({ script, secrets: ['API_KEY'] });
      proxy.loseNextAnswerTo(/^POST \/containers\/create$/);
      await expect(workload.start(runtime)).rejects.toThrow(RuntimeUnavailableError);
      await workload.start(runtime);
      await workload.exit(runtime);
      expect((await workload.spool()).stdout).toBe(`${SECRET_VALUES.get('API_KEY')!.length}\n`);
    });

    it('follows all waits by one stream, and closes it with the last of them', async () => {
      const workloads = [];
      for (let n = 0; n < 3; n += 1) workloads.push(await bench.start({ script: RUNS_ON }));
      const abort = new AbortController();
      const waits = workloads.map((each) => runtime.wait(each.handle, abort.signal).catch(() => 'aborted'));
      await follows();
      const isLookedAt = (): boolean => proxy.requests.filter((each) => each.endsWith('/json')).length >= 4;
      await waitFor(isLookedAt, { describe: () => `every container looked at: ${proxy.requests.join()}` });
      expect(proxy.requests.filter((request) => request.endsWith('/events'))).toHaveLength(1);
      abort.abort();
      expect(await Promise.all(waits)).toEqual(['aborted', 'aborted', 'aborted']);
      await waitFor(() => proxy.openConnections === 0, { describe: () => 'the stream closed' });
    });

    it(
      'sees the end of a container after every connection was cut',
      async () => {
        const workload = await bench.start({ script: RUNS_ON });
        const exit = workload.exit(runtime);
        await workload.printed('ready');
        await follows();
        for (let n = 0; n < 3; n += 1) proxy.cut();
        await bench.provider.stop(workload.handle, 5);
        expect(await exit).toEqual(EXITED_143);
      },
      TIMEOUT_MS,
    );

    it(
      'sees the end of a container that ended while the engine could not be reached',
      async () => {
        const workload = await bench.start({ script: RUNS_ON });
        const exit = workload.exit(runtime);
        await workload.printed('ready');
        await follows();
        await proxy.refuse();
        await bench.provider.stop(workload.handle, 5);
        expect(await runtime.checkHealth()).toMatchObject({ healthy: false });
        await proxy.accept();
        expect(await exit).toEqual(EXITED_143);
        expect(await runtime.checkHealth()).toMatchObject({ healthy: true });
      },
      TIMEOUT_MS,
    );

    it(
      'sees the end of a container behind a connection that went silent',
      async () => {
        const workload = await bench.start({ script: RUNS_ON });
        const exit = workload.exit(runtime);
        await workload.printed('ready');
        await follows();
        proxy.silence();
        await bench.provider.stop(workload.handle, 5);
        expect(await exit).toEqual(EXITED_143);
      },
      TIMEOUT_MS,
    );

    it(
      'waits from the beginning for an engine that is away',
      async () => {
        const workload = await bench.start({ script: ENDS_WITH_3 });
        await workload.exit();
        await proxy.refuse();
        const exit = workload.exit(runtime);
        await expect(runtime.list()).rejects.toThrow(RuntimeUnavailableError);
        await proxy.accept();
        expect(await exit).toEqual(EXITED_3);
      },
      TIMEOUT_MS,
    );

    it(
      'says removed, and not lost, of a container that was removed while the engine could not be reached',
      async () => {
        const workload = await bench.start({ script: RUNS_ON });
        const exit = workload.exit(runtime);
        await workload.printed('ready');
        const isLookedAt = (): boolean =>
          proxy.requests.some((each) => /\/containers\/\w{64}\/json$/.test(each)) &&
          proxy.openConnections === 1;
        await waitFor(isLookedAt, { describe: () => 'the container looked at, and only the stream open' });
        await proxy.refuse();
        await workload.removeBehind();
        await proxy.accept();
        expect(await exit).toEqual({ kind: 'removed' });
      },
      TIMEOUT_MS,
    );

    it(
      'rejects whatever needs an answer while the engine is away',
      async () => {
        const workload = await bench.prepare({ script: ENDS_WITH_3 });
        const { handle } = await bench.start({ script: ENDS_WITH_3 });
        await proxy.refuse();
        await expect(runtime.start(workload.spec)).rejects.toThrow(RuntimeUnavailableError);
        await expect(runtime.stop(handle, 1)).rejects.toThrow(RuntimeUnavailableError);
        await expect(runtime.remove(handle)).rejects.toThrow(RuntimeUnavailableError);
        await expect(runtime.list()).rejects.toThrow(RuntimeUnavailableError);
        await proxy.accept();
        await workload.start(runtime);
        expect(await workload.exit(runtime)).toEqual(EXITED_3);
      },
      TIMEOUT_MS,
    );

    it('finds the engine unhealthy that accepts connections and says nothing', async () => {
      proxy.silenceAll();
      expect(await runtime.checkHealth()).toMatchObject({ healthy: false });
      proxy.speak();
      expect(await runtime.checkHealth()).toMatchObject({ healthy: true });
    });

    for (const [what, request] of [
      ['was made', /create$/],
      ['was started', /start$/],
    ] as const) {
      it(
        `runs a workload once when the answer that it ${what} is lost`,
        async () => {
          const workload = await bench.prepare({ script: ENDS_WITH_3 });
          proxy.loseNextAnswerTo(request);
          await expect(workload.start(runtime)).rejects.toThrow(RuntimeUnavailableError);
          await workload.start(runtime);
          expect(await workload.exit(runtime)).toEqual(EXITED_3);
          expect(await runtime.list()).toHaveLength(1);
        },
        TIMEOUT_MS,
      );
    }

    it('is not made of an engine that does not answer', async () => {
      await proxy.refuse();
      const options = { dataDir, installationId, log: SILENT_LOG, dockerHost: proxy.host };
      await expect(createDockerRuntime(options)).rejects.toThrow(RuntimeUnavailableError);
      const probe = await probeDocker({ dockerHost: proxy.host, image: IMAGE });
      expect(probe).toEqual({ fits: false, reason: 'No Docker engine answers.' });
    });
  });
});
