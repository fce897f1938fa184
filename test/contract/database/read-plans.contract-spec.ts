import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { KyselyPlugin, PluginTransformQueryArgs } from 'kysely';
import { CompiledQuery } from 'kysely';
import { loadConfig } from '../../../src/config/load-config.js';
import { Database } from '../../../src/database/database.js';
import { JobRepository } from '../../../src/jobs/store/job.repository.js';
import { CALLER } from '../../support/service/caller.js';

const IDS = ['a', 'b', 'c'];

/** What a page shows of jobs whose ids are known, beside their own rows. */
const READS: [what: string, read: (jobs: JobRepository) => Promise<unknown>][] = [
  ['a job', (jobs) => jobs.find(CALLER, 'a')],
  [
    'jobs that match',
    (jobs) => jobs.findMatching(CALLER, IDS, { labels: [{ name: 'team', value: 'maps' }] }),
  ],
  ['scripts', (jobs) => jobs.specs(CALLER, IDS)],
  ['input files', (jobs) => jobs.inputFiles(CALLER, 'a')],
  ['labels', (jobs) => jobs.labels(CALLER, IDS)],
  ['attempts', (jobs) => jobs.attempts(CALLER, IDS)],
  ['outputs', (jobs) => jobs.outputs(CALLER, 'a', 1, 10)],
  ['an output', (jobs) => jobs.output(CALLER, 'a', 1, 'x')],
];

/** Keeps the statements that are made through it. */
class Statements implements KyselyPlugin {
  readonly made: PluginTransformQueryArgs[] = [];

  transformQuery(args: PluginTransformQueryArgs): PluginTransformQueryArgs['node'] {
    this.made.push(args);
    return args.node;
  }

  transformResult: KyselyPlugin['transformResult'] = async ({ result }) => result;
}

// PostgreSQL plans by what it has counted in the tables; SQLite by the indexes alone, so its plan for few rows is that for many.
describe('what SQLite reads of known jobs', () => {
  let folder: string;
  let database: Database;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'maps-plans-'));
    database = new Database(loadConfig({ DATA_DIR: folder }));
    await database.migrate();
  });

  afterEach(async () => {
    await database.onApplicationShutdown();
    await rm(folder, { recursive: true, force: true });
  });

  it.each(READS)('%s: read by their ids, not by their tenant', async (_, read) => {
    const statements = new Statements();
    await read(new JobRepository(withPlugin(database, statements)));
    expect(statements.made).not.toHaveLength(0);
    for (const step of await stepsOf(database, statements.made))
      expect(step).toMatch(/\b(job_id|id)=\?|SUBQUERY|USE TEMP B-TREE/);
  });
});

function withPlugin(database: Database, plugin: KyselyPlugin): Database {
  return Object.create(database, { db: { value: database.db.withPlugin(plugin) } }) as Database;
}

async function stepsOf(database: Database, made: readonly PluginTransformQueryArgs[]): Promise<string[]> {
  const steps: string[] = [];
  for (const { node, queryId } of made) {
    const { sql, parameters } = database.db.getExecutor().compileQuery(node, queryId);
    const explain = CompiledQuery.raw(`explain query plan ${sql}`, [...parameters]);
    const { rows } = await database.db.executeQuery<{ detail: string }>(explain);
    steps.push(...rows.map(({ detail }) => detail));
  }
  return steps;
}
