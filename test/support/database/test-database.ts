import { randomUUID } from 'node:crypto';
import pg from 'pg';

const serverUrl = process.env.TEST_DATABASE_URL;

/** Why nothing can be tested on PostgreSQL here, or undefined when it can. */
export const whyNoPostgres = serverUrl ? undefined : 'TEST_DATABASE_URL is not set.';

/** A PostgreSQL database of the test's own. */
export class TestDatabase {
  private constructor(readonly name: string) {}

  static async create(): Promise<TestDatabase> {
    const database = new TestDatabase(`maps_test_${randomUUID().replaceAll('-', '')}`);
    await administer(`create database ${database.name}`);
    return database;
  }

  get url(): string {
    const url = new URL(serverUrl!);
    url.pathname = `/${this.name}`;
    return url.href;
  }

  /** Ends every connection that is open to it, as an administrator may; returns how many those were. */
  async terminateConnections(): Promise<number> {
    const ended = await administer(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${this.name}'`,
    );
    return ended.rowCount ?? 0;
  }

  async query<T extends pg.QueryResultRow>(statement: string): Promise<T[]> {
    return (await runOn(this.url, statement)).rows as T[];
  }

  async drop(): Promise<void> {
    await administer(`drop database if exists ${this.name} with (force)`);
  }
}

function administer(statement: string): Promise<pg.QueryResult> {
  return runOn(serverUrl!, statement);
}

async function runOn(url: string, statement: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(statement);
  } finally {
    await client.end();
  }
}
