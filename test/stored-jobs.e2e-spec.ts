import { openSync, readdirSync, writeSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Database } from '../src/database/database.js';
import { OrphanSweeper } from '../src/execution/upkeep/orphan-sweeper.js';
import { RetentionKeeper } from '../src/execution/upkeep/retention-keeper.js';
import { JobHolds } from '../src/jobs/retention/job-holds.js';
import { JobRepository } from '../src/jobs/store/job.repository.js';
import type { OutputStore } from '../src/outputs/store/output-store.js';
import { OUTPUT_STORE } from '../src/outputs/store/output-store.js';
import { describeTier } from './support/runtimes/runtime-tier.js';
import { describeServiceRuntimes } from './support/service/service-runtimes.js';
import { LOGS, TestService } from './support/service/service.js';
import type { LogEventView } from './support/service/service.js';
import { TestDatabase, whyNoPostgres } from './support/database/test-database.js';
import { waitFor } from './support/wait-for.js';

const MiB = 1024 * 1024;
/** More than the buffers on the way hold, and not to be compressed. */
const TWO_FILES = `
import os
for name in "ab":
    with open(name, "wb") as f:
        for _ in range(20): f.write(os.urandom(1048576))
for i in range(200000): print(i, "x" * 80)`;
import { CALLER } from './support/service/caller.js';

await describeServiceRuntimes(
  ({ variables }) => {
    describeDamage(variables);
    describeStoredJobs('SQLite', variables, () => Promise.resolve(undefined));
    describeTier('postgres', whyNoPostgres, () =>
      describeStoredJobs('PostgreSQL', variables, () => TestDatabase.create()),
    );
  },
  ['process'],
);

function describeStoredJobs(
  name: string,
  variables: Record<string, string>,
  createDatabase: () => Promise<TestDatabase | undefined>,
): void {
  describe(`stored jobs on ${name}`, () => {
    let database: TestDatabase | undefined;
    let service: TestService;

    beforeAll(async () => {
      database = await createDatabase();
      const more: Record<string, string> = database ? { DATABASE_URL: database.url } : {};
      service = await TestService.start({ ...variables, ...more, JOB_RETENTION_MAX_JOBS: '1' });
    });

    afterAll(async () => {
      await service.stop();
      await database?.drop();
    });

    const deleteJob = (id: string) => service.graphql('mutation ($id: ID!) { deleteJob(id: $id) }', { id });

    const codeOf = async (answer: ReturnType<typeof deleteJob>): Promise<string | undefined> =>
      (await answer).errors?.[0]?.extensions.code;

    const finished = async (script: string, more: object = {}): Promise<string> => {
      const id = await service.run(script, more);
      expect((await service.waitForEnd(id)).state).toBe('SUCCEEDED');
      return id;
    };

    const foldersOf = (id: string): Promise<string[]> =>
      service.app
        .get(JobRepository)
        .attemptsOf(CALLER, id)
        .then((attempts) => attempts.map((attempt) => attempt.workspace));

    const folders = async (): Promise<string[]> =>
      (
        await Promise.all(['outputs', 'logs'].map((root) => readdir(join(service.workspaceDir, root))))
      ).flat();

    /** A download that has begun and is not read on. */
    const begin = (path: string): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        get(`${service.url}${path}`, (response) => {
          response.once('readable', () => resolve(response));
        }).once('error', reject);
      });

    const rest = async (response: IncomingMessage): Promise<number> => {
      let bytes = 0;
      for await (const block of response) bytes += (block as Buffer).length;
      return bytes;
    };

    it('are deleted as often as one likes, by many at once, and not while they live', async () => {
      const live = await service.run('import time; time.sleep(60)');
      await service.waitForState(live, /RUNNING/);
      expect(await codeOf(deleteJob(live))).toBe('CONFLICT');
      await service.cancel(live);
      await service.waitForEnd(live);
      const workspaces = await foldersOf(live);
      const answers = await Promise.all(Array.from({ length: 20 }, () => deleteJob(live)));
      expect(answers.map(({ errors }) => errors)).toEqual(answers.map(() => undefined));
      expect(await codeOf(deleteJob(live))).toBeUndefined();
      expect(await codeOf(deleteJob('no-id-at-all'))).toBeUndefined();
      expect((await folders()).filter((folder) => workspaces.includes(folder))).toEqual([]);
    });

    it('are gone although their folders cannot be removed, which the sweeper does', async () => {
      const id = await finished('open("a", "w").write("x")');
      const workspaces = await foldersOf(id);
      const store = service.app.get<OutputStore>(OUTPUT_STORE);
      const remove = store.remove.bind(store);
      store.remove = () => Promise.reject(new Error('busy'));
      try {
        expect((await deleteJob(id)).errors).toBeUndefined();
        expect((await service.graphql(`{ job(id: "${id}") { id } }`)).errors?.[0]?.extensions.code).toBe(
          'NOT_FOUND',
        );
        expect(await folders()).toContain(workspaces[0]);
      } finally {
        store.remove = remove;
      }
      await service.app.get(OrphanSweeper).sweep(new AbortController().signal, 0);
      expect(await folders()).not.toContain(workspaces[0]);
    });

    it('end a download whole or broken when they are deleted, never short', async () => {
      const id = await finished(TWO_FILES);
      const [single, zip, log] = await Promise.all(
        ['outputs/a', 'outputs.zip', 'logs.txt'].map((path) => begin(`/jobs/${id}/${path}`)),
      );
      expect((await deleteJob(id)).errors).toBeUndefined();
      expect(await rest(single!)).toBe(20 * MiB);
      expect(await rest(log!)).toBeGreaterThan(200_000 * 80);
      await expect(rest(zip!)).rejects.toThrow(/aborted/);
      for (const path of ['outputs/a', 'outputs.zip', 'logs.txt'])
        expect((await fetch(`${service.url}/jobs/${id}/${path}`)).status).toBe(404);
    });

    it.each(['logs.txt', 'outputs.zip', 'outputs/a'])(
      'do not pass for empty when they are deleted just before their files are opened: %s',
      async (path) => {
        const id = await finished('open("a", "w").write("x"); print("log")');
        const repository = service.app.get(JobRepository);
        const attempt = repository.attempt.bind(repository);
        // The last moment: the job was found, its files were not opened yet.
        repository.attempt = async (...args) => {
          const found = await attempt(...args);
          await deleteJob(id);
          return found;
        };
        try {
          expect((await fetch(`${service.url}/jobs/${id}/${path}`)).status).toBe(404);
        } finally {
          repository.attempt = attempt;
        }
        expect(service.app.get(JobHolds).held()).toEqual([]);
      },
      60_000,
    );

    it('tell those who follow their log that they are gone', async () => {
      const id = await finished(TWO_FILES);
      const events = service.socket().iterate<{ jobLogs: LogEventView }>({ query: LOGS, variables: { id } });
      const first = await events.next();
      expect((first.value as { data: { jobLogs: LogEventView } }).data.jobLogs.chunks.length).toBeGreaterThan(
        0,
      );
      await deleteJob(id);
      const toTheEnd = async (): Promise<void> => {
        while (!(await events.next()).done);
      };
      await expect(toTheEnd()).rejects.toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
    });

    it('are kept by retention while a download, a zip or a log is sent', async () => {
      const id = await finished(TWO_FILES);
      await finished('print("newer")');
      const keeper = service.app.get(RetentionKeeper);
      // As if two hours had passed since they ended.
      await service.app
        .get(Database)
        .db.updateTable('jobs')
        .set((eb) => ({ finished_at: eb('finished_at', '-', 7_200_000) }))
        .execute();
      const signal = new AbortController().signal;
      for (const path of ['outputs/a', 'outputs.zip', 'logs.txt']) {
        const download = await begin(`/jobs/${id}/${path}`);
        expect([path, service.app.get(JobHolds).held()]).toEqual([path, [id]]);
        await keeper.enforce(signal);
        expect(await rest(download)).toBeGreaterThan(10 * MiB);
        await waitFor(() => service.app.get(JobHolds).held().length === 0);
      }
      expect((await service.job(id)).state).toBe('SUCCEEDED');
    });

    it('know what they keep on the disks', async () => {
      const id = await finished('open("a", "w").write("x" * 1000); print("y" * 5000)');
      const { stored_bytes } = await service.app
        .get(Database)
        .db.selectFrom('jobs')
        .select('stored_bytes')
        .where('id', '=', id)
        .executeTakeFirstOrThrow();
      expect(stored_bytes).toBeGreaterThan(6_000);
      expect(stored_bytes).toBeLessThan(8_000);
    });

    it('are one for one idempotency key, however often and in what order the request comes', async () => {
      const script = 'import os, uuid; open(uuid.uuid4().hex, "w").close()';
      const send = (key: string, text = script) =>
        service.graphql<{ runScript: { job: { id: string } } }>(
          'mutation ($i: RunScriptInput!) { runScript(input: $i) { job { id } } }',
          { i: { script: text, idempotencyKey: key } },
        );
      const answers = await Promise.all(Array.from({ length: 50 }, () => send('fifty')));
      const ids = new Set(answers.map(({ data }) => data?.runScript.job.id));
      expect(ids.size).toBe(1);
      const id = [...ids][0]!;
      const job = await service.waitForEnd(id);
      expect([job.attempt, job.outputs.length]).toEqual([1, 1]);
      expect((await send('fifty')).data?.runScript.job.id).toBe(id);
      expect((await send('fifty', 'print(2)')).errors?.[0]?.extensions.code).toBe('IDEMPOTENCY_MISMATCH');
      await deleteJob(id);
      const again = (await send('fifty', 'print(2)')).data?.runScript.job.id;
      expect(again).toBeDefined();
      expect(again).not.toBe(id);
      await service.waitForEnd(again!);
    });
  });
}

function describeDamage(variables: Record<string, string>): void {
  describe('a database that is damaged while the server runs', () => {
    it('is told by /health, and nothing new is taken', async () => {
      const service = await TestService.start(variables);
      try {
        const { db, file } = service.app.get(Database);
        const rows = Array.from({ length: 400 }, (_, at) => ({ key: `k${at}`, value: 'x'.repeat(4_000) }));
        await db.insertInto('service_meta').values(rows).execute();
        file!.connection.pragma('wal_checkpoint(TRUNCATE)');
        file!.connection.pragma('shrink_memory');
        const spoiled = openSync(file!.path, 'r+');
        for (let page = 60; page < 300; page++)
          writeSync(spoiled, Buffer.alloc(4096, 0xa5), 0, 4096, page * 4096);
        await expect(db.selectFrom('service_meta').selectAll().execute()).rejects.toThrow(/is damaged/);
        const health = await fetch(`${service.url}/health`);
        expect([health.status, await health.json()]).toMatchObject([
          503,
          { status: 'unhealthy', database: 'damaged' },
        ]);
        expect((await fetch(`${service.url}/health/ready`)).status).toBe(503);
        expect((await fetch(`${service.url}/health/live`)).status).toBe(200);
        const query = 'mutation { runScript(input: { script: "print(1)" }) { job { id } } }';
        const { errors } = await service.graphql(query);
        expect(errors?.[0]?.extensions.code).toBe('INTERNAL_SERVER_ERROR');
        expect(JSON.stringify(errors)).not.toContain('maps.sqlite');
        expect(readdirSync(join(service.workspaceDir, 'inputs'))).toEqual([]);
      } finally {
        await service.stop();
      }
    });
  });
}
