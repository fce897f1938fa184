import {
  closeSync,
  existsSync,
  mkdirSync,
  lstatSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { MiB } from '../../common/bytes.js';
import { DatabaseDamagedError } from '../database.errors.js';
import { isDiskFull, toSqliteFault } from '../database-faults.js';
import { DiskReserve } from './disk-reserve.js';
import { SqliteConnection } from './sqlite-connection.js';

/** Files up to this size are checked whole at start, which takes a quarter of a second at most. */
const CHECKED_BYTES = 64 * MiB;
/** SQLite cuts a log that one large write made longer to this afterwards. */
const WAL_BYTES = 32 * MiB;
/** Pages given back to the disk at a time: about a millisecond. */
const VACUUM_PAGES = 256;
const SMALLEST_PAGE_BYTES = 512;
/** Free pages that stay in the file, where the next jobs take them without asking the disk for room. */
const KEPT_FREE_PAGES = 1024;

/** The SQLite file of this process, and its upkeep, which a database server would do by itself. */
export class SqliteFile {
  readonly connection: SqliteConnection;
  readonly reserve: DiskReserve;
  /** The damage that this process has seen. Damage does not heal. */
  damage: DatabaseDamagedError | undefined;
  private descriptor: number | undefined;
  private isClosed = false;

  constructor(readonly path: string) {
    mkdirSync(dirname(path), { recursive: true });
    this.reserve = new DiskReserve(`${path}-reserve`);
    this.connection = this.translated(() => openWithReserve(path, this.reserve));
    removeUnfinishedBackups(path);
  }

  /** Size of the content. The file on the disk may still be smaller. */
  get bytes(): number {
    const pages = this.connection.pragma('page_count') as number;
    return pages * (this.connection.pragma('page_size') as number);
  }

  /** Size of the log beside the file, which holds commits that are not in the file yet. */
  get logBytes(): number {
    return statSync(`${this.path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** What an error of this file means; remembers damage. */
  toFault(error: unknown): Error | undefined {
    const fault = toSqliteFault(error, this.path);
    if (fault instanceof DatabaseDamagedError) this.damage ??= fault;
    return fault;
  }

  /** Gives some free pages back to the disk. False when there are none to give. */
  vacuumStep(): boolean {
    return this.translated(() => {
      const free = this.connection.pragma('freelist_count') as number;
      if (free <= KEPT_FREE_PAGES) return false;
      // By `exec`: a query would be run no further than to its first page.
      this.connection.exec(`pragma incremental_vacuum(${Math.min(VACUUM_PAGES, free - KEPT_FREE_PAGES)})`);
      // A file that was not made by this service may be unable to give pages back.
      return (this.connection.pragma('freelist_count') as number) < free;
    });
  }

  /**
   * A descriptor for reading the file itself. It stays open as long as the connection: closing any descriptor of a file
   * gives up every POSIX lock that this process has on it (fcntl(2)), and SQLite's among them.
   */
  get readable(): number {
    this.descriptor ??= openSync(this.path, 'r');
    return this.descriptor;
  }

  /** Safe to call twice. */
  close(): void {
    this.connection.close();
    // Where the lock is still held, the descriptor has to stay until the process ends.
    if (this.isClosed || !this.connection.isReleased) return;
    this.isClosed = true;
    if (this.descriptor !== undefined) closeSync(this.descriptor);
    returnToLog(this.path);
  }

  private translated<T>(use: () => T): T {
    try {
      return use();
    } catch (error) {
      throw this.toFault(error) ?? error;
    }
  }
}

/** A server must come up although the disk is full: jobs that ran meanwhile wait for their ends to be stored. */
function openWithReserve(path: string, reserve: DiskReserve): SqliteConnection {
  for (;;) {
    try {
      return open(path, reserve);
    } catch (error) {
      if (!isDiskFull(error) || !reserve.giveBack()) throw error;
    }
  }
}

/**
 * Opens the file for this process alone: the lock belongs to the open file and dies with the process. FULL makes an
 * acknowledged job survive a power cut (NORMAL only survives a crash of the process).
 */
function open(path: string, reserve: DiskReserve): SqliteConnection {
  refuseEmptied(path, reserve);
  // With a log left behind the file may lack pages: the log has them.
  const isClosed = !existsSync(`${path}-wal`);
  const isNew = !statSync(path, { throwIfNoEntry: false })?.size;
  const database = new SqliteConnection(path);
  try {
    // First: a file that is open to several processes needs another file beside it, and a full disk has no room for it.
    database.exec('pragma locking_mode = EXCLUSIVE');
    // Can only be set in a new file.
    if (isNew) database.exec('pragma auto_vacuum = INCREMENTAL');
    database.exec('pragma journal_mode = WAL');
    database.exec('pragma synchronous = FULL');
    database.exec('pragma foreign_keys = ON');
    database.exec(`pragma journal_size_limit = ${WAL_BYTES}`);
    // Takes the exclusive lock now, not at the first write.
    database.exec('begin exclusive; commit');
    if (isClosed) refuseCut(path);
    check(database, path);
    return database;
  } catch (error) {
    // On a full disk the caller opens it again, so no lock may be left: no query, which would keep it, comes before `check`.
    database.abandon();
    throw error;
  }
}

/**
 * Makes a closed file ready for the next server: changing it back to a file with a log is a write, for which a full disk
 * may have no room by then.
 */
function returnToLog(path: string): void {
  const database = new SqliteConnection(path);
  try {
    // By `exec`: a query would keep the lock.
    database.exec('pragma busy_timeout = 0; pragma locking_mode = EXCLUSIVE; pragma journal_mode = WAL');
  } catch {
    // Another server has the file already, or the disk has just become full. The next start makes the change.
  }
  database.abandon();
}

/** Copies on their way to `maps backup` begin with this. */
export function backupPrefix(path: string): string {
  return `${path}-backup-`;
}

const UNFINISHED = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Removes backups that a server left unfinished when it died. This process has the database alone by now. */
function removeUnfinishedBackups(path: string): void {
  const folder = dirname(path);
  const prefix = basename(backupPrefix(path));
  for (const name of readdirSync(folder).filter((each) => each.startsWith(prefix))) {
    // The exact form of the name: an operator may have a file with a similar one.
    if (!UNFINISHED.test(name.slice(prefix.length))) continue;
    if (lstatSync(join(folder, name)).isFile()) rmSync(join(folder, name), { force: true });
  }
}

/** SQLite takes an empty file for a new database. Beside a reserve of an earlier server it has lost everything. */
function refuseEmptied(path: string, reserve: DiskReserve): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === 0 && reserve.exists) throw new DatabaseDamagedError(path, 'the file is empty');
}

/** SQLite reads the missing rest of a last page as zeros. */
function refuseCut(path: string): void {
  if (statSync(path).size % SMALLEST_PAGE_BYTES !== 0)
    throw new DatabaseDamagedError(path, 'its end is missing');
}

function check(database: SqliteConnection, path: string): void {
  if (statSync(path).size > CHECKED_BYTES) return;
  const found = database.pragma('quick_check(1)') as string;
  if (found !== 'ok') throw new DatabaseDamagedError(path, found.replace(/\s+/g, ' '));
}
