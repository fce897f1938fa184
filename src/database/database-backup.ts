import type { FileHandle } from 'node:fs/promises';
import { read } from 'node:fs';
import { open, rm, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { AppError, BadInputError, StorageFullError } from '../common/app-error.js';
import { MiB } from '../common/bytes.js';
import { newId } from '../common/ids.js';
import { StorageConfig } from '../config/parts/storage-config.js';
import { Database } from './database.js';
import { DatabaseUnavailableError } from './database.errors.js';
import type { SqliteFile } from './sqlite/sqlite-file.js';
import { backupPrefix } from './sqlite/sqlite-file.js';

const BLOCK_BYTES = MiB;
const SYNC_BYTES = 16 * MiB;
/** Bringing a log of this size into the file afterwards holds the server up for a second or two. */
const MAX_LOG_BYTES = 512 * MiB;
/** After so many pages in the log SQLite brings them into the file: its own default. */
const CHECKPOINT_PAGES = 1000;
const readAt = promisify(read);
/** Where the header says whether the file has a write-ahead log (2) or not (1). A copy has none. */
const JOURNAL_VERSIONS_OFFSET = 18;

export interface BackupFile {
  /** The file has no name any more: closing it frees its room. */
  file: FileHandle;
  bytes: number;
}

/** Consistent copies of the SQLite database, made while the server works. */
@Injectable()
export class DatabaseBackup {
  private isBusy = false;

  constructor(
    private readonly database: Database,
    private readonly config: StorageConfig,
  ) {}

  /** A copy of everything that was committed when this was called. The caller closes it. */
  async make(signal: AbortSignal): Promise<BackupFile> {
    const source = this.database.file;
    if (!source)
      throw new BadInputError('This service keeps its jobs in PostgreSQL, which is backed up by pg_dump.');
    if (this.isBusy)
      throw new AppError('RATE_LIMITED', 'A backup is being made already.', { retryAfterMs: 5_000 });
    this.isBusy = true;
    try {
      await this.refuseWithoutRoom(source);
      return await nameless(`${backupPrefix(source.path)}${newId()}`, (file) =>
        this.whileUnchanged(source, () => copyBytes(source, file, signal)),
      );
    } catch (error) {
      throw source.toFault(error) ?? error;
    } finally {
      this.isBusy = false;
    }
  }

  /**
   * Brings everything that is committed into the file itself, which then stays as it is until `use` is through: SQLite
   * writes to the log beside it, and only a checkpoint changes the file.
   */
  private async whileUnchanged(source: SqliteFile, use: () => Promise<void>): Promise<void> {
    const { db } = this.database;
    try {
      await sql`pragma wal_autocheckpoint = 0`.execute(db);
      // Through Kysely, which queues it behind open transactions: a checkpoint needs that none is open.
      const { rows } = await sql<{ busy: number }>`pragma wal_checkpoint(TRUNCATE)`.execute(db);
      if (rows[0]?.busy !== 0) throw new DatabaseUnavailableError();
      await use();
      // Closing the connection makes a checkpoint too, which has changed the file.
      if (!source.connection.isOpen) throw new DatabaseUnavailableError();
    } finally {
      if (source.connection.isOpen) source.connection.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    }
  }

  private async refuseWithoutRoom(source: SqliteFile): Promise<void> {
    const { bavail, bsize } = await statfs(dirname(source.path));
    if (bavail * bsize < source.bytes + this.config.MIN_FREE_DISK_MB * MiB) throw new StorageFullError();
  }
}

/** During a backup the log cannot be brought into the file, and it must not grow for ever. */
class TooSlowError extends AppError {
  constructor() {
    super('RATE_LIMITED', 'So much is being stored that the backup cannot keep up. Try again later.', {
      retryAfterMs: 60_000,
    });
  }
}

/** Makes a file at `path` that has lost its name when this resolves: only the descriptor keeps it. */
async function nameless(path: string, fill: (file: FileHandle) => Promise<void>): Promise<BackupFile> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'wx+', 0o600);
    await fill(file);
    await file.write(Buffer.from([1, 1]), 0, 2, JOURNAL_VERSIONS_OFFSET);
    return { file, bytes: (await file.stat()).size };
  } catch (error) {
    await file?.close();
    throw error;
  } finally {
    await rm(path, { force: true });
  }
}

async function copyBytes(source: SqliteFile, to: FileHandle, signal: AbortSignal): Promise<void> {
  const from = source.readable;
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  for (let at = 0, unsynced = 0; ;) {
    signal.throwIfAborted();
    const { bytesRead } = await readAt(from, block, 0, block.length, at);
    if (bytesRead === 0) return;
    await to.write(block, 0, bytesRead);
    at += bytesRead;
    unsynced += bytesRead;
    // Synced piece by piece: at the end little is left to wait for.
    if (unsynced < SYNC_BYTES) continue;
    if (source.logBytes > MAX_LOG_BYTES) throw new TooSlowError();
    await to.datasync();
    unsynced = 0;
  }
}
