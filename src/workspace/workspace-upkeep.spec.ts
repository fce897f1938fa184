import { existsSync, mkdirSync, mkdtempSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '../config/load-config.js';
import { newId } from '../common/ids.js';
import { WorkspaceLayout } from './workspace-layout.js';
import { WorkspaceMaker } from './workspace-maker.js';
import { WORKSPACE_ROOTS } from './workspace-paths.js';
import { WorkspaceUpkeep } from './workspace-upkeep.js';

describe('the upkeep of workspaces', () => {
  it('lists the folders of workspaces and nothing that a volume or this server keeps beside them', async () => {
    const root = mkdtempSync(join(tmpdir(), 'maps-workspaces-'));
    const layout = new WorkspaceLayout(loadConfig({ WORKSPACE_DIR: root }).storage);
    const maker = new WorkspaceMaker(layout);
    const upkeep = new WorkspaceUpkeep(layout);
    await maker.prepare();
    const [whole, spoolOnly] = [newId(), newId()];
    await maker.make(whole, { script: '', requestText: 'null', files: [], order: {} as never });
    mkdirSync(join(root, 'logs', spoolOnly));
    mkdirSync(join(root, 'logs', 'lost+found'));
    writeFileSync(join(root, 'inputs', '.mark'), 'mark');
    const listed: string[] = [];
    for await (const ids of upkeep.list()) listed.push(...ids);
    expect(listed.sort()).toEqual([whole, whole, spoolOnly].sort());
    expect(await upkeep.untouchedSince(() => Date.now() + 60_000, [whole, spoolOnly])).toHaveLength(2);
    expect(await upkeep.untouchedSince(() => Date.now() - 60_000, [whole, spoolOnly])).toEqual([]);
    utimesSync(join(root, 'outputs', whole), 0, 0);
    expect(await upkeep.untouchedSince(() => Date.now() - 60_000, [whole])).toEqual([]);
    expect(await upkeep.listInputs(() => Date.now() + 60_000)).toEqual([whole]);
  });

  it('removes the inputs alone, then the log, and never the outputs', async () => {
    const root = mkdtempSync(join(tmpdir(), 'maps-workspaces-'));
    const layout = new WorkspaceLayout(loadConfig({ WORKSPACE_DIR: root }).storage);
    const [maker, upkeep] = [new WorkspaceMaker(layout), new WorkspaceUpkeep(layout)];
    const id = newId();
    const left = (): string[] => WORKSPACE_ROOTS.filter((name) => existsSync(join(root, name, id)));
    await maker.make(id, { script: '', requestText: 'null', files: [], order: {} as never });
    await upkeep.removeInputs(id);
    expect(left()).toEqual(['outputs', 'logs']);
    await upkeep.remove(id);
    expect(left()).toEqual(['outputs']);
    await maker.discard(id);
    expect(left()).toEqual([]);
  });
});
