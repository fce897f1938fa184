import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { CompiledQuery } from 'kysely';
import { newId } from '../../../src/common/ids.js';
import type { Log } from '../../../src/common/log.js';
import { OutboxConfig } from '../../../src/config/parts/outbox-config.js';
import type { Database } from '../../../src/database/database.js';
import type { ClaimedJob, Job, NewAttempt } from '../../../src/jobs/record/job.js';
import { StaleFenceError } from '../../../src/jobs/record/job.errors.js';
import type { JobSubmission } from '../../../src/jobs/record/job-submission.js';
import type { JobResult } from '../../../src/jobs/store/attempt.repository.js';
import { AttemptRepository } from '../../../src/jobs/store/attempt.repository.js';
import { changeJobs } from '../../../src/jobs/store/change-jobs.js';
import { ClaimRepository } from '../../../src/jobs/store/claim.repository.js';
import { JobRepository } from '../../../src/jobs/store/job.repository.js';
import type { StoredJob } from '../../../src/jobs/store/submission.repository.js';
import { SubmissionRepository } from '../../../src/jobs/store/submission.repository.js';
import { ConsumerLeases } from '../../../src/outbox/consumer-leases.js';
import { OutboxBounds } from '../../../src/outbox/outbox-bounds.js';
import type { OutboxChange, OutboxPosition } from '../../../src/outbox/outbox-change.js';
import type { OutboxConsumer } from '../../../src/outbox/outbox-consumer.js';
import type { DeliveryPace } from '../../../src/outbox/outbox-delivery.js';
import { OutboxDelivery } from '../../../src/outbox/outbox-delivery.js';
import { OutboxReader } from '../../../src/outbox/outbox-reader.js';
import { describeDatabases } from '../../support/database/databases.js';
import { CALLER } from '../../support/service/caller.js';
import { submission } from '../../support/service/job-submission.js';
import { waitFor } from '../../support/wait-for.js';

const NOW = 1_800_000_000_000;
const LEASE_MS = 600_000;
const never = new AbortController().signal;
const PACE: DeliveryPace = { pollMs: 5, leaseMs: LEASE_MS, renewMs: 20, firstRetryMs: 5, maxRetryMs: 20 };

class QuickDelivery extends OutboxDelivery {
  protected override readonly pace = PACE;
}

/** As much of a service as changes jobs and reads the outbox. */
class Replica {
  readonly jobs: JobRepository;
  readonly attempts: AttemptRepository;
  readonly reader: OutboxReader;
  /** The log's warnings and errors. */
  readonly said: { message: string; fields: object }[] = [];
  private readonly claims: ClaimRepository;
  private readonly submissions: SubmissionRepository;

  constructor(readonly database: Database) {
    this.jobs = new JobRepository(database);
    this.attempts = new AttemptRepository(database);
    this.reader = new OutboxReader(database);
    this.claims = new ClaimRepository(database);
    this.submissions = new SubmissionRepository(database, this.jobs);
  }

  readonly log: Log = {
    debug: () => undefined,
    info: () => undefined,
    warn: (fields, message) => void this.said.push({ fields, message }),
    error: (fields, message) => void this.said.push({ fields, message }),
  };

  insert(more: Partial<JobSubmission> = {}): Promise<StoredJob> {
    const id = newId();
    return this.submissions.insert(CALLER, submission(more), { id, nowMs: NOW, maxQueued: 1_000_000 });
  }

  async insertTaken(): Promise<ClaimedJob> {
    const id = newId();
    const take = { owner: 'a', leaseMs: LEASE_MS, attempt: plan({ id, attempt: 1 }) };
    const { claim } = await this.submissions.insert(CALLER, submission({}), {
      id,
      nowMs: NOW,
      maxQueued: 1_000_000,
      take,
    });
    return claim!;
  }

  claim(limit = 10): Promise<ClaimedJob[]> {
    return this.claims.claim('a', limit, NOW, LEASE_MS, plan);
  }

  /** Everything behind `position`, however many reads that takes. */
  async readAll(position: OutboxPosition): Promise<OutboxChange[]> {
    const all: OutboxChange[] = [];
    for (let at = position; ;) {
      const { changes, end, hasUnsettled } = await this.reader.read(at);
      all.push(...changes);
      if (changes.length === 0 && !hasUnsettled) return all;
      at = end;
    }
  }

  bounds(config: Partial<OutboxConfig>): OutboxBounds {
    return new OutboxBounds(this.log, this.database, Object.assign(new OutboxConfig(), config));
  }

  delivery(consumers: readonly OutboxConsumer[]): OutboxDelivery {
    const leases = new ConsumerLeases(this.database, this.reader);
    return new QuickDelivery(this.log, this.reader, leases, consumers);
  }
}

/** Notes what it is given. */
class NotingConsumer implements OutboxConsumer {
  readonly seen: string[] = [];

  constructor(
    readonly name: string,
    private readonly onDeliver: (signal: AbortSignal) => Promise<void> | void = () => undefined,
  ) {}

  async deliver(changes: readonly OutboxChange[], signal: AbortSignal): Promise<void> {
    await this.onDeliver(signal);
    this.seen.push(...changes.map(({ jobId, state }) => `${jobId} ${state}`));
  }
}

describe('the outbox', () => {
  describeDatabases((open, dialect) => {
    /** Only where several write at a time: SQLite has one writer. */
    const itWithWriters = (title: string, body: () => Promise<void>): void => {
      if (dialect === 'postgres') it(title, body);
    };
    const opened: Database[] = [];
    const running: { stop: () => void; done: Promise<void> }[] = [];
    let replica: Replica;
    let head: OutboxPosition;

    const openReplica = async (): Promise<Replica> => {
      const { database } = await open();
      opened.push(database);
      return new Replica(database);
    };

    /** Lets consumers be served until the test ends, or the returned function is called. */
    const run = (delivery: OutboxDelivery): (() => Promise<void>) => {
      const stopping = new AbortController();
      const stop = (): void => stopping.abort(new Error('the test is over'));
      const done = delivery.run(stopping.signal);
      running.push({ stop, done });
      return async () => {
        stop();
        await done;
      };
    };

    beforeEach(async () => {
      replica = await openReplica();
      for (const table of ['jobs', 'outbox', 'outbox_consumers'] as const)
        await replica.database.db.deleteFrom(table).execute();
      head = await replica.reader.head();
    });

    afterEach(async () => {
      for (const { stop } of running) stop();
      await Promise.all(running.splice(0).map(({ done }) => done));
      for (const database of opened.splice(0)) await database.onApplicationShutdown();
    });

    const changesOf = async (jobId: string, from = head): Promise<string[]> =>
      (await replica.readAll(from)).filter((change) => change.jobId === jobId).map(shown);

    it('has one row for each change of a job, in the order in which they were made', async () => {
      const { job } = await replica.insert();
      const [first] = await replica.claim();
      const { fence } = first!;
      await replica.attempts.markRunning(fence, NOW, 1000, 'h');
      // Its answer was lost: it changes nothing.
      await replica.attempts.markRunning(fence, NOW, 1000, 'h');
      await replica.attempts.saveHandle(fence, 'h');
      await replica.attempts.requeue(fence, { result: result(), delayMs: 0, ifCancelled: result() });
      const [second] = await replica.claim();
      expect(await replica.jobs.requestCancel(CALLER, job.id)).toBe(true);
      expect(await replica.jobs.requestCancel(CALLER, job.id)).toBe(true);
      await replica.attempts.finish(second!.fence, result({ state: 'FAILED' }));
      expect(await changesOf(job.id)).toEqual([
        'QUEUED 0',
        'STARTING 1',
        'RUNNING 1',
        'QUEUED 1',
        'STARTING 2',
        'STARTING 2 cancel',
        'FAILED 2 cancel',
      ]);
    });

    it('has the job that is taken as it is stored, and the one that is cancelled as it waits', async () => {
      const taken = await replica.insertTaken();
      expect(await changesOf(taken.job.id)).toEqual(['STARTING 1']);
      const { job } = await replica.insert();
      expect(await replica.jobs.cancelQueued(CALLER, job.id, NOW)).toBe(true);
      expect(await changesOf(job.id)).toEqual(['QUEUED 0', 'CANCELLED 0 cancel']);
    });

    it('has what was decided for a job that was cancelled while it was put back', async () => {
      await replica.insert();
      const [{ fence }] = (await replica.claim()) as [ClaimedJob];
      await replica.jobs.requestCancel(CALLER, fence.jobId);
      const ifCancelled = result({ state: 'CANCELLED', reason: 'CANCELLED_BY_USER' });
      await replica.attempts.requeue(fence, { result: result({ state: 'FAILED' }), delayMs: 0, ifCancelled });
      expect((await changesOf(fence.jobId)).at(-1)).toBe('CANCELLED 1 cancel');
    });

    it('has each of many jobs that one claim takes', async () => {
      for (let n = 0; n < 60; n++) await replica.insert();
      const claimed = await replica.claim(60);
      const starting = (await replica.readAll(head)).filter(({ state }) => state === 'STARTING');
      expect(starting.map(({ jobId }) => jobId).sort()).toEqual(claimed.map(({ job }) => job.id).sort());
    });

    it('has nothing of a change that is refused or whose commit fails', async () => {
      const { fence, job } = await replica.insertTaken();
      const { attempts, jobs, database } = replica;
      const stale = { ...fence, epoch: 7 };
      await expect(attempts.finish(stale, result())).rejects.toThrow(StaleFenceError);
      await expect(attempts.markRunning(stale, NOW, 1, 'h')).rejects.toThrow(StaleFenceError);
      expect(await jobs.cancelQueued(CALLER, job.id, NOW)).toBe(false);
      const output = { path: 'a', size: 1, sha256: '', contentType: '', modifiedAtMs: 0 };
      const twice = result({ outputs: { files: [output, output], skipped: [] } });
      await expect(attempts.finish(fence, twice)).rejects.toThrow();
      const label = { name: 'a', value: 'b' };
      await expect(replica.insert({ labels: [label, label] })).rejects.toThrow();
      await expect(
        database.db.transaction().execute(async (tx) => {
          await changeJobs(database, tx, (db) => db.updateTable('jobs').set({ cancel_requested: 1 }));
          throw new Error('broken off');
        }),
      ).rejects.toThrow('broken off');
      expect((await replica.readAll(head)).map(shown)).toEqual(['STARTING 1']);
    });

    it('begins at its head for a reader that comes later, also when all rows are gone', async () => {
      await replica.insert();
      const later = await replica.reader.head();
      const { job } = await replica.insert();
      expect(await changesOf(job.id, later)).toEqual(['QUEUED 0']);
      await replica.database.db.deleteFrom('outbox').execute();
      const empty = await replica.reader.head();
      expect(await replica.reader.read(empty)).toMatchObject({ changes: [], isBehind: false });
      await replica.insert();
      expect(await replica.readAll(empty)).toHaveLength(1);
    });

    it('loses and disorders nothing while many write and one reads', async () => {
      const others = dialect === 'postgres' ? [await openReplica(), await openReplica()] : [replica];
      const ids: string[] = [];
      const live = async (own: Replica): Promise<void> => {
        for (let n = 0; n < 15; n++) {
          const { fence } = await own.insertTaken();
          ids.push(fence.jobId);
          await Promise.all([
            own.jobs.requestCancel(CALLER, fence.jobId),
            own.attempts.markRunning(fence, NOW, 1000, 'h'),
            replica.jobs.requestCancel(CALLER, fence.jobId),
          ]);
          await own.attempts.finish(fence, result());
        }
      };
      const seen: OutboxChange[] = [];
      let isOver = false;
      const read = async (): Promise<void> => {
        for (let at = head; ;) {
          const wasOver = isOver;
          const { changes, end, hasUnsettled } = await replica.reader.read(at);
          seen.push(...changes);
          if (wasOver && changes.length === 0 && !hasUnsettled) return;
          at = end;
        }
      };
      const reading = read();
      // Each has jobs of its own, since a job is taken only where no other waits.
      await Promise.all(others.map(live));
      isOver = true;
      await reading;
      for (const id of ids) {
        const states = seen.filter(({ jobId }) => jobId === id);
        expect(states[0]).toMatchObject({ isCancelRequested: false });
        expect(states.at(-1)).toMatchObject({ state: 'SUCCEEDED', isCancelRequested: true });
        const steps = states.map(({ state }) => ['STARTING', 'RUNNING', 'SUCCEEDED'].indexOf(state));
        expect(steps).toEqual([...steps].sort());
        expect(states).toHaveLength(4);
      }
      expect(seen).toHaveLength(ids.length * 4);
    });

    itWithWriters('does not pass a transaction that began earlier and commits later', async () => {
      const { db } = replica.database;
      const [begun, end] = [new Gate(), new Gate()];
      const slow = db.transaction().execute(async (tx) => {
        await tx.insertInto('outbox').values(row('slow')).execute();
        begun.open();
        await end.opened;
      });
      await begun.opened;
      await db.insertInto('outbox').values(row('quick')).execute();
      const early = await replica.reader.read(head);
      expect(early).toMatchObject({ changes: [], hasUnsettled: true, isBehind: false });
      end.open();
      await slow;
      expect((await replica.readAll(early.end)).map(({ jobId }) => jobId)).toEqual(['slow', 'quick']);
    });

    itWithWriters('keeps the order of one job where an older transaction changes it later', async () => {
      const { database } = replica;
      const other = await openReplica();
      const { job } = await replica.insert();
      const from = await replica.reader.head();
      const takeNumber = 'select pg_current_xact_id()';
      const [numbered, changed, between, endBetween] = [new Gate(), new Gate(), new Gate(), new Gate()];
      const older = database.db.transaction().execute(async (tx) => {
        await tx.executeQuery(CompiledQuery.raw(takeNumber));
        numbered.open();
        await changed.opened;
        await changeJobs(database, tx, (db) => db.updateTable('jobs').set({ state: 'STARTING', attempt: 2 }));
      });
      await numbered.opened;
      const middle = other.database.db.transaction().execute(async (tx) => {
        await tx.executeQuery(CompiledQuery.raw(takeNumber));
        between.open();
        await endBetween.opened;
      });
      await between.opened;
      await changeJobs(other.database, undefined, (db) => db.updateTable('jobs').set({ attempt: 1 }));
      changed.open();
      await older;
      // The older one has ended, and must wait all the same: what it came after may not be read yet.
      expect(await replica.reader.read(from)).toMatchObject({ changes: [], hasUnsettled: true });
      endBetween.open();
      await middle;
      expect(await changesOf(job.id, from)).toEqual(['QUEUED 1', 'STARTING 2']);
    });

    itWithWriters('goes on where a dump was restored into another server', async () => {
      const { database } = replica;
      const { job } = await replica.insert();
      await replica.insert();
      const far = 2 ** 50;
      await database.db.updateTable('outbox').set({ xid: far }).execute();
      await database.db.updateTable('jobs').set({ change_xid: far }).execute();
      await database.db
        .insertInto('outbox_consumers')
        .values({ name: 'old', xid: far, seq: 0, owner: null, lease_until: null })
        .execute();
      expect((await replica.reader.read({ xid: 0, seq: 0 })).hasUnsettled).toBe(true);
      await database.migrate();
      await replica.jobs.cancelQueued(CALLER, job.id, NOW);
      const consumer = new NotingConsumer('old');
      run(replica.delivery([consumer]));
      await waitFor(() => consumer.seen.length === 3);
      expect(consumer.seen.filter((each) => each.startsWith(job.id))).toEqual([
        `${job.id} QUEUED`,
        `${job.id} CANCELLED`,
      ]);
    });

    describe('with bounds', () => {
      it('loses its oldest rows beyond a number, and a reader of those is told', async () => {
        for (let n = 0; n < 8; n++) await replica.insert();
        await replica.readAll(head);
        const { end } = await replica.reader.read(head);
        for (let n = 0; n < 4; n++) await replica.insert();
        // What may not be read yet is not removed either.
        await replica.readAll(end);
        expect(await replica.bounds({ OUTBOX_MAX_ROWS: 4 }).enforce(never)).toBe(8);
        expect(await replica.bounds({ OUTBOX_MAX_ROWS: 4 }).enforce(never)).toBe(0);
        const late = await replica.reader.read(head);
        expect([late.isBehind, late.changes.length]).toEqual([true, 4]);
        const inTime = await replica.reader.read(end);
        expect([inTime.isBehind, inTime.changes.length]).toEqual([false, 4]);
      });

      it('loses rows beyond an age, many in steps, and no younger one', async () => {
        const { db } = replica.database;
        for (let n = 0; n < 3; n++) await db.insertInto('outbox').values(many(400)).execute();
        await db
          .updateTable('outbox')
          .set((eb) => ({ at: eb('at', '-', 120_000) }))
          .execute();
        const { job } = await replica.insert();
        await replica.readAll(head);
        expect(await replica.bounds({ OUTBOX_MAX_AGE_SECONDS: 60 }).enforce(never)).toBe(1200);
        expect((await replica.readAll(await positionOfRemoved())).map(({ jobId }) => jobId)).toEqual([
          job.id,
        ]);
      });

      const positionOfRemoved = (): Promise<OutboxPosition> =>
        replica.database.db.selectFrom('outbox_removed').select(['xid', 'seq']).executeTakeFirstOrThrow();

      it('says how many changes a consumer lost, which goes on with the oldest', async () => {
        const before = new NotingConsumer('late');
        await run(replica.delivery([before]))();
        await db()
          .updateTable('outbox_consumers')
          .set({ ...head })
          .execute();
        for (let n = 0; n < 6; n++) await replica.insert();
        await replica.readAll(head);
        await replica.bounds({ OUTBOX_MAX_ROWS: 2 }).enforce(never);
        const late = new NotingConsumer('late');
        run(replica.delivery([late]));
        await waitFor(() => late.seen.length === 2);
        expect(replica.said.map(({ fields }) => fields)).toEqual([{ consumer: 'late', lost: 4 }]);
      });
    });

    const db = () => replica.database.db;
    const consumers = () => db().selectFrom('outbox_consumers').selectAll().execute();

    describe('gives a durable consumer', () => {
      it('every change from its first day on, and goes on where it was after a restart', async () => {
        await replica.insert();
        const first = new NotingConsumer('c');
        const stop = run(replica.delivery([first]));
        await waitFor(async () => (await consumers()).length === 1);
        const { job } = await replica.insert();
        await waitFor(() => first.seen.includes(`${job.id} QUEUED`));
        await stop();
        const missed = (await replica.insert()).job;
        const second = new NotingConsumer('c');
        run(replica.delivery([second]));
        await waitFor(() => second.seen.length > 0);
        expect(second.seen).toEqual([`${missed.id} QUEUED`]);
      });

      it('the same changes until it takes them, and delays no other meanwhile', async () => {
        let isBroken = true;
        const broken = new NotingConsumer('broken', () => {
          if (isBroken) throw new Error('not today');
        });
        const sound = new NotingConsumer('sound');
        run(replica.delivery([broken, sound]));
        await waitFor(async () => (await consumers()).length === 2);
        const ids: string[] = [];
        for (let n = 0; n < 5; n++) {
          ids.push((await replica.insert()).job.id);
          await waitFor(() => sound.seen.includes(`${ids[n]} QUEUED`));
        }
        await waitFor(() => replica.said.length > 3);
        expect(broken.seen).toEqual([]);
        isBroken = false;
        await waitFor(() => ids.every((id) => broken.seen.includes(`${id} QUEUED`)));
        expect([...new Set(broken.seen)].slice(-5)).toEqual(ids.map((id) => `${id} QUEUED`));
      });

      it('its changes by one replica at a time, and by the next one when the first is killed', async () => {
        // As one that was killed: it renews nothing and gives nothing back.
        const killed = new ConsumerLeases(replica.database, replica.reader);
        await killed.take('c', LEASE_MS);
        const takes = jest.spyOn(ConsumerLeases.prototype, 'take');
        const heir = new NotingConsumer('c');
        run(replica.delivery([heir]));
        const { job } = await replica.insert();
        await waitFor(() => takes.mock.calls.length > 3);
        takes.mockRestore();
        expect(heir.seen).toEqual([]);
        await db().updateTable('outbox_consumers').set({ lease_until: 1 }).execute();
        await waitFor(() => heir.seen.length > 0);
        expect(heir.seen).toContain(`${job.id} QUEUED`);
        expect(await killed.renew('c', LEASE_MS)).toBe(false);
        expect(await killed.save('c', { xid: 0, seq: 0 })).toBe(false);
      });

      it('nothing more when another replica has its lease: what it does is broken off', async () => {
        const begun = new Gate();
        let reason: unknown;
        const slow = new NotingConsumer(
          'c',
          (signal) =>
            new Promise((_, reject) => {
              signal.addEventListener('abort', () => {
                reason = signal.reason;
                reject(new Error('broken off'));
              });
              begun.open();
            }),
        );
        run(replica.delivery([slow]));
        await waitFor(async () => (await consumers()).length === 1);
        await replica.insert();
        await begun.opened;
        await db().updateTable('outbox_consumers').set({ owner: 'another' }).execute();
        await waitFor(() => reason !== undefined);
        expect(slow.seen).toEqual([]);
        const [row] = await db().selectFrom('outbox_consumers').select('owner').execute();
        expect(row).toEqual({ owner: 'another' });
      });

      it('its lease back at the end, so that the next server goes on at once', async () => {
        const stop = run(replica.delivery([new NotingConsumer('c')]));
        const owners = () => db().selectFrom('outbox_consumers').select('owner').execute();
        await waitFor(async () => (await owners())[0]?.owner);
        await stop();
        expect(await owners()).toEqual([{ owner: null }]);
      });
    });
  });
});

/** Opens once. */
class Gate {
  open: () => void = () => undefined;
  readonly opened = new Promise<void>((resolve) => (this.open = resolve));
}

function shown({ state, attempt, isCancelRequested }: OutboxChange): string {
  return `${state} ${attempt}${isCancelRequested ? ' cancel' : ''}`;
}

function row(jobId: string) {
  return { tenant_id: 'default', job_id: jobId, state: 'QUEUED', attempt: 0, cancel_requested: 0 };
}

function many(count: number) {
  return Array.from({ length: count }, (_, at) => row(`j${at}`));
}

function plan({ id, attempt }: Pick<Job, 'id' | 'attempt'>): NewAttempt {
  const workload = `w-${id}-${attempt}`;
  const where = { runtime: 'fake', scope: 's', workload, workspace: newId(), handle: null };
  return { ...where, startKind: 'COLD', startWhy: 'test', key: 'key' };
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
    peakMemoryBytes: 1,
    logDroppedBytes: 0,
    storedBytes: 0,
    outputs: { files: [], skipped: [] },
    ...more,
  };
}
