import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { lstat, open, rename, rm } from 'node:fs/promises';
import { ConnectionError } from '../../client/api-error.js';
import type { Context } from '../context.js';
import { formatBytes } from '../format.js';
import { UsageError } from '../usage-error.js';

export interface BackupOptions {
  force?: boolean;
}

/** `maps backup`: the file appears under its name only when it is whole and was checked. */
export async function backup(path: string, options: BackupOptions, context: Context): Promise<number> {
  await refuseTarget(path, options);
  const partial = `${path}.partial`;
  const { O_CREAT, O_NOFOLLOW = 0, O_TRUNC, O_WRONLY } = constants;
  // For its owner only: jobs' variables are in it.
  const file = await open(partial, O_CREAT | O_TRUNC | O_NOFOLLOW | O_WRONLY, 0o600);
  try {
    const bytes = await receive(context, file);
    await file.sync();
    await file.close();
    const jobs = await check(partial);
    // Somebody else may have made one meanwhile.
    await refuseTarget(path, options);
    await rename(partial, path);
    await context.terminal.data(`${path}: ${jobs} jobs, ${bytes} bytes (${formatBytes(bytes)}), checked\n`);
    return 0;
  } catch (error) {
    await file.close().catch(() => {});
    await rm(partial, { force: true });
    throw error;
  }
}

async function refuseTarget(path: string, { force }: BackupOptions): Promise<void> {
  const entry = await lstat(path).catch(() => undefined);
  if (entry?.isDirectory()) throw new UsageError(`${path} is a folder; name a file.`);
  if (entry && !force) throw new UsageError(`${path} is there already; --force replaces it.`);
}

async function receive({ client }: Context, file: FileHandle): Promise<number> {
  const response = await client.download('/backup', 'POST');
  const announced = Number(response.headers.get('content-length'));
  let bytes = 0;
  try {
    for await (const block of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      bytes += block.length;
      await file.writeFile(block);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall) throw error;
    throw new ConnectionError('The backup broke off.', { cause: error });
  }
  if (bytes !== announced)
    throw new ConnectionError(`The backup broke off after ${bytes} of ${announced} bytes.`);
  return bytes;
}

/** Reads the whole copy as SQLite does; returns how many jobs are in it. */
async function check(path: string): Promise<number> {
  // Only here: no other command needs it.
  const { DatabaseSync } = await import('@photostructure/sqlite');
  try {
    const database = new DatabaseSync(path, { readOnly: true });
    try {
      const { quick_check: found } = database.prepare('pragma quick_check(1)').get() as {
        quick_check: string;
      };
      if (found !== 'ok') throw new Error(found);
      return (database.prepare('select count(*) as jobs from jobs').get() as { jobs: number }).jobs;
    } finally {
      database.close();
    }
  } catch (error) {
    throw new ConnectionError(`What arrived is not a whole database (${(error as Error).message}).`, {
      cause: error,
    });
  }
}
