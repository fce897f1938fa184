import * as pooled from 'node:fs/promises';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Injectable } from '@nestjs/common';
import type { FileCalls } from './file-calls.js';
import { chooseFileCalls } from './file-calls.js';
import { removeTree } from './remove-tree.js';
import { isRoot, runnerUser } from './runner-user.js';
import type { InputFile, WorkspaceContent, WorkspaceTexts } from './workspace-content.js';
import { toTexts } from './workspace-content.js';
import { WorkspaceLayout } from './workspace-layout.js';
import type { WorkspacePaths } from './workspace-paths.js';
import { KEY_FILE, ORDER_FILE, REQUEST_FILE, SCRIPT_FILE } from '../runner/files.js';
import type { WorkloadKey } from '../runner/key.js';
import { toKeyFile } from '../runner/key.js';
import { WORKSPACE_ROOTS } from './workspace-paths.js';
import { writeBeside } from './write-beside.js';

/** Makes the folders of workloads before they start, and fills them. */
@Injectable()
export class WorkspaceMaker {
  private fileCalls: (bytes: number) => FileCalls = () => pooled;

  constructor(private readonly layout: WorkspaceLayout) {}

  /** Makes the three roots. Called once at start. */
  async prepare(): Promise<void> {
    const roots = WORKSPACE_ROOTS.map((name) => this.layout.root(name));
    for (const root of roots) await mkdir(root, { recursive: true });
    this.fileCalls = await chooseFileCalls(roots);
  }

  /** Makes and fills the folders of a workspace that does not exist yet. Without a key its runner signs nothing. */
  async make(id: string, content: WorkspaceContent, key?: WorkloadKey): Promise<WorkspacePaths> {
    const texts = toTexts(content);
    const calls = this.fileCalls(texts.bytes);
    const paths = await this.makeFolders(id, calls, key);
    await writeTexts(paths, texts, calls);
    // Last: an order that is there says that the workspace is whole.
    await calls.writeFile(join(paths.jobDir, ORDER_FILE), texts.order, { flag: 'wx', mode: 0o644 });
    return paths;
  }

  /** Makes the folders of a worker, whose job is not known yet. */
  async makeForWorker(id: string, key?: WorkloadKey): Promise<WorkspacePaths> {
    const calls = this.fileCalls(0);
    const paths = await this.makeFolders(id, calls, key);
    // Empty is no order; network file systems remember for a while that a file was not there.
    await calls.writeFile(join(paths.jobDir, ORDER_FILE), '', { flag: 'wx', mode: 0o644 });
    return paths;
  }

  /** Gives a waiting worker its job: from when this has resolved, and maybe before, the script runs. */
  async handOut(id: string, content: WorkspaceContent): Promise<void> {
    const paths = this.layout.paths(id);
    const texts = toTexts(content);
    const calls = this.fileCalls(texts.bytes);
    // At the same time, the order under another name: the worker looks for this one only.
    const [order] = await Promise.all([
      writeBeside(join(paths.jobDir, ORDER_FILE), texts.order, calls),
      writeTexts(paths, texts, calls),
    ]);
    await calls.rename(order, join(paths.jobDir, ORDER_FILE));
  }

  /** Removes all that was made for a workload whose outputs nobody keeps: a worker that had no job, a probe. */
  async discard(id: string): Promise<void> {
    const { inputDir, outputDir, spoolDir } = this.layout.paths(id);
    await Promise.all([dirname(inputDir), outputDir, spoolDir].map(removeTree));
  }

  private async makeFolders(
    id: string,
    calls: FileCalls,
    key: WorkloadKey | undefined,
  ): Promise<WorkspacePaths> {
    const paths = this.layout.paths(id);
    await Promise.all([
      calls.mkdir(paths.inputDir, { recursive: true }),
      calls.mkdir(paths.jobDir, { recursive: true }),
      makeRunnerFolder(paths.outputDir, calls),
      makeRunnerFolder(paths.spoolDir, calls),
    ]);
    // Before the script: a workspace without a key and with a script is one whose key was taken.
    if (key) await writeForRunner(join(paths.spoolDir, KEY_FILE), toKeyFile(key), calls);
    return paths;
  }
}

/** All but the order. */
async function writeTexts(paths: WorkspacePaths, texts: WorkspaceTexts, calls: FileCalls): Promise<void> {
  await Promise.all([
    calls.writeFile(join(paths.jobDir, SCRIPT_FILE), texts.script, { flag: 'wx', mode: 0o644 }),
    calls.writeFile(join(paths.inputDir, REQUEST_FILE), texts.request, { mode: 0o644 }),
    ...texts.files.map((file) => writeInput(paths.inputDir, file, calls)),
  ]);
}

/** A folder that only the workload's user (and the server) can enter. */
async function makeRunnerFolder(path: string, calls: FileCalls): Promise<void> {
  await calls.mkdir(path, { recursive: true, mode: 0o700 });
  if (!isRoot()) return;
  const { uid, gid } = runnerUser();
  await calls.chown(path, uid, gid);
  await calls.chmod(path, 0o700);
}

/** A file that only the workload's user (and the server) can read. */
async function writeForRunner(path: string, text: string, calls: FileCalls): Promise<void> {
  await calls.writeFile(path, text, { flag: 'wx', mode: 0o600 });
  if (!isRoot()) return;
  const { uid, gid } = runnerUser();
  await calls.chown(path, uid, gid);
}

async function writeInput(inputDir: string, file: InputFile, calls: FileCalls): Promise<void> {
  const path = join(inputDir, file.path);
  await calls.mkdir(dirname(path), { recursive: true });
  await calls.writeFile(path, file.content, { flag: 'wx', mode: 0o644 });
}
