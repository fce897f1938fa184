import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WorkloadFolders } from './workload-folders.js';
import type { WorkloadRecord } from './workload-record.js';

const record: WorkloadRecord = {
  version: 1,
  scope: 'here',
  installationId: 'test',
  isolation: 'none',
  jobId: 'job',
  attempt: 1,
  createdAtMs: 5,
  outputDir: '/out',
};

describe('WorkloadFolders', () => {
  let folders: WorkloadFolders;

  beforeEach(async () => {
    folders = new WorkloadFolders(await mkdtemp(join(tmpdir(), 'workload-folders-')));
    await folders.prepare();
  });
  afterEach(() => rm(folders.root, { recursive: true }));

  it('makes a folder once, whoever else makes it, and leaves no draft', async () => {
    const records = Array.from({ length: 20 }, (_, attempt) => ({ ...record, attempt }));
    for (const each of records) folders.create('runner-x', each);
    expect(await readdir(folders.root)).toEqual(['runner-x']);
    const kept = await readFile(join(folders.path('runner-x'), 'spec.json'), 'utf8');
    folders.create('runner-x', { ...record, attempt: 99 });
    expect(await readFile(join(folders.path('runner-x'), 'spec.json'), 'utf8')).toBe(kept);
  });

  it.each(['..', '.removed-x', 'a/b', 'A', '', '-a', 'x'.repeat(64)])(
    'has no workload named %j',
    async (name) => {
      expect(() => folders.create(name, record)).toThrow('DNS label');
      expect(folders.read(name)).toBeUndefined();
    },
  );

  it('tells a start lock that is not written yet from one that is', async () => {
    folders.create('runner-x', record);
    expect(folders.read('runner-x')).toMatchObject({ hasStartLock: false, supervisor: undefined });
    const startLock = join(folders.path('runner-x'), 'started');
    await writeFile(startLock, '');
    expect(folders.read('runner-x')).toMatchObject({ hasStartLock: true, supervisor: undefined });
    await writeFile(startLock, await readFile('/proc/self/stat', 'utf8'));
    expect(folders.read('runner-x')).toMatchObject({ hasStartLock: true, supervisor: { pid: process.pid } });
  });

  it('keeps the end of a long complaint, from where a line or a word begins', async () => {
    folders.create('runner-x', record);
    const complain = async (text: string): Promise<string | undefined> => {
      await writeFile(join(folders.path('runner-x'), 'stderr'), text);
      return folders.read('runner-x')?.complaint;
    };
    expect(await complain(' short\n')).toBe('short');
    expect(await complain(`${'/srv/maps'.repeat(50)} x\n${'y'.repeat(400)}`)).toBe('y'.repeat(400));
    expect(await complain(`${'/srv/maps'.repeat(50)} ${'y'.repeat(400)}`)).toBe('y'.repeat(400));
  });

  it('takes a retired folder from under its name, and discards all of it', async () => {
    folders.create('runner-x', record);
    await writeFile(`${folders.path('runner-x')}.exit`, '0\n');
    expect(folders.retire('runner-x')).toBe(true);
    expect(folders.retire('runner-x')).toBe(false);
    expect([folders.names(), folders.retiredNames()]).toEqual([[], ['runner-x']]);
    expect(folders.readRetired('runner-x')).toMatchObject({ name: 'runner-x', record });
    folders.discard('runner-x');
    expect(await readdir(folders.root)).toEqual([]);
  });
});
