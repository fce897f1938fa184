import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fixture } from './support/runtimes/runtime-bench.js';
import { describeServiceRuntimes } from './support/service/service-runtimes.js';
import { TestService } from './support/service/service.js';
import type { RuntimeProvider } from '../src/runtime/runtime-provider.js';
import { RUNTIME_PROVIDER } from '../src/runtime/runtime-provider.js';
import { waitFor } from './support/wait-for.js';

const SLEEP = 'import time\nprint("up", flush=True)\ntime.sleep(300)';

await describeServiceRuntimes(({ name, variables, isolates }) => {
  describe(`jobs on ${name}`, () => {
    let service: TestService;

    beforeAll(async () => {
      service = await TestService.start({
        ...variables,
        MAX_CONCURRENT_JOBS: '2',
        MAX_QUEUED_JOBS: '4',
        STOP_GRACE_SECONDS: '1',
      });
    });

    afterAll(async () => {
      await service.stop();
    });

    it('runs a script with its request, files and variables, and lists its outputs', async () => {
      const id = await service.run(
        [
          'import json, os, sys',
          'city = json.load(open(os.environ["REQUEST_PATH"]))["city"]',
          'print(city, open(os.environ["INPUT_DIR"] + "/data/a.txt").read(), os.environ["MODE"])',
          'print("warning", file=sys.stderr)',
          'os.makedirs("maps"); open("maps/ä b.geojson", "w").write("{}")',
          'os.symlink("/etc/passwd", "stolen")',
        ].join('\n'),
        {
          request: { city: 'Åre' },
          files: [{ path: 'data/a.txt', base64: Buffer.from('α').toString('base64') }],
          env: [{ name: 'MODE', value: 'fast' }],
        },
      );
      const job = await service.waitForEnd(id);
      expect(job).toMatchObject({
        state: 'SUCCEEDED',
        reason: 'EXIT_ZERO',
        exitCode: 0,
        signal: null,
        attempt: 1,
      });
      expect(job.outputs).toEqual([
        {
          path: 'maps/ä b.geojson',
          size: 2,
          sha256: '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
          contentType: 'application/geo+json',
          url: `/jobs/${id}/outputs/maps/%C3%A4%20b.geojson`,
        },
      ]);
      expect(job.skippedOutputs).toEqual([{ path: 'stolen', why: 'symbolic link' }]);
      expect(await service.logText(id)).toBe('Åre α fast\n');
      expect(await service.logText(id, 'STDERR')).toBe('warning\n');
    });

    (isolates ? it : it.skip)(
      'finds its files at /input and leaves others at /output, by these names',
      async () => {
        const copy = 'import shutil\nshutil.copy("/input/data/a.txt", "/output/b.txt")\n';
        const script = `${copy}print(open("/input/request.json").read(), open("b.txt").read())`;
        const files = [{ path: 'data/a.txt', text: 'α' }];
        const id = await service.run(script, { request: [1], files });
        const { state, outputs } = await service.waitForEnd(id);
        expect([state, outputs.map(({ path }) => path)]).toEqual(['SUCCEEDED', ['b.txt']]);
        expect(await service.logText(id)).toBe('[1] α\n');
      },
    );

    it.each([
      ['exit-3', { state: 'FAILED', reason: 'EXIT_NONZERO', exitCode: 3, signal: null }],
      ['exit-137', { state: 'FAILED', reason: 'EXIT_NONZERO', exitCode: 137, signal: null }],
      ['signal-kill-self', { state: 'FAILED', reason: 'SIGNAL', exitCode: null, signal: 'SIGKILL' }],
      ['segfault', { state: 'FAILED', reason: 'SIGNAL', exitCode: null, signal: 'SIGSEGV' }],
      ['syntax-error', { state: 'FAILED', reason: 'EXIT_NONZERO', exitCode: 1 }],
    ])(
      'tells how %s ended',
      async (script, expected) => {
        const id = await service.run(await fixture(script));
        expect(await service.waitForEnd(id)).toMatchObject(expected);
      },
      60_000,
    );

    it('tells out of memory from being killed', async () => {
      const id = await service.run(await fixture('memory-bomb'), { memoryMb: 64 });
      // Without a cgroup the kernel kills nobody: the script is refused the memory, and says so itself.
      const refused = { reason: 'EXIT_NONZERO', exitCode: 1, signal: null };
      const killed = { reason: 'OUT_OF_MEMORY', signal: 'SIGKILL' };
      const expected = (await memoryLimit(service)) === 'cgroup' ? killed : refused;
      expect(await service.waitForEnd(id)).toMatchObject({ state: 'FAILED', ...expected });
      if (expected === refused) expect(await service.logText(id, 'STDERR')).toContain('MemoryError');
    });

    it('counts a script that handles the death of its child as a success', async () => {
      const id = await service.run(await fixture('memory-bomb-child-handled'), { memoryMb: 64 });
      expect(await service.waitForEnd(id)).toMatchObject({ state: 'SUCCEEDED', reason: 'EXIT_ZERO' });
    });

    it('ends a script at its time limit, also one that then ends well', async () => {
      const ids = [
        await service.run(SLEEP, { timeoutSeconds: 1 }),
        await service.run(await fixture('ends-inside-grace'), { timeoutSeconds: 1 }),
      ];
      for (const id of ids)
        expect(await service.waitForEnd(id)).toMatchObject({ state: 'TIMED_OUT', reason: 'TIMEOUT' });
    });

    it('cancels a running job once, and returns it unchanged afterwards', async () => {
      const id = await service.run(SLEEP);
      await service.waitForState(id, /RUNNING/);
      await service.cancel(id);
      const ended = await service.waitForEnd(id);
      expect(ended).toMatchObject({ state: 'CANCELLED', reason: 'CANCELLED_BY_USER' });
      expect(await service.cancel(id)).toEqual(ended);
      expect(await service.logText(id)).toBe('up\n');
    });

    it('cancels a job at any moment of its start, with one final state', async () => {
      for (const delayMs of [0, 5, 20, 60, 120, 200, 300, 400]) {
        const id = await service.run(SLEEP);
        await new Promise((resolve) => setTimeout(resolve, delayMs));
        await service.cancel(id);
        expect(await service.waitForEnd(id)).toMatchObject({
          state: 'CANCELLED',
          reason: 'CANCELLED_BY_USER',
        });
      }
    });

    it('bounds how many run and wait, takes the most important first, and refuses what does not fit', async () => {
      const running = [await service.run(SLEEP), await service.run(SLEEP)];
      for (const id of running) await service.waitForState(id, /RUNNING/);
      const order = 'open("t","w").write("x")';
      const waiting = [
        await service.run(order, { name: 'low' }),
        await service.run(order, { name: 'first of the high', priority: 5 }),
        await service.run(order, { name: 'second of the high', priority: 5 }),
        await service.run(order, { name: 'cancelled' }),
      ];
      const refused = await service.graphql('mutation { runScript(input: { script: "1" }) { job { id } } }');
      expect(refused.errors?.[0]?.extensions).toMatchObject({
        code: 'QUEUE_FULL',
        retryAfterMs: expect.any(Number),
      });
      expect(await service.cancel(waiting[3]!)).toMatchObject({ state: 'CANCELLED', attempt: 0 });

      await service.cancel(running[0]!);
      const ends = await Promise.all(waiting.slice(0, 3).map((id) => service.waitForEnd(id)));
      expect(ends.map((job) => job.state)).toEqual(['SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED']);
      const { jobs } = await service.ask<{ jobs: { edges: { node: { id: string; startedAt: string } }[] } }>(
        '{ jobs(first: 20) { edges { node { id startedAt } } } }',
      );
      const startedAt = new Map(jobs.edges.map(({ node }) => [node.id, node.startedAt]));
      const startTimes = [1, 2, 0].map((at) => startedAt.get(waiting[at]!)!);
      expect(startTimes).toEqual([...startTimes].sort());
      await service.cancel(running[1]!);
      await service.waitForEnd(running[1]!);
    });

    it('answers one idempotency key with one job, also fifty times at once', async () => {
      const input = { script: 'print(1)', idempotencyKey: 'k-1', request: { b: 1, a: 2 } };
      const query = 'mutation ($input: RunScriptInput!) { runScript(input: $input) { job { id } } }';
      const answers = await Promise.all(
        Array.from({ length: 50 }, () =>
          service.graphql<{ runScript: { job: { id: string } } }>(query, { input }),
        ),
      );
      expect(new Set(answers.map((answer) => answer.data?.runScript.job.id)).size).toBe(1);
      const other = await service.graphql(query, { input: { ...input, request: { a: 1 } } });
      expect(other.errors?.[0]?.extensions.code).toBe('IDEMPOTENCY_MISMATCH');
      await service.waitForEnd(answers[0]!.data!.runScript.job.id);
    });

    it('runs a failed script again as often as asked, with the log of every attempt', async () => {
      const id = await service.run('import os; print("attempt"); os._exit(1)', { retries: 1 });
      expect(await service.waitForEnd(id)).toMatchObject({ state: 'FAILED', attempt: 2 });
      const chunks = (await service.logEvents(id)).flatMap((event) => event.chunks);
      const textOf = (attempt: number): string =>
        chunks
          .filter((chunk) => chunk.attempt === attempt)
          .map(({ text }) => text)
          .join('');
      expect([textOf(1), textOf(2)]).toEqual(['attempt\n', 'attempt\n']);
      expect(chunks.filter(({ seq }) => seq === 1).map(({ attempt }) => attempt)).toEqual([1, 2]);
    });

    it('deletes a finished job with its folders, and refuses a live one', async () => {
      const id = await service.run(SLEEP);
      const query = 'mutation ($id: ID!) { deleteJob(id: $id) }';
      expect((await service.graphql(query, { id })).errors?.[0]?.extensions.code).toBe('CONFLICT');
      await service.cancel(id);
      await service.waitForEnd(id);
      await service.ask(query, { id });
      await service.ask(query, { id });
      expect(
        (await service.graphql('query ($id: ID!) { job(id: $id) { id } }', { id })).errors?.[0]?.extensions
          .code,
      ).toBe('NOT_FOUND');
    });

    it('follows a job by subscription: the present state first, the final one last', async () => {
      const id = await service.run('import time; time.sleep(0.3)');
      const states: string[] = [];
      const query = 'subscription ($id: ID!) { jobUpdated(jobId: $id) { state } }';
      for await (const { data } of service
        .socket()
        .iterate<{ jobUpdated: { state: string } }>({ query, variables: { id } })) {
        states.push(data!.jobUpdated.state);
      }
      expect(states.at(-1)).toBe('SUCCEEDED');
      const order = ['QUEUED', 'STARTING', 'RUNNING', 'SUCCEEDED'].filter((state) => states.includes(state));
      expect(states).toEqual(order);
    });

    it('follows all jobs by subscription, each to its end', async () => {
      const query = 'subscription { jobsUpdated { id state } }';
      const seen = service.socket().iterate<{ jobsUpdated: { id: string; state: string } }>({ query });
      // What runs until the subscription has begun is not told of.
      let sent = await service.run('print(1)');
      const ends = new Map<string, string>();
      const ids = new Set<string>();
      const sending = (async () => {
        while (ends.size === 0) {
          await service.waitForEnd(sent);
          sent = await service.run('print(1)');
        }
        for (let n = 0; n < 3; n++) {
          sent = await service.run('print(1)');
          ids.add(sent);
          await service.waitForEnd(sent);
        }
      })();
      for await (const { data } of seen) {
        const { id, state } = data!.jobsUpdated;
        expect(ends.get(id) ?? state).toBe(state);
        if (/SUCCEEDED/.test(state)) ends.set(id, state);
        if (ids.size === 3 && [...ids].every((each) => ends.has(each))) break;
      }
      await sending;
    });

    it('leaves jobs running when it stops, and the next server sees them through', async () => {
      const first = await TestService.start({ ...variables });
      const script = 'import time\nfor i in range(30):\n print(i, flush=True); time.sleep(0.1)';
      const id = await first.run(script);
      await first.waitForState(id, /RUNNING/);
      await first.stop({ keepData: true });
      const second = await TestService.start({ ...variables }, first.dataDir);
      try {
        expect(await second.waitForEnd(id)).toMatchObject({ state: 'SUCCEEDED', attempt: 1 });
        expect(await second.logText(id)).toBe(Array.from({ length: 30 }, (_, i) => `${i}\n`).join(''));
      } finally {
        await second.stop();
      }
    });

    it('leaves no inputs and no workload of finished jobs behind', async () => {
      await waitFor(async () => (await readdir(join(service.workspaceDir, 'inputs'))).length === 0, {
        describe: () => 'the inputs of finished jobs are removed',
      });
      let left: unknown[] = [];
      await waitFor(
        async () => {
          left = await service.app.get<RuntimeProvider>(RUNTIME_PROVIDER).list(new AbortController().signal);
          return left.length === 0;
        },
        { describe: () => `no workload; there are ${JSON.stringify(left)}` },
      );
    });
  });
});

async function memoryLimit(service: TestService): Promise<unknown> {
  interface Answer {
    service: { runtime: { capabilities: Record<string, unknown> } };
  }
  const answer = await service.ask<Answer>('{ service { runtime { capabilities } } }');
  return answer.service.runtime.capabilities.memoryLimit;
}
