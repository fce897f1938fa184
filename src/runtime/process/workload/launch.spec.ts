import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../../../../test/support/wait-for.js';
import { RuntimeUnavailableError } from '../../runtime.errors.js';
import type { LaunchSpec } from './launch.js';
import { launch } from './launch.js';

const PATIENCE_MS = 60_000;

describe('launch', () => {
  let folder: string;
  const spec = (command: string): LaunchSpec => ({
    folder,
    cgroupFolders: [],
    runnerPath: '/dev/null',
    filterPath: '/dev/null',
    command: ['/bin/sh', '-c', command],
    env: {},
  });
  const exit = (): Promise<string> =>
    waitFor(() => readFile(`${folder}.exit`, 'utf8').then((text) => text.trim()), {
      describe: () => 'the last word of the supervisor',
    });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'launch-'));
  });

  afterEach(async () => {
    await rm(`${folder}.exit`, { force: true });
    await rm(folder, { recursive: true });
  });

  it('returns when the supervisor has taken the start lock, which tells how its command ends', async () => {
    await launch(spec('exit 7'), PATIENCE_MS);
    expect(await readFile(join(folder, 'started'), 'utf8')).toMatch(/^\d+ \(sh\) /);
    expect(await exit()).toBe('7');
  });

  it('returns when another supervisor has taken it, and runs nothing', async () => {
    await writeFile(join(folder, 'started'), '1 (sh) S 1');
    await launch(spec('exit 7'), PATIENCE_MS);
    expect(existsSync(`${folder}.exit`)).toBe(false);
  });

  it('does not wait for ever for a supervisor that hangs, which may still begin', async () => {
    // A lock that nobody reads holds back whoever writes it.
    execFileSync('mkfifo', [join(folder, 'started')]);
    await expect(launch(spec('exit 7'), 200)).rejects.toThrow(RuntimeUnavailableError);
    await readFile(join(folder, 'started'));
    expect(await exit()).toBe('7');
  });
});
