import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { describeServiceRuntimes } from './support/service/service-runtimes.js';
import { TestService } from './support/service/service.js';
import { SmallDisk, whyNoMount } from './support/faults/small-disk.js';
import { describeTier } from './support/runtimes/runtime-tier.js';
import { waitFor } from './support/wait-for.js';

const MiB = 1024 * 1024;

/** Writes until there is no room, stays until the server has looked at its disks, and ends as one that noticed. */
const FILL_THE_DISK = `
import sys, time
with open("big", "wb", buffering=0) as f:
    try:
        while True: f.write(b"x" * 65536)
    except OSError:
        pass
    while True:
        try: f.write(b"x")
        except OSError: break
time.sleep(2)
sys.exit(3)`;

await describeServiceRuntimes(
  ({ name, variables }) => {
    describeTier('small-disk', whyNoMount(), () => {
      describe(`a disk that is full, with jobs on ${name}`, () => {
        let disk: SmallDisk;
        let service: TestService;

        beforeEach(async () => {
          disk = new SmallDisk(64);
          service = await start();
        });

        afterEach(async () => {
          await service.stop();
          await disk.unmount();
        });

        const start = (more: Record<string, string> = {}): Promise<TestService> =>
          TestService.start(
            { ...variables, MIN_FREE_DISK_MB: '16', MAX_CONCURRENT_JOBS: '1', ...more },
            join(disk.path, 'data'),
          );

        const health = async (): Promise<object> => {
          const response = await fetch(`${service.url}/health`);
          return { http: response.status, ...((await response.json()) as object) };
        };

        const submit = (script = 'print(1)') =>
          service.graphql<{ runScript: { job: { id: string } } }>(
            'mutation ($s: String!) { runScript(input: { script: $s }) { job { id } } }',
            {
              s: script,
            },
          );

        const allJobs = async (): Promise<string[]> => {
          const { jobs } = await service.ask<{ jobs: { edges: { node: { id: string } }[] } }>(
            '{ jobs(first: 100) { edges { node { id } } } }',
          );
          return jobs.edges.map(({ node }) => node.id);
        };

        const deleteJob = (id: string): Promise<unknown> =>
          service.ask('mutation ($id: ID!) { deleteJob(id: $id) }', { id });

        it('by a script: its end is stored, nothing new is taken, and deleting makes room for all', async () => {
          await waitFor(() => service.reserveBytes() > 0);
          const id = await service.run(FILL_THE_DISK);
          const waiting = await service.run('print("waited")');
          const job = await service.waitForEnd(id);
          expect(job).toMatchObject({ state: 'FAILED', reason: 'EXIT_NONZERO', exitCode: 3 });
          expect(job.outputs.map(({ path }) => path)).toEqual(['big']);
          expect(disk.freeBytes).toBeLessThan(8 * MiB);
          // A look at the disks is good for a second.
          const refused = await waitFor(async () => (await submit()).errors?.[0]);
          expect(refused.extensions).toMatchObject({
            code: 'STORAGE_FULL',
            retryAfterMs: expect.any(Number),
          });
          expect(await health()).toMatchObject({ http: 200, status: 'healthy', storage: 'full' });
          expect((await fetch(`${service.url}/backup`, { method: 'POST' })).status).toBe(507);
          expect((await service.job(waiting)).state).toBe('QUEUED');
          await deleteJob(id);
          expect((await service.waitForEnd(waiting)).state).toBe('SUCCEEDED');
          expect(await service.logText(waiting)).toBe('waited\n');
          expect(await health()).toMatchObject({ storage: 'ok' });
          await waitFor(async () => (await health(), service.reserveBytes() === 8 * MiB));
        });

        it('but for less than its floor: what runs goes on to its end, nothing new is stored, until there is room', async () => {
          const running = await service.run('import time; time.sleep(3); print("end")');
          await service.waitForState(running, /RUNNING/);
          disk.fill(10 * MiB);
          const refused = await waitFor(async () => (await submit()).errors?.[0]);
          expect(refused.extensions.code).toBe('STORAGE_FULL');
          const before = await allJobs();
          expect((await submit()).errors?.[0]?.extensions.code).toBe('STORAGE_FULL');
          expect([await allJobs(), disk.freeBytes > 8 * MiB]).toEqual([before, true]);
          expect(await service.waitForEnd(running)).toMatchObject({ reason: 'EXIT_ZERO' });
          disk.clear();
          const id = await waitFor(async () => (await submit()).data?.runScript.job.id);
          expect((await service.waitForEnd(id)).state).toBe('SUCCEEDED');
        });

        it('without a floor: an insert that finds no room is refused and leaves nothing behind', async () => {
          await service.stop({ keepData: true });
          service = await start({ MIN_FREE_DISK_MB: '0' });
          const first = await service.run('print(1)');
          await service.waitForEnd(first);
          disk.fill();
          const refused = await waitFor(
            async () => (await submit(`print(1) #${'x'.repeat(800_000)}`)).errors?.[0],
          );
          expect(refused).toMatchObject({ extensions: { code: 'STORAGE_FULL' } });
          const before = await allJobs();
          expect((await submit(`print(2) #${'x'.repeat(800_000)}`)).errors?.[0]?.extensions.code).toBe(
            'STORAGE_FULL',
          );
          expect(await allJobs()).toEqual(before);
          await deleteJob(first);
          expect(await allJobs()).toEqual(before.filter((id) => id !== first));
          disk.clear();
          expect((await service.waitForEnd(await service.run('print(3)'))).state).toBe('SUCCEEDED');
        });

        it('at a start: the server comes up, adopts what runs and stores its end', async () => {
          const id = await service.run('import time; time.sleep(4); print("end")');
          await service.waitForState(id, /RUNNING/);
          await service.stop({ keepData: true });
          disk.fill();
          service = await start();
          expect(await health()).toMatchObject({ http: 200, storage: 'full' });
          expect(await service.waitForEnd(id)).toMatchObject({ reason: 'EXIT_ZERO', attempt: 1 });
          disk.clear();
        });
      });
    });
  },
  ['process', 'docker'],
);
