import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import pg from 'pg';
import { atEnd } from '../../../tools/cleanup.mjs';
import { FaultyProxy } from './faulty-proxy.mjs';

/** What the checker reads behind the API's back, once no server runs. */
const JOBS = 'select id, name, state, attempt from jobs';
const ATTEMPTS = 'select job_id, number, workspace, workload, started_at, start_kind from attempts';

const OUTBOX = 'select job_id, state, attempt, cancel_requested from outbox order by xid, seq';

/** The servers' database: `variables` for them, `read` for the checker, and on PostgreSQL faults of its own. */
export function openDatabase({ database, databaseUrl }, dataDir) {
  return database === 'sqlite' ? sqlite(join(dataDir, 'maps.sqlite')) : PostgresDatabase.open(databaseUrl);
}

function sqlite(path) {
  return {
    variables: {},
    read: () => {
      const file = new DatabaseSync(path, { readOnly: true });
      const all = (query) => file.prepare(query).all();
      const rows = { jobs: all(JOBS), attempts: all(ATTEMPTS), outbox: all(OUTBOX) };
      file.close();
      return rows;
    },
  };
}

/** A database of its own, reached through a proxy; gone at the end. */
class PostgresDatabase {
  static async open(adminUrl) {
    const admin = new pg.Client(adminUrl);
    await admin.connect();
    const name = `maps_chaos_${randomUUID().replaceAll('-', '')}`;
    await admin.query(`create database ${name}`);
    const database = new PostgresDatabase(admin, new URL(adminUrl), name);
    atEnd(() => database.#close());
    await database.#listen();
    return database;
  }

  #url;
  #admin;
  #name;

  constructor(admin, adminUrl, name) {
    this.#admin = admin;
    this.#name = name;
    const { hostname: host, port } = adminUrl;
    this.proxy = new FaultyProxy(() => ({ host, port: Number(port || 5432) }));
    this.#url = new URL(adminUrl);
    this.#url.pathname = `/${name}`;
  }

  async #listen() {
    const proxied = new URL(this.#url);
    proxied.hostname = '127.0.0.1';
    proxied.port = String(await this.proxy.listen());
    this.variables = { DATABASE_URL: proxied.href };
  }

  /** Ends every connection of the servers, as a restart of the database does. */
  async terminateConnections() {
    await this.#admin.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()',
      [this.#name],
    );
  }

  async read() {
    const client = new pg.Client(this.#url.href);
    await client.connect();
    try {
      const all = async (query) => (await client.query(query)).rows;
      return { jobs: await all(JOBS), attempts: await all(ATTEMPTS), outbox: await all(OUTBOX) };
    } finally {
      await client.end();
    }
  }

  async #close() {
    await this.proxy.close();
    await this.terminateConnections();
    await this.#admin.query(`drop database ${this.#name}`);
    await this.#admin.end();
  }
}
