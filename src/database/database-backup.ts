import type { FileHandle } from 'node:fs/promises';
import { open, rm, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Injectable } from '@nestjs/common';
import { AppError, BadInputError, StorageFullError } from '../common/app-error.js';
import { MiB } from '../common/bytes.js';
import { newId } from '../common/ids.js';
import { AppConfig } from '../config/app-config.js';
import { Database } from './database.js';
import type { SqliteFile } from './sqlite-file.js';
import { backupPrefix } from './sqlite-file.js';

/** Pages copied in one turn of the event loop: about a millisecond. */
const STEP_PAGES = 200;
/** What is copied is sent to the disk so often meanwhile, off the event loop: at the end little is left to wait for. */
const SYNC_BYTES = 16 * MiB;
const PAGE_BYTES = 4096;
/** Where the header says whether a file belongs to a write-ahead log (2), of which a copy has none, or not (1). */
const JOURNAL_VERSIONS_OFFSET = 18;

export interface BackupFile {
  /** Has no name any more: closing it gives its room back. */
  file: FileHandle;
  bytes: number;
}

/** Consistent copies of the SQLite database, made while the server works. */
@Injectable()
export class DatabaseBackup {
  private isBusy = false;

  constructor(
    private readonly database: Database,
    private readonly config: AppConfig,
  ) {}

  /** A copy of everything that is committed when this resolves. The caller closes it. */
  async make(signal: AbortSignal): Promise<BackupFile> {
    const source = this.database.file;
    if (!source)
      throw new BadInputError('This service keeps its jobs in PostgreSQL, which is backed up by pg_dump.');
    if (this.isBusy)
      throw new AppError('RATE_LIMITED', 'A backup is being made already.', { retryAfterMs: 5_000 });
    this.isBusy = true;
    try {
      await this.refuseWithoutRoom(source);
      return await copy(source, `${backupPrefix(source.path)}${newId()}`, signal);
    } catch (error) {
      throw source.toFault(error) ?? error;
    } finally {
      this.isBusy = false;
    }
  }

  private async refuseWithoutRoom(source: SqliteFile): Promise<void> {
    const { bavail, bsize } = await statfs(dirname(source.path));
    if (bavail * bsize < source.bytes + this.config.MIN_FREE_DISK_MB * MiB) throw new StorageFullError();
  }
}

async function copy(source: SqliteFile, path: string, signal: AbortSignal): Promise<BackupFile> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'wx+', 0o600);
    await source.connection.backup(path, { progress: stepper(file, signal) });
    await file.write(Buffer.from([1, 1]), 0, 2, JOURNAL_VERSIONS_OFFSET);
    return { file, bytes: (await file.stat()).size };
  } catch (error) {
    await file?.close();
    throw error;
  } finally {
    await rm(path, { force: true });
  }
}

/** Called between two steps; says how many pages the next one has. */
function stepper(
  file: FileHandle,
  signal: AbortSignal,
): (progress: { totalPages: number; remainingPages: number }) => number {
  let syncedPages = 0;
  let syncing: Promise<void> | undefined;
  return ({ totalPages, remainingPages }) => {
    signal.throwIfAborted();
    const done = totalPages - remainingPages;
    if (!syncing && (done - syncedPages) * PAGE_BYTES >= SYNC_BYTES) {
      syncedPages = done;
      // Only sooner than it would be done anyway: what fails here fails again at the end.
      syncing = file
        .datasync()
        .catch(() => undefined)
        .finally(() => (syncing = undefined));
    }
    return STEP_PAGES;
  };
}
