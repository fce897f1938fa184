import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { newId } from '../../../src/common/ids.js';
import type { Principal } from '../../../src/common/principal.js';
import { SYSTEM } from '../../../src/common/principal.js';
import type { Database } from '../../../src/database/database.js';
import type { JobResult, Requeue } from '../../../src/jobs/store/attempt.repository.js';
import type { ClaimedJob, Job, NewAttempt } from '../../../src/jobs/record/job.js';
import { AttemptRepository } from '../../../src/jobs/store/attempt.repository.js';
import { RetentionRepository } from '../../../src/jobs/store/retention.repository.js';
import { ClaimRepository } from '../../../src/jobs/store/claim.repository.js';
import {
  IdempotencyMismatchError,
  QueueFullError,
  StaleFenceError,
} from '../../../src/jobs/record/job.errors.js';
import type { NewJob, StoredJob } from '../../../src/jobs/store/submission.repository.js';
import { SubmissionRepository } from '../../../src/jobs/store/submission.repository.js';
import { JobRepository } from '../../../src/jobs/store/job.repository.js';
import type { JobSubmission } from '../../../src/jobs/record/job-submission.js';
import { submission } from '../../support/service/job-submission.js';
import { CALLER } from '../../support/service/caller.js';

const NOW = 1_800_000_000_000;
const LEASE_MS = 10_000;

/** What every database must do for jobs: one body over all of them. */
export function describeJobStore(name: string, open: () => Promise<Database>): void {
  describe(`the job store on ${name}`, () => {
    let database: Database;
    let jobs: JobRepository;
    let submissions: SubmissionRepository;
    let attempts: AttemptRepository;
    let claims: ClaimRepository;
    let retention: RetentionRepository;

    beforeAll(async () => {
      database = await open();
      await database.migrate();
      jobs = new JobRepository(database);
      submissions = new SubmissionRepository(database, jobs);
      attempts = new AttemptRepository(database);
      claims = new ClaimRepository(database);
      retention = new RetentionRepository(database);
    });

    afterAll(async () => {
      await database.onApplicationShutdown();
    });

    beforeEach(async () => {
      await database.db.deleteFrom('jobs').execute();
    });

    const store = (more: Partial<JobSubmission> = {}, how: Partial<NewJob> = {}): Promise<StoredJob> =>
      submissions.insert(CALLER, submission(more), { id: newId(), nowMs: NOW, maxQueued: 1000, ...how });

    const insert = async (more: Partial<JobSubmission> = {}, maxQueued = 1000): Promise<string> =>
      (await store(more, { maxQueued })).job.id;

    /** As a server with a free slot does. */
    const insertTaken = (more: Partial<JobSubmission> = {}): Promise<StoredJob> => {
      const id = newId();
      return store(more, { id, take: { owner: 'a', leaseMs: LEASE_MS, attempt: plan({ id, attempt: 1 }) } });
    };

    const claim = (owner: string, limit = 10, nowMs = NOW): Promise<ClaimedJob[]> =>
      claims.claim(owner, limit, nowMs, LEASE_MS, plan);

    const claimOne = async (owner = 'a'): Promise<ClaimedJob> => (await claim(owner, 1))[0]!;

    /** What is stored of a job that is none of its record. */
    const column = async (
      id: string,
      name: 'stored_bytes' | 'lease_until' | 'start_intent_at',
    ): Promise<number | null> => {
      const row = await database.db
        .selectFrom('jobs')
        .innerJoin('attempts', 'attempts.job_id', 'jobs.id')
        .select(['stored_bytes', 'lease_until', 'start_intent_at'])
        .where('jobs.id', '=', id)
        .executeTakeFirstOrThrow();
      return row[name];
    };

    it('migrates again without harm', async () => {
      await insert();
      await database.migrate();
      expect(await jobs.list(CALLER, {}, 10)).toHaveLength(1);
    });

    it('keeps everything of a submission', async () => {
      const files = [{ path: 'a/b.bin', content: Buffer.from([0, 255, 1]) }];
      const id = await insert({
        files,
        env: { A: 'ä' },
        secrets: ['KEY'],
        requestText: '{"x":[1,null]}',
        labels: [{ name: 'n', value: 'v' }],
      });
      expect(await jobs.find(CALLER, id)).toMatchObject({
        id,
        state: 'QUEUED',
        attempt: 0,
        createdAtMs: NOW,
        cpus: 0.5,
      });
      expect((await jobs.specs(CALLER, [id])).get(id)).toMatchObject({
        script: 'print(1)',
        requestText: '{"x":[1,null]}',
        env: { A: 'ä' },
        secrets: ['KEY'],
      });
      const [file] = await jobs.inputFiles(CALLER, id);
      expect([file!.path, Buffer.compare(file!.content, files[0]!.content)]).toEqual(['a/b.bin', 0]);
      expect((await jobs.labels(CALLER, [id])).get(id)).toEqual([{ name: 'n', value: 'v' }]);
    });

    it('refuses a job beyond the bound, and stores nothing of it', async () => {
      await insert({}, 1);
      await expect(insert({}, 1)).rejects.toThrow(QueueFullError);
      expect(await jobs.list(CALLER, {}, 10)).toHaveLength(1);
    });

    it('shows and changes nothing of one tenant for another, and everything for the service itself', async () => {
      const more: Partial<JobSubmission> = {
        files: [{ path: 'a', content: Buffer.from('x') }],
        labels: [{ name: 'n', value: 'v' }],
        idempotencyKey: 'shared',
      };
      const id = await insert(more);
      const { fence } = await claimOne();
      await attempts.finish(fence, result({ outputs: { files: [outputFile('a')], skipped: [] } }));
      const waiting = await insert();
      const other: Principal = { ...CALLER, tenant: 'other' };
      const seenBy = async (principal: Principal): Promise<unknown[]> => [
        await jobs.find(principal, id),
        ...(await jobs.list(principal, {}, 10)),
        ...(await jobs.list(principal, { labels: [{ name: 'n', value: 'v' }] }, 10)),
        ...(await jobs.findMatching(principal, [id], {})),
        ...(await jobs.specs(principal, [id])).keys(),
        ...(await jobs.labels(principal, [id])).keys(),
        ...(await jobs.attempts(principal, [id])).keys(),
        ...(await jobs.attemptsOf(principal, id)),
        await jobs.attempt(principal, id, 1),
        ...(await jobs.inputFiles(principal, id)),
        ...(await jobs.outputs(principal, id, 1, 10)),
        await jobs.output(principal, id, 1, 'a'),
        ...(await jobs.countByState(principal)).keys(),
        ...(await retention.rows(principal, 10)),
        (await retention.page(principal, 10)).last,
      ];
      expect((await seenBy(other)).filter((each) => each !== undefined)).toEqual([]);
      const seen = await seenBy(CALLER);
      expect(seen).not.toContain(undefined);
      expect(await seenBy(SYSTEM.sweeper)).toEqual(seen);
      expect(await jobs.cancelQueued(other, waiting, NOW)).toBe(false);
      const running = (await claimOne()).job.id;
      expect(await jobs.requestCancel(other, running)).toBe(false);
      expect(await jobs.deleteFinished(other, id)).toBeUndefined();
      expect(await retention.deleteOldest(other, { finishedAtMs: NOW * 2, id: '' }, () => [])).toEqual([]);
      // A key is its tenant's.
      const theirs = await submissions.insert(other, submission({ idempotencyKey: 'shared', script: '2' }), {
        id: newId(),
        nowMs: NOW,
        maxQueued: 1000,
      });
      expect(theirs.job.id).not.toBe(id);
      expect(await jobs.find(CALLER, theirs.job.id)).toBeUndefined();
      expect(await jobs.find(other, theirs.job.id)).toBeDefined();
      expect(await jobs.deleteFinished(CALLER, id)).toMatchObject({ id });
      const nobody = submissions.insert(SYSTEM.dispatcher, submission({}), {
        id: newId(),
        nowMs: NOW,
        maxQueued: 1000,
      });
      await expect(nobody).rejects.toThrow('system:dispatcher acts for no tenant');
    });

    it('finds the job of an idempotency key, and refuses the key with another body', async () => {
      const first = await insert({ idempotencyKey: 'k' });
      expect(await insert({ idempotencyKey: 'k' })).toBe(first);
      await expect(insert({ idempotencyKey: 'k', script: 'print(2)' })).rejects.toThrow(
        IdempotencyMismatchError,
      );
      await expect(insert({ idempotencyKey: 'k', secrets: ['A'] })).rejects.toThrow(IdempotencyMismatchError);
      const ids = await Promise.all(Array.from({ length: 20 }, () => insert({ idempotencyKey: 'l' })));
      expect(new Set(ids).size).toBe(1);
    });

    it('runs one job for a key however often it is sent at once', async () => {
      const sent = Array.from({ length: 50 }, () => insert({ idempotencyKey: 'once' }));
      expect(new Set(await Promise.all(sent)).size).toBe(1);
      expect(await jobs.list(CALLER, {}, 100)).toHaveLength(1);
      expect(await claim('a', 100)).toHaveLength(1);
    });

    it('lets a key be used again, for whatever, when its job was deleted', async () => {
      const first = await insert({ idempotencyKey: 'again' });
      await jobs.cancelQueued(CALLER, first, NOW);
      await jobs.deleteFinished(CALLER, first);
      const second = await insert({ idempotencyKey: 'again', script: 'print(2)' });
      expect(second).not.toBe(first);
      await expect(insert({ idempotencyKey: 'again' })).rejects.toThrow(IdempotencyMismatchError);
    });

    it('stores nothing new where it is refused, and still finds what a key names', async () => {
      const known = await insert({ idempotencyKey: 'known' });
      const refused = (key: string): Promise<StoredJob> =>
        store({ idempotencyKey: key }, { refusal: new Error('no room') });
      expect((await refused('known')).job.id).toBe(known);
      await expect(refused('new')).rejects.toThrow('no room');
      expect(await jobs.list(CALLER, {}, 10)).toHaveLength(1);
    });

    it('adds up what a job keeps on the disks over its attempts', async () => {
      await insert();
      const first = await claimOne();
      await attempts.requeue(first.fence, requeued({ storedBytes: 7 }, NOW));
      const { fence } = await claimOne();
      await attempts.finish(fence, result({ storedBytes: 2 ** 41 }));
      expect(await column(fence.jobId, 'stored_bytes')).toBe(2 ** 41 + 7);
    });

    it('claims by priority, then age, not before its time, and each job once', async () => {
      const low = await insert();
      const high = await insert({ priority: 1 });
      const next = await insert();
      expect((await claim('a', 2)).map(({ job }) => job.id)).toEqual([high, low]);
      const [last] = await claim('a');
      expect(last).toMatchObject({
        job: { id: next, state: 'STARTING', attempt: 1, epoch: 1, owner: 'a' },
        attempt: { number: 1, workload: `w-${next}-1`, handle: null, startedAtMs: null },
        fence: { jobId: next, attempt: 1, epoch: 1, owner: 'a' },
        spec: { script: 'print(1)' },
      });
      expect(await claim('b')).toEqual([]);
    });

    it('claims 500 of many jobs at once: more may be too many for a statement', async () => {
      for (let n = 0; n < 502; n++) await insert();
      expect(await claim('a', 10_000)).toHaveLength(500);
      expect(await claim('a', 10_000)).toHaveLength(2);
    });

    it('takes a job that nobody waits before as it stores it, as a claim would have', async () => {
      const taken = await insertTaken({ env: { A: '1' } });
      expect(taken.claim?.job).toEqual(taken.job);
      expect(await claim('b')).toEqual([]);
      await insert({ env: { A: '1' } });
      const claimed = await claimOne();
      // But for who it is.
      const shape = ({ fence, job, attempt, spec }: ClaimedJob): unknown => {
        const { script, requestText, env, secrets } = spec;
        const asked = { script, requestText, env, secrets };
        const text = JSON.stringify({ fence, job, attempt: { ...attempt, workspace: '' }, asked });
        return JSON.parse(text.replaceAll(job.id, 'ID'));
      };
      expect(shape(taken.claim!)).toEqual(shape(claimed));
      expect(await jobs.attemptsOf(CALLER, taken.job.id)).toEqual([taken.claim!.attempt]);
      expect(await column(taken.job.id, 'start_intent_at')).toBe(NOW);
      expect(await jobs.find(CALLER, taken.job.id)).toEqual(taken.job);
      const leases = [await column(taken.job.id, 'lease_until'), await column(claimed.job.id, 'lease_until')];
      expect(leases[1]! - leases[0]!).toBeGreaterThanOrEqual(0);
      await attempts.markRunning(taken.claim!.fence, NOW + 4, 1000, 'h');
      await attempts.finish(taken.claim!.fence, result());
      expect(await jobs.find(CALLER, taken.job.id)).toMatchObject({ state: 'SUCCEEDED', attempt: 1 });
    });

    it('takes no new job while another waits, however low its priority, nor one that is known', async () => {
      const low = await insert({ priority: -5 });
      const next = await insertTaken({ priority: 5, idempotencyKey: 'next' });
      expect(next).toMatchObject({ job: { state: 'QUEUED', attempt: 0, owner: null } });
      expect(next.claim).toBeUndefined();
      expect((await claim('a')).map(({ job }) => job.id)).toEqual([next.job.id, low]);
      const again = await insertTaken({ priority: 5, idempotencyKey: 'next' });
      expect(again).toMatchObject({ job: { id: next.job.id, state: 'STARTING' } });
      expect(again.claim).toBeUndefined();
    });

    it('gives each of many jobs that are sent at once to one taker', async () => {
      const stored = await Promise.all(Array.from({ length: 40 }, () => insertTaken()));
      const atOnce = stored.flatMap((each) => (each.claim ? [each.job.id] : []));
      const later = (await claim('b', 100)).map(({ job }) => job.id);
      expect(new Set([...atOnce, ...later]).size).toBe(40);
      expect(atOnce.length + later.length).toBe(40);
    });

    it('gives 200 jobs to 4 replicas at once, each to one', async () => {
      await Promise.all(Array.from({ length: 200 }, () => insert()));
      const taken: string[] = [];
      const work = async (owner: string): Promise<void> => {
        for (;;) {
          const claims = await claim(owner, 7);
          if (claims.length === 0) return;
          taken.push(...claims.map(({ job }) => job.id));
        }
      };
      await Promise.all(['a', 'b', 'c', 'd'].map(work));
      // A replica may see nothing while another holds the last rows.
      await work('e');
      expect([taken.length, new Set(taken).size]).toEqual([200, 200]);
    });

    it('finishes a job once, with its outputs', async () => {
      await insert();
      const { fence } = await claimOne();
      await attempts.markRunning(fence, NOW + 4, 1000, 'h');
      // A commit whose answer was lost is repeated.
      await attempts.markRunning(fence, NOW + 5, 1000, 'h');
      await attempts.finish(
        fence,
        result({
          outputs: { files: [outputFile('b'), outputFile('a')], skipped: [{ path: 'c', why: 'd' }] },
        }),
      );
      expect(await jobs.find(CALLER, fence.jobId)).toMatchObject({
        state: 'SUCCEEDED',
        reason: 'EXIT_ZERO',
        exitCode: 0,
        startedAtMs: NOW + 1,
      });
      expect((await jobs.outputs(CALLER, fence.jobId, 1, 10)).map(({ path }) => path)).toEqual(['a', 'b']);
      expect((await jobs.outputs(CALLER, fence.jobId, 1, 10, 'a')).map(({ path }) => path)).toEqual(['b']);
      expect((await jobs.attempt(CALLER, fence.jobId, 1))?.skippedOutputs).toEqual([{ path: 'c', why: 'd' }]);
      await expect(attempts.finish(fence, result({ state: 'FAILED' }))).rejects.toThrow(StaleFenceError);
      await expect(attempts.markRunning(fence, NOW, NOW, 'h')).rejects.toThrow(StaleFenceError);
      expect((await jobs.find(CALLER, fence.jobId))?.state).toBe('SUCCEEDED');
    });

    it('keeps the key of an attempt for whoever runs it, until it ends, and tells it to nobody', async () => {
      await insert();
      const old = await claimOne();
      const { jobId } = old.fence;
      const adopted = (await claims.adopt(old.job, 'b', LEASE_MS))!;
      expect([old.key, adopted.key]).toEqual(['key-1', 'key-1']);
      const told = [old.attempt, adopted.attempt, await jobs.attempt(CALLER, jobId, 1)];
      expect(JSON.stringify([...told, await jobs.attemptsOf(CALLER, jobId)])).not.toContain('key');
      await attempts.requeue(adopted.fence, requeued());
      const again = await claimOne();
      const keys = (): Promise<unknown> =>
        database.db.selectFrom('attempts').select('key').orderBy('number').execute();
      expect(await keys()).toEqual([{ key: null }, { key: 'key-2' }]);
      await attempts.finish(again.fence, result());
      expect(await keys()).toEqual([{ key: null }, { key: null }]);
    });

    it('refuses every write of an owner whose job was adopted', async () => {
      await insert();
      const old = await claimOne('a');
      const adopted = (await claims.adopt(old.job, 'b', LEASE_MS))!;
      expect(adopted.fence).toEqual({ ...old.fence, epoch: 2, owner: 'b' });
      expect(await claims.adopt(old.job, 'c', LEASE_MS)).toBeUndefined();
      await expect(attempts.saveHandle(old.fence, 'h')).rejects.toThrow(StaleFenceError);
      await expect(attempts.markRunning(old.fence, NOW, NOW, 'h')).rejects.toThrow(StaleFenceError);
      await expect(attempts.finish(old.fence, result())).rejects.toThrow(StaleFenceError);
      await expect(attempts.requeue(old.fence, requeued())).rejects.toThrow(StaleFenceError);
      await attempts.saveHandle(adopted.fence, 'h');
      expect((await jobs.attempt(CALLER, old.job.id, 1))?.handle).toBe('h');
      await attempts.finish(adopted.fence, result());
    });

    it('puts a job back for another attempt, not before its time', async () => {
      await insert();
      const { fence } = await claimOne();
      await attempts.requeue(
        fence,
        requeued({ state: 'FAILED', reason: 'START_FAILED', startedAtMs: null }, 300_000),
      );
      expect(await claim('a')).toEqual([]);
      const waitMs = (await claims.nextAvailableInMs())!;
      expect(waitMs).toBeGreaterThan(60_000);
      expect(waitMs).toBeLessThanOrEqual(300_000);
      // As if its time had come.
      await database.db
        .updateTable('jobs')
        .set((eb) => ({ available_at: eb('available_at', '-', 300_000) }))
        .execute();
      const again = (await claim('a', 1))[0]!;
      expect(again.fence).toMatchObject({ attempt: 2, epoch: 2 });
      expect(
        (await jobs.attemptsOf(CALLER, fence.jobId)).map(({ number, reason }) => [number, reason]),
      ).toEqual([
        [1, 'START_FAILED'],
        [2, null],
      ]);
    });

    it('ends a job that was cancelled while it was being put back', async () => {
      const id = await insert();
      const { fence } = await claimOne();
      expect(await jobs.requestCancel(CALLER, id)).toBe(true);
      // Asked again, it is the same cancel.
      expect(await jobs.requestCancel(CALLER, id)).toBe(true);
      await attempts.requeue(fence, requeued({ state: 'FAILED', reason: 'START_FAILED' }));
      expect(await jobs.find(CALLER, id)).toMatchObject({ state: 'CANCELLED', message: 'so it was decided' });
      expect(await claim('b')).toEqual([]);
    });

    it('keeps a deadline by its own clock, whatever the clocks of replicas say', async () => {
      await insert();
      const { fence, job } = await claimOne();
      await attempts.markRunning(fence, NOW, 600_000, 'h');
      const adopted = (await claims.adopt({ ...job, epoch: fence.epoch }, 'b', LEASE_MS))!;
      expect(adopted.deadlineInMs).toBeGreaterThan(300_000);
      expect(adopted.deadlineInMs).toBeLessThanOrEqual(600_000);
    });

    it('does not hold a job back because the clock was set back', async () => {
      const id = await insert();
      const inAnHour = Date.now() + 3_600_000;
      await database.db.updateTable('jobs').set({ available_at: inAnHour }).execute();
      expect((await claim('a')).map(({ job }) => job.id)).toEqual([id]);
    });

    it('cancels a waiting job at once, flags a live one, leaves a finished one', async () => {
      const waiting = await insert();
      expect(await jobs.requestCancel(CALLER, waiting)).toBe(false);
      expect(await jobs.cancelQueued(CALLER, waiting, NOW)).toBe(true);
      expect(await jobs.find(CALLER, waiting)).toMatchObject({
        state: 'CANCELLED',
        reason: 'CANCELLED_BY_USER',
        finishedAtMs: NOW,
      });
      const live = await insert();
      const { fence } = await claimOne();
      expect(await jobs.cancelQueued(CALLER, live, NOW)).toBe(false);
      expect(await jobs.requestCancel(CALLER, live)).toBe(true);
      expect(await claims.cancelRequested('a')).toEqual([live]);
      await attempts.finish(fence, result());
      expect(await jobs.requestCancel(CALLER, live)).toBe(false);
    });

    it('lists newest first, by page, state, label, name and time', async () => {
      const ids: string[] = [];
      for (let i = 0; i < 5; i++) {
        const labels = [
          { name: 'parity', value: i % 2 ? 'odd' : 'even' },
          { name: 'n', value: String(i) },
        ];
        ids.push(await insert({ name: `Job ${i}% _`, labels }));
      }
      const newest = [...ids].reverse();
      const names = async (filter: object, limit = 10, after?: string): Promise<string[]> =>
        (await jobs.list(CALLER, filter, limit, after)).map(({ id }) => id);
      expect(await names({}, 2)).toEqual(newest.slice(0, 2));
      expect(await names({}, 2, newest[1])).toEqual(newest.slice(2, 4));
      expect(await names({ labels: [{ name: 'parity', value: 'odd' }] })).toEqual([ids[3], ids[1]]);
      expect(await names({ labels: [{ name: 'parity', value: 'odd' }] }, 1, ids[3])).toEqual([ids[1]]);
      expect(
        await names({
          labels: [
            { name: 'parity', value: 'odd' },
            { name: 'n', value: '1' },
          ],
        }),
      ).toEqual([ids[1]]);
      expect(await names({ nameContains: 'JOB 3% _' })).toEqual([ids[3]]);
      expect(await names({ nameContains: '3_' })).toEqual([]);
      await claimOne();
      expect(await names({ states: ['STARTING'] })).toEqual([ids[0]]);
      expect(await names({ createdAfterMs: NOW })).toEqual([]);
      expect(await names({ createdAfterMs: NOW - 1, createdBeforeMs: NOW + 1 })).toHaveLength(5);
    });

    it('deletes a finished job whole, and no other', async () => {
      await insert({
        labels: [{ name: 'a', value: 'b' }],
        idempotencyKey: 'k',
        files: [{ path: 'p', content: Buffer.from('x') }],
      });
      const { fence, attempt } = await claimOne();
      expect(await jobs.deleteFinished(CALLER, fence.jobId)).toBeUndefined();
      const { workload, workspace } = attempt;
      expect(await attempts.liveAttempts()).toEqual([{ workload, workspace }]);
      await attempts.finish(fence, result({ outputs: { files: [outputFile('a')], skipped: [] } }));
      expect(await attempts.liveAttempts()).toEqual([]);
      expect(await attempts.knownWorkspaces([attempt.workspace, 'other'])).toEqual([attempt.workspace]);
      expect(await jobs.deleteFinished(CALLER, fence.jobId)).toEqual({
        id: fence.jobId,
        workspaces: [attempt.workspace],
      });
      expect(await jobs.deleteFinished(CALLER, fence.jobId)).toBeUndefined();
      for (const table of [
        'job_specs',
        'job_labels',
        'job_input_files',
        'attempts',
        'output_files',
        'idempotency_keys',
      ] as const) {
        expect([table, await database.db.selectFrom(table).selectAll().execute()]).toEqual([table, []]);
      }
    });
  });
}

function plan({ id, attempt }: Pick<Job, 'id' | 'attempt'>): NewAttempt {
  const workload = `w-${id}-${attempt}`;
  const where = {
    runtime: 'fake',
    scope: 's',
    workload,
    workspace: newId(),
    handle: null,
    key: `key-${attempt}`,
  };
  return { ...where, startKind: 'COLD', startWhy: 'test' };
}

function result(more: Partial<JobResult> = {}): JobResult {
  return {
    state: 'SUCCEEDED',
    reason: 'EXIT_ZERO',
    message: 'm',
    hint: null,
    exitCode: 0,
    signal: null,
    startedAtMs: NOW + 1,
    endedAtMs: NOW + 2,
    finishedAtMs: NOW + 3,
    wallMs: 1,
    cpuMs: 1,
    peakMemoryBytes: 2 ** 40,
    logDroppedBytes: 0,
    storedBytes: 0,
    outputs: { files: [], skipped: [] },
    ...more,
  };
}

/** An attempt that is over, of a job that waits for another one. */
function requeued(more: Partial<JobResult> = {}, delayMs = 0): Requeue {
  const cancelled = {
    state: 'CANCELLED',
    reason: 'CANCELLED_BY_USER',
    message: 'so it was decided',
  } as const;
  return { result: result(more), delayMs, ifCancelled: result(cancelled) };
}

function outputFile(path: string) {
  return { path, size: 2 ** 40, sha256: '00', contentType: 'text/plain', modifiedAtMs: NOW };
}
