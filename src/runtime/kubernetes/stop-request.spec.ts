import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { prepareStopRequest, requestStop } from './stop-request.js';

describe('the stop request', () => {
  let jobDir: string;
  beforeEach(() => {
    jobDir = mkdtempSync(join(tmpdir(), 'stop-request-'));
  });
  afterEach(() => rmSync(jobDir, { recursive: true, force: true }));

  const requested = (): number => Number.parseFloat(readFileSync(join(jobDir, 'stop'), 'utf8'));

  it('is there from the beginning, empty, and kept when it is prepared again', async () => {
    await prepareStopRequest(jobDir);
    expect(readFileSync(join(jobDir, 'stop'), 'utf8')).toBe('');
    await requestStop(jobDir, 7);
    await prepareStopRequest(jobDir);
    expect(requested()).toBe(7);
  });

  it('is shortened by a later one, and never made longer', async () => {
    await prepareStopRequest(jobDir);
    for (const [graceSeconds, expected] of [
      [600, 600],
      [2.5, 2.5],
      [30, 2.5],
      [0, 0],
      [600, 0],
    ] as const) {
      await requestStop(jobDir, graceSeconds);
      expect(requested()).toBe(expected);
    }
  });

  it('is the shortest of those that are given at the same moment, in whatever order', async () => {
    for (let round = 0; round < 50; round++) {
      await prepareStopRequest(jobDir);
      const graces = round % 2 ? [600, 0, 30] : [30, 600, 0];
      await Promise.all(graces.map((graceSeconds) => requestStop(jobDir, graceSeconds)));
      expect(requested()).toBe(0);
      rmSync(join(jobDir, 'stop'));
    }
  });

  it('to a folder that is gone asks for nothing', async () => {
    await requestStop(join(jobDir, 'gone'), 0);
  });

  it('that cannot be written is said, and holds up none after it', async () => {
    await prepareStopRequest(jobDir);
    const notAFolder = join(jobDir, 'stop');
    const requests = [requestStop(notAFolder, 5), requestStop(notAFolder, 0)];
    for (const request of requests) await expect(request).rejects.toThrow('ENOTDIR');
    await requestStop(jobDir, 1);
    expect(requested()).toBe(1);
  });
});
