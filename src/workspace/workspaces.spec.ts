import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
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
    mkdirSync(join(root, 'logs', 'lost+found'));
    writeFileSync(join(root, 'inputs', '.mark'), 'mark');
    const listed: string[] = [];
    for await (const ids of workspaces.batches()) listed.push(...ids);
    expect(listed.sort()).toEqual([whole, whole, spoolOnly].sort());
    expect(await workspaces.untouchedSince(() => Date.now() + 60_000, [whole, spoolOnly])).toHaveLength(2);
    expect(await workspaces.untouchedSince(() => Date.now() - 60_000, [whole, spoolOnly])).toEqual([]);
    utimesSync(join(root, 'outputs', whole), 0, 0);
    expect(await workspaces.untouchedSince(() => Date.now() - 60_000, [whole])).toEqual([]);
    expect(await workspaces.listInputs(() => Date.now() + 60_000)).toEqual([whole]);
  });

  it('withdraw an order for good: also one that somebody is about to write', async () => {
    const root = mkdtempSync(join(tmpdir(), 'maps-workspaces-'));
    const workspaces = new Workspaces(loadConfig({ WORKSPACE_DIR: root }));
    const content = { script: 'x', request: null, files: [], order: { version: 1 } as never };
    const [written, late] = [newId(), newId()];
    await workspaces.make(written, content);
    for (const id of [written, late]) {
      await workspaces.withdraw(id);
      await workspaces.withdraw(id);
      const order: unknown = JSON.parse(readFileSync(join(workspaces.paths(id).jobDir, 'job.json'), 'utf8'));
      expect(order).toEqual({ withdrawn: true });
      expect(readFileSync(join(workspaces.paths(id).jobDir, 'stop'), 'utf8')).toBe('0\n');
    }
    await expect(workspaces.make(late, content)).rejects.toThrow(/EEXIST/);
    await workspaces.removeInputs(written);
    expect(readdirSync(workspaces.paths(written).jobDir).sort()).toEqual(['job.json', 'stop']);
    const anHourTooOld = new Date(Date.now() - 25 * 3_600_000);
    utimesSync(join(workspaces.paths(written).jobDir, 'job.json'), anHourTooOld, anHourTooOld);
    await workspaces.removeInputs(written);
    expect(existsSync(join(root, 'inputs', written))).toBe(false);
  });
});
