import { existsSync, mkdtempSync, readFileSync, readdirSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '../config/load-config.js';
import { newId } from '../common/ids.js';
import { WorkspaceLayout } from './workspace-layout.js';
import { WorkspaceMaker } from './workspace-maker.js';
import { WorkspaceOrders } from './workspace-orders.js';
import { WorkspaceUpkeep } from './workspace-upkeep.js';

describe('orders', () => {
  it('are withdrawn for good: also one that somebody is about to write', async () => {
    const root = mkdtempSync(join(tmpdir(), 'maps-workspaces-'));
    const layout = new WorkspaceLayout(loadConfig({ WORKSPACE_DIR: root }).storage);
    const [maker, orders] = [new WorkspaceMaker(layout), new WorkspaceOrders(layout)];
    const upkeep = new WorkspaceUpkeep(layout);
    const content = { script: 'x', requestText: 'null', files: [], order: { version: 1 } as never };
    const [written, late] = [newId(), newId()];
    await maker.make(written, content);
    for (const id of [written, late]) {
      await orders.withdraw(id);
      await orders.withdraw(id);
      const order: unknown = JSON.parse(readFileSync(join(layout.paths(id).jobDir, 'job.json'), 'utf8'));
      expect(order).toEqual({ withdrawn: true });
      expect(readFileSync(join(layout.paths(id).jobDir, 'stop'), 'utf8')).toBe('0\n');
    }
    await expect(maker.make(late, content)).rejects.toThrow(/EEXIST/);
    await upkeep.removeInputs(written);
    expect(readdirSync(layout.paths(written).jobDir).sort()).toEqual(['job.json', 'stop']);
    const anHourTooOld = new Date(Date.now() - 25 * 3_600_000);
    utimesSync(join(layout.paths(written).jobDir, 'job.json'), anHourTooOld, anHourTooOld);
    await upkeep.removeInputs(written);
    expect(existsSync(join(root, 'inputs', written))).toBe(false);
  });
});
