import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  openSync,
  readFileSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { StorageFullError } from '../../../src/common/app-error.js';
import { loadConfig } from '../../../src/config/load-config.js';
import { DatabaseBackup } from '../../../src/database/database-backup.js';
import { Database } from '../../../src/database/database.js';
import { DatabaseDamagedError } from '../../../src/database/database.errors.js';
import { RESERVE_BYTES } from '../../../src/database/sqlite/disk-reserve.js';
import { SqliteConnection } from '../../../src/database/sqlite/sqlite-connection.js';
import { SmallDisk, whyNoMount } from '../../support/faults/small-disk.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';
import { waitFor } from '../../support/wait-for.js';

const PAGE = 4096;
const SERVER = fileURLToPath(new URL('../../support/database/database-server.mjs', import.meta.url));

/** The database of a server of 0.1.0 that was killed after two jobs. */
const FIRST_RELEASE = fileURLToPath(new URL('../../fixtures/database-0.1.0', import.meta.url));

const folders: string[] = [];
const databases: Database[] = [];
const servers: ChildProcess[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) server.kill('SIGKILL');
  for (const database of databases.splice(0)) await database.onApplicationShutdown().catch(() => undefined);
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'maps-sqlite-'));
  folders.push(folder);
  return folder;
}

async function open(folder: string): Promise<Database> {
  const database = new Database(loadConfig({ DATA_DIR: folder }));
  databases.push(database);
  await database.migrate();
  return database;
}

async function setMeta(database: Database, key: string, value: string): Promise<void> {
  const row = { key, value };
  await database.db.transaction().execute((tx) => tx.insertInto('service_meta').values(row).execute());
}

/** A file of a server that was stopped, with some hundred pages. */
async function writtenFile(): Promise<{ folder: string; path: string }> {
  const folder = await newFolder();
  const database = await open(folder);
  for (let i = 0; i < 100; i++) await setMeta(database, `key-${i}`, 'x'.repeat(PAGE));
  await database.onApplicationShutdown();
  databases.pop();
  return { folder, path: join(folder, 'maps.sqlite') };
}

describe('an SQLite file', () => {
  it('waits for the disk at every commit: what was acknowledged survives a power cut', async () => {
    const database = await open(await newFolder());
    const FULL = 2;
    expect((await sql`pragma synchronous`.execute(database.db)).rows).toEqual([{ synchronous: FULL }]);
    expect((await sql`pragma journal_mode`.execute(database.db)).rows).toEqual([{ journal_mode: 'wal' }]);
  });

  it('is refused to a second process in a sentence, and free when the first one was killed', async () => {
    const folder = await newFolder();
    const first = new DatabaseProcess(folder);
    expect(await first.firstLine()).toBe('open');
    const second = new DatabaseProcess(folder);
    expect(await second.firstLine()).toMatch(
      /^DatabaseInUseError: \S+maps\.sqlite is in use by another running server\. .*stop the other one/,
    );
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    const third = new DatabaseProcess(folder);
    expect(await third.firstLine()).toBe('open');
  });

  it('is free again when its server stops before it asked for anything', async () => {
    const folder = await newFolder();
    const idle = new Database(loadConfig({ DATA_DIR: folder }));
    await idle.onApplicationShutdown();
    await (await open(folder)).ping();
  });

  it('is one whole file without a log when its server has stopped', async () => {
    const { folder, path } = await writtenFile();
    expect(readdirSync(folder).filter((name) => /-(wal|shm|journal)$/.test(name))).toEqual([]);
    const file = new SqliteConnection(path, true);
    expect(file.pragma('quick_check(1)')).toBe('ok');
    file.close();
  });

  it('opens as it is where the first release was killed, with the log that was left beside it', async () => {
    const folder = await newFolder();
    for (const name of ['maps.sqlite', 'maps.sqlite-wal'])
      writeFileSync(join(folder, name), gunzipSync(readFileSync(join(FIRST_RELEASE, `${name}.gz`))));
    const { db } = await open(folder);
    const jobs = await db.selectFrom('jobs').select(['name', 'state', 'reason']).orderBy('id').execute();
    expect(jobs).toEqual([
      { name: 'of the previous release', state: 'SUCCEEDED', reason: 'EXIT_ZERO' },
      { name: 'second', state: 'SUCCEEDED', reason: 'EXIT_ZERO' },
    ]);
    expect(await db.selectFrom('job_labels').select('value').execute()).toEqual([{ value: 'maps' }]);
    const files = await db.selectFrom('output_files').select('path').execute();
    expect(files.map(({ path }) => path)).toEqual(['kept.txt', 'kept.txt']);
    // What happened before is not told; what does from now on is.
    expect(await db.selectFrom('outbox').selectAll().execute()).toEqual([]);
    expect(await db.selectFrom('outbox_removed').select(['xid', 'seq']).execute()).toEqual([
      { xid: 0, seq: 0 },
    ]);
  });

  it('gives pages back to the disk in steps', async () => {
    const { folder, path } = await writtenFile();
    const database = await open(folder);
    for (let i = 0; i < 2_000; i++) await setMeta(database, `more-${i}`, 'x'.repeat(2 * PAGE));
    await database.db.deleteFrom('service_meta').where('key', 'like', 'more-%').execute();
    database.file!.connection.pragma('wal_checkpoint(TRUNCATE)');
    const before = statSync(path).size;
    let steps = 0;
    while (database.file!.vacuumStep()) steps += 1;
    database.file!.connection.pragma('wal_checkpoint(TRUNCATE)');
    // 256 pages each.
    expect(steps).toBeGreaterThan(5);
    expect(steps).toBeLessThan(50);
    expect(statSync(path).size).toBeLessThan(before / 2);
  });
});

describe('a copy of an SQLite file', () => {
  it('is given up when nobody wants it any more', async () => {
    const { folder } = await writtenFile();
    const backups = new DatabaseBackup(await open(folder), loadConfig({ DATA_DIR: folder }).storage);
    await expect(backups.make(AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
    expect(readdirSync(folder).filter((name) => name.includes('-backup-'))).toEqual([]);
    const { file, bytes } = await backups.make(new AbortController().signal);
    expect([(await file.stat()).size, bytes > 100 * PAGE]).toEqual([bytes, true]);
    await file.close();
  });
});

describe('an SQLite file that was copied', () => {
  it('is still refused to a second process, and takes its log in again', async () => {
    const { folder, path } = await writtenFile();
    const database = await open(folder);
    const backups = new DatabaseBackup(database, loadConfig({ DATA_DIR: folder }).storage);
    const { file } = await backups.make(new AbortController().signal);
    await file.close();
    expect(await new DatabaseProcess(folder).firstLine()).toMatch(/^DatabaseInUseError/);
    const before = statSync(path).size;
    await setMeta(database, 'much', 'x'.repeat(1_100 * PAGE));
    expect(statSync(path).size).toBeGreaterThan(before + 1_000 * PAGE);
  });
});

describe('an SQLite file that cannot be let go of', () => {
  it('stays refused to a second process, although its server has closed it and had made a copy', async () => {
    const { folder } = await writtenFile();
    const database = await open(folder);
    const backups = new DatabaseBackup(database, loadConfig({ DATA_DIR: folder }).storage);
    const { file } = await backups.make(new AbortController().signal);
    await file.close();
    const { connection } = database.file!;
    connection.exec('begin');
    // The last statement that is collected takes the lock with it.
    const left = connection.prepare('select 1');
    await database.onApplicationShutdown();
    expect(connection.isReleased).toBe(false);
    expect(await new DatabaseProcess(folder).firstLine()).toMatch(/^DatabaseInUseError/);
    expect(() => left.all([])).toThrow();
  }, 60_000);
});

describe('a damaged SQLite file', () => {
  const DAMAGE = /^The database \S+maps\.sqlite is damaged \(.+\)\. Stop the server and put the last backup/;

  it.each([
    ['that is no database', (path: string) => writeFileSync(path, 'not a database, but text\n'.repeat(500))],
    ['that was cut off', (path: string) => truncateSync(path, 10 * PAGE)],
    ['that was cut off within a page', (path: string) => truncateSync(path, statSync(path).size - 100)],
    ['of which a page in the middle is garbage', (path: string) => spoilPages(path, 20, 1)],
  ])('%s is said to be damaged at start, with what to do', async (_, spoil) => {
    const { folder, path } = await writtenFile();
    spoil(path);
    const opened = open(folder);
    await expect(opened).rejects.toThrow(DatabaseDamagedError);
    await expect(opened).rejects.toThrow(DAMAGE);
    await expect(opened).rejects.toThrow(/\.recover.*docs\/operations\.md/);
  });

  it('that was emptied is not taken for a new one', async () => {
    const { folder, path } = await writtenFile();
    const database = await open(folder);
    await database.file!.reserve.fill();
    await database.onApplicationShutdown();
    truncateSync(path, 0);
    await expect(open(folder)).rejects.toThrow(DAMAGE);
  });

  it('is noticed while it is read, and remembered', async () => {
    const { folder, path } = await writtenFile();
    const database = await open(folder);
    expect(database.file!.damage).toBeUndefined();
    spoilPages(path, 3, 150);
    const read = (): Promise<unknown> => database.db.selectFrom('service_meta').selectAll().execute();
    // What this process has in its cache is still right.
    database.file!.connection.pragma('shrink_memory');
    await expect(read()).rejects.toThrow(DAMAGE);
    expect(database.file!.damage?.message).toMatch(DAMAGE);
  });
});

describeTier('small-disk', whyNoMount(), () => {
  describe('an SQLite file on a disk that is full', () => {
    let disk: SmallDisk;

    afterEach(async () => {
      for (const database of databases.splice(0)) await database.onApplicationShutdown();
      await disk.unmount();
    });

    async function fillUp(): Promise<Database> {
      disk = new SmallDisk(48);
      const database = await open(join(disk.path, 'data'));
      await database.file!.reserve.fill();
      expect(statSync(database.file!.reserve.path).size).toBe(RESERVE_BYTES);
      disk.fill();
      return database;
    }

    it('refuses a write with the code that says so, and keeps nothing of it', async () => {
      const database = await fillUp();
      const big = Array.from({ length: 60 }, (_, at) => ({ key: `big-${at}`, value: 'x'.repeat(100_000) }));
      const write = database.db
        .transaction()
        .execute((tx) => tx.insertInto('service_meta').values(big).execute());
      await expect(write).rejects.toThrow(StorageFullError);
      await expect(write).rejects.toMatchObject({ code: 'STORAGE_FULL', retryAfterMs: expect.any(Number) });
      const rows = await database.db.selectFrom('service_meta').selectAll().execute();
      expect(rows.filter((row) => row.key.startsWith('big'))).toEqual([]);
      disk.clear();
      await setMeta(database, 'later', 'x');
    });

    it('takes what must be written from its reserve, a piece at a time, and fills it again later', async () => {
      const database = await fillUp();
      const write = (key: string): Promise<void> => setMeta(database, key, 'x'.repeat(1_000_000));
      await expect(write('refused')).rejects.toThrow(StorageFullError);
      await database.essential(() => write('end'));
      const { reserve } = database.file!;
      expect([reserve.isWhole, reserve.bytes > RESERVE_BYTES / 2]).toEqual([false, true]);
      // Filling it while there is no room does no harm.
      await reserve.fill();
      disk.clear();
      await reserve.fill();
      expect(reserve.isWhole).toBe(true);
      const keys = await database.db.selectFrom('service_meta').select('key').execute();
      expect(keys.map(({ key }) => key).filter((key) => key !== 'database_id')).toEqual(['end']);
    });

    it('ends an essential write with the same code when the reserve is used up', async () => {
      const database = await fillUp();
      const huge = database.essential(() => setMeta(database, 'huge', 'x'.repeat(20_000_000)));
      await expect(huge).rejects.toThrow(StorageFullError);
      expect([existsSync(database.file!.reserve.path), database.file!.reserve.bytes]).toEqual([true, 0]);
    });

    it.each([
      ['was killed on it', 'SIGKILL', true],
      ['was stopped on it', 'SIGTERM', true],
      ['was stopped before it was full', 'SIGTERM', false],
    ] as const)('is opened again where no reserve is left and its server %s', async (_, signal, wasFull) => {
      disk = new SmallDisk(48);
      const folder = join(disk.path, 'data');
      const first = new DatabaseProcess(folder);
      expect(await first.firstLine()).toBe('open');
      if (wasFull) disk.fill();
      first.child.kill(signal);
      await once(first.child, 'exit');
      disk.fill();
      expect(disk.freeBytes).toBe(0);
      expect(await new DatabaseProcess(folder).firstLine()).toBe('open');
    });
  });
});

function spoilPages(path: string, first: number, count: number): void {
  const file = openSync(path, 'r+');
  for (let page = first; page < first + count; page++)
    writeSync(file, Buffer.alloc(PAGE, 0xa5), 0, PAGE, page * PAGE);
}

class DatabaseProcess {
  readonly child: ChildProcess;
  private output = '';

  constructor(folder: string) {
    const args = [SERVER, JSON.stringify({ DATA_DIR: folder })];
    this.child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    servers.push(this.child);
    this.child.stdout?.on('data', (data: Buffer) => (this.output += data.toString()));
  }

  firstLine(): Promise<string> {
    return waitFor(() => this.output.split('\n').slice(0, -1)[0], {
      describe: () => `a line; so far: ${this.output}`,
    });
  }
}
