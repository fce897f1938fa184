import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { orderStop, prepareStopOrder } from './stop-order.js';

describe('the order to stop', () => {
  let jobDir: string;
  beforeEach(() => {
    jobDir = mkdtempSync(join(tmpdir(), 'stop-order-'));
  });
  afterEach(() => rmSync(jobDir, { recursive: true, force: true }));

  const ordered = (): number => Number.parseFloat(readFileSync(join(jobDir, 'stop'), 'utf8'));

  it('is there from the beginning, empty, and kept when it is prepared again', async () => {
    await prepareStopOrder(jobDir);
    expect(readFileSync(join(jobDir, 'stop'), 'utf8')).toBe('');
    await orderStop(jobDir, 7);
    await prepareStopOrder(jobDir);
    expect(ordered()).toBe(7);
  });

  it('is shortened by a later one, and never made longer', async () => {
    await prepareStopOrder(jobDir);
    for (const [graceSeconds, expected] of [
      [600, 600],
      [2.5, 2.5],
      [30, 2.5],
      [0, 0],
      [600, 0],
    ] as const) {
      await orderStop(jobDir, graceSeconds);
      expect(ordered()).toBe(expected);
    }
  });

  it('is the shortest of those that are given at the same moment, in whatever order', async () => {
    for (let round = 0; round < 50; round++) {
      await prepareStopOrder(jobDir);
      const graces = round % 2 ? [600, 0, 30] : [30, 600, 0];
      await Promise.all(graces.map((graceSeconds) => orderStop(jobDir, graceSeconds)));
      expect(ordered()).toBe(0);
      rmSync(join(jobDir, 'stop'));
    }
  });

  it('to a folder that is gone asks for nothing', async () => {
    await orderStop(join(jobDir, 'gone'), 0);
  });

  it('that cannot be written is said, and holds up none after it', async () => {
    await prepareStopOrder(jobDir);
    const notAFolder = join(jobDir, 'stop');
    const orders = [orderStop(notAFolder, 5), orderStop(notAFolder, 0)];
    for (const order of orders) await expect(order).rejects.toThrow('ENOTDIR');
    await orderStop(jobDir, 1);
    expect(ordered()).toBe(1);
  });
});
