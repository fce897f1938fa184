import { describe, expect, it } from '@jest/globals';
import { newId } from '../../common/ids.js';
import { SYSTEM } from '../../common/principal.js';
import type { JobHolds } from '../../jobs/retention/job-holds.js';
import type { JobRepository } from '../../jobs/store/job.repository.js';
import type { JobService } from '../../jobs/job.service.js';
import type { JobLogService } from '../../logs/job-log.service.js';
import type { OutputStore } from '../store/output-store.js';
import { JobFilesService } from './job-files.service.js';

describe('the files of a job', () => {
  it('are never asked for in the database by a path that PostgreSQL refuses', async () => {
    const asked: string[] = [];
    const repository = {
      attempt: () => Promise.resolve({ number: 1 }),
      output: (_principal: unknown, _id: string, _attempt: number, path: string) =>
        Promise.resolve(void asked.push(path)),
    } as unknown as JobRepository;
    const jobs = { get: () => Promise.resolve({ attempt: 1 }) } as unknown as JobService;
    let held = 0;
    const hold = (): Promise<() => void> => Promise.resolve(((held += 1), (): void => void (held -= 1)));
    const holds = { hold } as unknown as JobHolds;
    const files = new JobFilesService(jobs, repository, {} as OutputStore, {} as JobLogService, holds);
    for (const path of ['a\0b', '\0', 'plain'])
      await expect(files.output(SYSTEM.dispatcher, newId(), path)).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
    expect([asked, held]).toEqual([['plain'], 0]);
  });
});
