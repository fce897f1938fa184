import * as pooled from 'node:fs/promises';
import { constants, lstat, mkdir, open, readFile, opendir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { errnoOf } from '../common/app-error.js';
import { KiB } from '../common/bytes.js';
import { newId } from '../common/ids.js';
import { AppConfig } from '../config/app-config.js';
import { ORDER_FILE, READY_FILE, REQUEST_FILE, SCRIPT_FILE, STOP_FILE } from '../runner/files.js';
import type { JobOrder } from '../runner/order.js';
import { WITHDRAWN_ORDER } from '../runner/order.js';
import type { FileCalls } from './file-calls.js';
import { chooseFileCalls } from './file-calls.js';
import { removeTree } from './remove-tree.js';
import { isRoot, runnerUser } from './runner-user.js';
import type { WorkspacePaths } from './workspace-paths.js';
import { WORKSPACE_ROOTS, spoolPath, workspacePaths } from './workspace-paths.js';

export interface WorkspaceContent {
  script: string;
  /** Becomes `/input/request.json`. */
  request: unknown;
  files: readonly InputFile[];
  order: JobOrder;
}

export interface InputFile {
  /** Relative, already checked by `checkInputPath`. */
  path: string;
  content: Buffer;
}

const WITHDRAWAL_MS = 24 * 3_600_000;

const MAX_READY_BYTES = 64 * KiB;

/** Tells workspaces from what else may lie beside them: a mark of ours, the `lost+found` of a volume. */
const WORKSPACE_ID = /^[A-Za-z0-9][A-Za-z0-9-]*$/;

/**
 * The folders of workloads. Made by the server before a workload starts, read by it while and after it runs, removed by
 * it alone. What a script left in `outputs/` and `logs/` is hostile: it is opened without following links.
 */
@Injectable()
export class Workspaces {
  private readonly root: string;
  private fileCalls: (bytes: number) => FileCalls = () => pooled;

  constructor(config: AppConfig) {
    this.root = config.workspaceDir;
  }

  paths(id: string): WorkspacePaths {
    return workspacePaths(this.root, id);
  }

  /** Makes the three roots. Called once at start. */
  async prepare(): Promise<void> {
    const roots = WORKSPACE_ROOTS.map((name) => join(this.root, name));
    for (const root of roots) await mkdir(root, { recursive: true });
    this.fileCalls = await chooseFileCalls(roots);
  }

  /** Makes and fills the folders of a workspace that does not exist yet. */
  async make(id: string, content: WorkspaceContent): Promise<WorkspacePaths> {
    const texts = toTexts(content);
    const calls = this.fileCalls(texts.bytes);
    const paths = await this.makeFolders(id, calls);
    await writeTexts(paths, texts, calls);
    // Last: an order that is there says that the workspace is whole.
    await calls.writeFile(join(paths.jobDir, ORDER_FILE), texts.order, { flag: 'wx', mode: 0o644 });
    return paths;
  }

  /** Makes the folders of a worker, whose job is not known yet. */
  async makeForWorker(id: string): Promise<WorkspacePaths> {
    const calls = this.fileCalls(0);
    const paths = await this.makeFolders(id, calls);
    // Empty is no order; network file systems remember for a while that a file was not there.
    await calls.writeFile(join(paths.jobDir, ORDER_FILE), '', { flag: 'wx', mode: 0o644 });
    return paths;
  }

  /** Gives a waiting worker its job: from when this has resolved, and maybe before, the script runs. */
  async handOut(id: string, content: WorkspaceContent): Promise<void> {
    const paths = this.paths(id);
    const texts = toTexts(content);
    const calls = this.fileCalls(texts.bytes);
    // At the same time, the order under another name: the worker looks for this one only.
    const [order] = await Promise.all([
      writeBeside(join(paths.jobDir, ORDER_FILE), texts.order, calls),
      writeTexts(paths, texts, calls),
    ]);
    await calls.rename(order, join(paths.jobDir, ORDER_FILE));
  }

  private async makeFolders(id: string, calls: FileCalls): Promise<WorkspacePaths> {
    const paths = this.paths(id);
    await Promise.all([
      calls.mkdir(paths.inputDir, { recursive: true }),
      calls.mkdir(paths.jobDir, { recursive: true }),
      makeRunnerFolder(paths.outputDir, calls),
      makeRunnerFolder(paths.spoolDir, calls),
    ]);
    return paths;
  }

  /** When a worker last touched what it said, milliseconds since 1970 by whoever keeps the folder; undefined: not seen. */
  async readyTouchedAtMs(id: string): Promise<number | undefined> {
    try {
      return (await lstat(join(this.paths(id).spoolDir, READY_FILE))).mtimeMs;
    } catch {
      return undefined;
    }
  }

  /** What a worker has said when it was ready; undefined while it has not. At most 64 KiB of it. */
  async readReady(id: string): Promise<string | undefined> {
    let file: import('node:fs/promises').FileHandle;
    try {
      file = await openRegular(join(this.paths(id).spoolDir, READY_FILE));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
    try {
      const buffer = Buffer.alloc(MAX_READY_BYTES);
      const { bytesRead } = await file.read(buffer, 0, MAX_READY_BYTES, 0);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  }

  /** Opens a file of an output for reading, refusing anything but a regular file and any link on the way. */
  async openOutput(id: string, path: string): Promise<import('node:fs/promises').FileHandle> {
    return openBeneath(this.paths(id).outputDir, path);
  }

  /** Opens the spool, or undefined while there is none. A spool that is not a regular file is an error. */
  async openSpool(id: string): Promise<import('node:fs/promises').FileHandle | undefined> {
    try {
      return await openRegular(spoolPath(this.paths(id)));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /**
   * Removes the inputs, which nobody needs once the attempt has ended. Of one whose order was withdrawn that withdrawal
   * stays for a day, as long as a server may be paused and still go on.
   */
  async removeInputs(id: string): Promise<void> {
    const { inputDir, jobDir } = this.paths(id);
    const order = await readFile(join(jobDir, ORDER_FILE), 'utf8').catch(() => '');
    const isFresh = async (): Promise<boolean> =>
      (await stat(join(jobDir, ORDER_FILE))).mtimeMs > Date.now() - WITHDRAWAL_MS;
    if (order !== WITHDRAWN_ORDER || !(await isFresh())) return removeTree(dirname(inputDir));
    await Promise.all([removeTree(inputDir), rm(join(jobDir, SCRIPT_FILE), { force: true })]);
  }

  async remove(id: string): Promise<void> {
    const paths = this.paths(id);
    await Promise.all([dirname(paths.inputDir), paths.outputDir, paths.spoolDir].map(removeTree));
  }

  /**
   * Makes certain that no script is started from this workspace any more, whoever tries it and however late: the order
   * is replaced by one that runners refuse (or stands in its place, so that none can be written), and the order to stop
   * lies beside it for a runner that has its order from elsewhere. Both stay for as long as the job does.
   */
  async withdraw(id: string): Promise<void> {
    const { jobDir } = this.paths(id);
    await this.withdrawOrder(id);
    // In place: a runner may hold the file that is there open.
    await writeFile(join(jobDir, STOP_FILE), '0\n', { mode: 0o644 });
  }

  /** As `withdraw`, but whoever has taken the order already goes on with it. */
  async withdrawOrder(id: string): Promise<void> {
    const { jobDir } = this.paths(id);
    await mkdir(jobDir, { recursive: true });
    await replaceFile(join(jobDir, ORDER_FILE), WITHDRAWN_ORDER);
  }

  /** The ids of all workspaces that have inputs, last changed before what `beforeMs` says for each. */
  async listInputs(beforeMs: (id: string) => number): Promise<string[]> {
    const ids: string[] = [];
    for await (const batch of idsIn(join(this.root, 'inputs'))) ids.push(...batch);
    return this.untouchedSince(beforeMs, ids);
  }

  /** The ids of all workspaces of which at least one folder is there, some at a time, each up to three times. */
  async *batches(): AsyncGenerator<string[], void, undefined> {
    for (const name of WORKSPACE_ROOTS) yield* idsIn(join(this.root, name));
  }

  /** Those of `ids` none of whose folders was changed since what `beforeMs` says for each. */
  async untouchedSince(beforeMs: (id: string) => number, ids: readonly string[]): Promise<string[]> {
    const untouched: string[] = [];
    for (const id of ids) {
      const stats = await Promise.all(
        WORKSPACE_ROOTS.map((name) => lstat(join(this.root, name, id)).catch(() => undefined)),
      );
      if (stats.every((each) => each === undefined || each.mtimeMs < beforeMs(id))) untouched.push(id);
    }
    return untouched;
  }
}

/** As many ids as one statement of a database takes. */
const BATCH = 500;

async function* idsIn(folder: string): AsyncGenerator<string[], void, undefined> {
  let batch: string[] = [];
  for await (const { name } of await openFolder(folder)) {
    if (WORKSPACE_ID.test(name)) batch.push(name);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** What is written into a workspace. */
interface Texts {
  script: string;
  request: string;
  order: string;
  files: readonly InputFile[];
  /** About: characters of the texts, bytes of the files, which take a page each at least. */
  bytes: number;
}

function toTexts({ script, request, order, files }: WorkspaceContent): Texts {
  const texts = { script, request: JSON.stringify(request ?? null), order: JSON.stringify(order), files };
  const ofFiles = files.reduce((sum, { content }) => sum + Math.max(content.length, 4 * KiB), 0);
  return { ...texts, bytes: script.length + texts.request.length + texts.order.length + ofFiles };
}

/** All but the order. */
async function writeTexts(paths: WorkspacePaths, texts: Texts, calls: FileCalls): Promise<void> {
  await Promise.all([
    calls.writeFile(join(paths.jobDir, SCRIPT_FILE), texts.script, { flag: 'wx', mode: 0o644 }),
    calls.writeFile(join(paths.inputDir, REQUEST_FILE), texts.request, { mode: 0o644 }),
    ...texts.files.map((file) => writeInput(paths.inputDir, file, calls)),
  ]);
}

async function replaceFile(path: string, text: string): Promise<void> {
  await pooled.rename(await writeBeside(path, text, pooled), path);
}

/** Returns the path of a new file in the same folder, to be renamed. */
async function writeBeside(path: string, text: string, calls: FileCalls): Promise<string> {
  const partial = `${path}.${newId()}`;
  await calls.writeFile(partial, text, { flag: 'wx', mode: 0o644 });
  return partial;
}

/** Read bit by bit: there may be a million. */
async function openFolder(folder: string): Promise<AsyncIterable<{ name: string }>> {
  try {
    return await opendir(folder, { bufferSize: BATCH });
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return Readable.from([]);
  }
}

/** A folder that only the workload's user (and the server) can enter. */
async function makeRunnerFolder(path: string, calls: FileCalls): Promise<void> {
  await calls.mkdir(path, { recursive: true, mode: 0o700 });
  if (!isRoot()) return;
  const { uid, gid } = runnerUser();
  await calls.chown(path, uid, gid);
  await calls.chmod(path, 0o700);
}

async function writeInput(inputDir: string, file: InputFile, calls: FileCalls): Promise<void> {
  const path = join(inputDir, file.path);
  await calls.mkdir(dirname(path), { recursive: true });
  await calls.writeFile(path, file.content, { flag: 'wx', mode: 0o644 });
}

/** Opens `path` if it is a regular file itself, not through a link; O_NONBLOCK so that a FIFO cannot hang the server. */
export async function openRegular(path: string): Promise<import('node:fs/promises').FileHandle> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const stat = await file.stat();
  if (stat.isFile()) return file;
  await file.close();
  throw new NotRegularFileError();
}

export class NotRegularFileError extends Error {
  constructor() {
    super('not a regular file');
    this.name = 'NotRegularFileError';
  }
}

/** Whether an opening failed because something else is there, which only a script can have put in its place. */
export function isReplaced(error: unknown): boolean {
  return error instanceof NotRegularFileError || errnoOf(error) === 'ELOOP';
}

/**
 * Opens `path` beneath `root` when every folder on the way is a real one. The workload is dead when this is called, so
 * nobody can swap a folder for a link in between.
 */
async function openBeneath(root: string, path: string): Promise<import('node:fs/promises').FileHandle> {
  const parts = path.split('/');
  let folder = root;
  for (const part of parts.slice(0, -1)) {
    folder = join(folder, part);
    if (!(await lstat(folder)).isDirectory()) throw new NotRegularFileError();
  }
  return openRegular(join(folder, parts.at(-1) ?? ''));
}
