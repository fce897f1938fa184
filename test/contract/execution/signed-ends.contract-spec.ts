import { truncateSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../../src/config/load-config.js';
import { Database } from '../../../src/database/database.js';
import type { Job } from '../../../src/jobs/record/job.js';
import { JobRepository } from '../../../src/jobs/store/job.repository.js';
import { encodeFrame } from '../../../src/runner/frames.js';
import { spoolPath } from '../../../src/workspace/workspace-paths.js';
import type { FakeWorkload } from '../../support/runtimes/fake/fake-workload.js';
import { exited } from '../../support/runtimes/fake/fake-workload.js';
import { CALLER } from '../../support/service/caller.js';
import { ExecutionBench, TERMINAL } from '../../support/service/execution-bench.js';

/** What a script can write to its spool decides nothing; on a fake engine, whose runners sign. */
describe('execution, of what a runner signed', () => {
  let bench: ExecutionBench;

  beforeEach(async () => {
    bench = await ExecutionBench.open();
  });

  afterEach(async () => {
    await bench.close();
    expect(bench.engine.violations).toEqual([]);
  });

  it('gives no other attempt to a script that emptied its log at once, and ends with a code of the runner', async () => {
    bench.engine.onStart = ({ spec }) => truncateSync(spoolPath(spec.workspace));
    const id = await bench.submit();
    (await bench.running(`runner-${id}`)).end(exited(122), false);
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({
      state: 'FAILED',
      reason: 'EXIT_NONZERO',
      exitCode: 122,
      attempt: 1,
    });
    expect((await bench.server.get(JobRepository).attempt(CALLER, id, 1))!.startedAtMs).not.toBeNull();
  });

  it('believes an end that the runner signed, also of a workload that is gone', async () => {
    const id = await bench.submit();
    const workload = await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    bench.spool.ended(workload.spec.workspace, exited(0));
    bench.engine.vanish(`runner-${id}`);
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({
      state: 'SUCCEEDED',
      exitCode: 0,
      hint: null,
    });
  });

  /** Puts a log of its own in the place of the one that was signed, and ends well. */
  const forgeEnd = (workload: FakeWorkload): void => {
    const started = encodeFrame({ kind: 'started', atMs: Date.now(), payload: '{"version":1}' });
    const ended = encodeFrame({ kind: 'ended', payload: '{"exitCode":0,"signal":null,"cpuSeconds":7}' });
    writeFileSync(spoolPath(workload.spec.workspace), Buffer.concat([started, ended]));
    workload.end(exited(0), false);
  };

  /** Runs a job whose script forges its end while no server runs, with columns of the job as another has set them. */
  const forgeWithoutServer = async (columns: Record<string, number>): Promise<Job> => {
    const id = await bench.submit();
    const workload = await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    await bench.server.close();
    forgeEnd(workload);
    const database = new Database(loadConfig({ DATA_DIR: bench.dataDir }));
    await database.db.updateTable('jobs').set(columns).execute();
    await database.onApplicationShutdown();
    await bench.start();
    return bench.waitForState(id, TERMINAL);
  };

  it('calls a script late by its own clock that put a log of its own in place', async () => {
    expect(await forgeWithoutServer({ deadline_at: Date.now() - 60_000 })).toMatchObject({
      state: 'TIMED_OUT',
      cpuMs: null,
    });
  });

  it('calls a script cancelled that put a log of its own in place', async () => {
    expect(await forgeWithoutServer({ cancel_requested: 1 })).toMatchObject({ state: 'CANCELLED' });
  });

  it('takes no figure of a log that a script put in place', async () => {
    expect(await forgeWithoutServer({ priority: 1 })).toMatchObject({
      state: 'SUCCEEDED',
      exitCode: 0,
      cpuMs: null,
    });
  });

  it('takes the log of an image whose runner signs nothing at its word, and says what mends that', async () => {
    bench.spool.signs = false;
    const id = await bench.submit();
    (await bench.running(`runner-${id}`)).end();
    expect(await bench.waitForState(id, TERMINAL)).toMatchObject({
      state: 'SUCCEEDED',
      cpuMs: 100,
      hint: expect.stringContaining('does not sign'),
    });
  });

  it('keeps the key of an attempt for as long as it runs, and tells it to nobody', async () => {
    const id = await bench.submit();
    const workload = await bench.running(`runner-${id}`);
    await bench.waitForState(id, /RUNNING/);
    const keyOf = (): Promise<{ key: string | null }> =>
      bench.server.get(Database).db.selectFrom('attempts').select('key').executeTakeFirstOrThrow();
    const { key } = await keyOf();
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    const jobs = bench.server.get(JobRepository);
    const told = [
      await jobs.find(CALLER, id),
      await jobs.attempt(CALLER, id, 1),
      await jobs.attemptsOf(CALLER, id),
    ];
    expect(JSON.stringify(told)).not.toContain(key);
    workload.end();
    await bench.waitForState(id, TERMINAL);
    expect(await keyOf()).toEqual({ key: null });
  });
});
