import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { loadConfig } from '../../../src/config/load-config.js';
import { FolderOutputStore } from '../../../src/outputs/store/folder-output-store.js';
import { WorkspaceLayout } from '../../../src/workspace/workspace-layout.js';
import { WorkspaceMaker } from '../../../src/workspace/workspace-maker.js';
import { MemoryOutputStore } from '../../support/outputs/memory-output-store.js';
import { makeDataFolder } from '../../support/service/data-folder.js';
import type { OutputStage } from './output-store.contract.js';
import { MAX_BYTES, MAX_FILES, describeOutputStore } from './output-store.contract.js';

describeOutputStore('a folder', async () => {
  const folder = await makeDataFolder('maps-outputs-');
  const config = loadConfig({
    DATA_DIR: folder,
    MAX_OUTPUT_FILES: String(MAX_FILES),
    MAX_OUTPUT_BYTES: String(MAX_BYTES),
  });
  const layout = new WorkspaceLayout(config.storage);
  await new WorkspaceMaker(layout).prepare();
  const folderOf = (workspace: string): string => layout.paths(workspace).outputDir;
  return {
    store: new FolderOutputStore(layout, config.limits),
    another: () => new FolderOutputStore(layout, config.limits),
    leave: async (workspace, files) => {
      for (const [path, content] of Object.entries(files)) {
        const at = join(folderOf(workspace), path);
        await mkdir(dirname(at), { recursive: true });
        await writeFile(at, content);
      }
    },
    leaveNothing: async (workspace) => void (await mkdir(folderOf(workspace))),
    close: () => rm(folder, { recursive: true }),
  } satisfies OutputStage;
});

// Has no folder and no path: what the contract needs of a store is what this one has.
describeOutputStore('memory', async () => {
  const memory = { written: new Map(), kept: new Map() };
  const bounds = { files: MAX_FILES, bytes: MAX_BYTES };
  return {
    store: new MemoryOutputStore(memory, bounds),
    another: () => new MemoryOutputStore(memory, bounds),
    leave: async (workspace, files) => void memory.written.set(workspace, new Map(Object.entries(files))),
    leaveNothing: async (workspace) => void memory.written.set(workspace, new Map()),
    close: async () => undefined,
  } satisfies OutputStage;
});
