import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ConnectionError } from '../client/api-error.js';
import type { OutputFile } from '../client/api-types.js';
import { backoffMs, sleepOrThrow } from '../client/backoff.js';
import type { Context } from './context.js';
import { formatBytes, printable } from './format.js';
import { makeFolders, toSafeNames } from './output-path.js';
import { UsageError } from './usage-error.js';

const TRIES = 3;

/** Fetches every output of a job into `folder`; returns the paths written. */
export async function downloadOutputs(context: Context, jobId: string, folder: string): Promise<string[]> {
  const { terminal } = context;
  const { files, skipped } = await context.api.outputs(jobId);
  // Before the first byte is fetched: one bad name, nothing written.
  const all = files.map((file) => ({ file, names: toSafeNames(file.path) }));
  const written: string[] = [];
  for (const { file, names } of all) {
    const parent = await makeFolders(folder, names.slice(0, -1));
    const target = join(parent, names.at(-1) ?? '');
    await fetchWithRetries(context, file, parent, target);
    written.push(join(folder, ...names));
    if (terminal.isWatched)
      terminal.note(`${written.length}/${files.length}  ${printable(file.path)}  ${formatBytes(file.size)}`);
  }
  for (const { path, why } of skipped) terminal.note(`not kept: ${printable(path)} (${printable(why)})`);
  return written;
}

async function fetchWithRetries(
  context: Context,
  file: OutputFile,
  parent: string,
  target: string,
): Promise<void> {
  for (let failures = 0; ; failures++) {
    try {
      return await fetchFile(context, file, parent, target);
    } catch (error) {
      if (!(error instanceof ConnectionError) || failures + 1 >= TRIES) throw error;
      await sleepOrThrow(backoffMs(failures));
    }
  }
}

/** Under a name of its own until it is whole and right: a broken download never looks like a file. */
async function fetchFile(context: Context, file: OutputFile, parent: string, target: string): Promise<void> {
  await refuseFolder(target);
  const partial = join(parent, `.maps-${randomUUID()}.part`);
  const { O_CREAT, O_EXCL, O_NOFOLLOW = 0, O_WRONLY } = constants;
  const handle = await open(partial, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY);
  try {
    await receive(context, file, async (bytes) => void (await handle.writeFile(bytes)));
    await handle.close();
    // Takes the place of a link instead of following it.
    await rename(partial, target);
  } catch (error) {
    await handle.close().catch(() => {});
    await rm(partial, { force: true });
    throw error;
  }
}

async function receive(
  { client }: Context,
  file: OutputFile,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const response = await client.download(file.url);
  const hash = createHash('sha256');
  let size = 0;
  const body = (response.body ?? []) as AsyncIterable<Uint8Array>;
  try {
    for await (const bytes of body) {
      size += bytes.length;
      if (size > file.size) break;
      hash.update(bytes);
      await write(bytes);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall) throw error;
    throw new ConnectionError(`The download of ${file.path} broke off.`, { cause: error });
  }
  if (size !== file.size || hash.digest('hex') !== file.sha256)
    throw new ConnectionError(`What arrived of ${file.path} is not what the job left there.`);
}

async function refuseFolder(target: string): Promise<void> {
  const entry = await lstat(target).catch(() => undefined);
  if (entry?.isDirectory())
    throw new UsageError(`${target} is in the way: a folder has the name of an output.`);
}
