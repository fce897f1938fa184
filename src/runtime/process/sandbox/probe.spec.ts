import { afterEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { probeProcess } from './probe.js';

describe('probeProcess', () => {
  const made: string[] = [];
  afterEach(async () => {
    for (const folder of made.splice(0)) await rm(folder, { recursive: true });
  });

  async function interpreter(answer: object): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'probe-spec-'));
    made.push(folder);
    const path = join(folder, 'python');
    await writeFile(path, `#!/bin/sh\necho '${JSON.stringify(answer)}'\n`, { mode: 0o755 });
    return path;
  }

  it('says what to do about Python that is not there', async () => {
    const { fits, reason } = await probeProcess({ python: '/nowhere/python3', isolation: 'none' });
    expect(fits).toBe(false);
    expect(reason).toContain('PROCESS_PYTHON');
  });

  it('says what to do about Python that is too old', async () => {
    const python = await interpreter({ executable: '/x', version: '3.8.10', fits: false, folders: [] });
    expect(await probeProcess({ python, isolation: 'none' })).toEqual({
      fits: false,
      reason: `'${python}' is Python 3.8.10, but scripts need 3.9 or newer; set PROCESS_PYTHON.`,
    });
  });

  it('says what to do when the sandbox cannot be made', async () => {
    const python = await interpreter({
      executable: '/nowhere/python3',
      version: '3.11.2',
      fits: true,
      folders: [],
    });
    const { fits, reason } = await probeProcess({ python, isolation: 'bubblewrap' });
    expect(fits).toBe(false);
    expect(reason).toMatch(/bubblewrap|bwrap/);
    expect(reason).toContain('PROCESS_ISOLATION=none');
  });
});
