import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '../config/load-config.js';
import { newId } from '../common/ids.js';
import { Workspaces } from './workspaces.js';

describe('workspaces', () => {
  it('lists its own folders and nothing that a volume or this server keeps beside them', async () => {
    const root = mkdtempSync(join(tmpdir(), 'maps-workspaces-'));
    const workspaces = new Workspaces(loadConfig({ WORKSPACE_DIR: root }));
    await workspaces.prepare();
    const [whole, spoolOnly] = [newId(), newId()];
    await workspaces.make(whole, { script: '', request: null, files: [], order: {} as never });
    mkdirSync(join(root, 'logs', spoolOnly));
    mkdirSync(join(root, 'outputs', 'lost+found'));
    writeFileSync(join(root, 'outputs', '.database-id'), 'mark');
    expect((await workspaces.list()).sort()).toEqual([whole, spoolOnly].sort());
    expect(await workspaces.list(Date.now() - 60_000)).toEqual([]);
  });
});
