import {
  chmodSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RuntimeUnavailableError } from '../runtime.errors.js';
import { BundledRunner, RUNNER_SOURCES } from './bundled-runner.js';

describe('the runner as one file', () => {
  let folder: string;
  let executable: string;

  /** An interpreter that can be replaced; its `comment` makes it another one. */
  function install(comment: string): void {
    const draft = join(folder, 'draft');
    writeFileSync(draft, `#!/bin/sh\n# ${comment}\nexec python3 "$@"\n`);
    chmodSync(draft, 0o755);
    renameSync(draft, executable);
  }

  const bundles = (): string[] => readdirSync(folder).filter((name) => name.startsWith('.runner'));

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'maps-bundle-'));
    executable = join(folder, 'python');
    install('one');
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('is made once, for this server and the next one', async () => {
    const runner = new BundledRunner(folder, { executable });
    const [path, same] = await Promise.all([runner.path(), runner.path()]);
    expect(same).toBe(path);
    const { ino } = statSync(path);
    expect(await new BundledRunner(folder, { executable }).path()).toBe(path);
    expect(statSync(path).ino).toBe(ino);
    expect(bundles()).toHaveLength(1);
  });

  it('is another one once the interpreter was replaced', async () => {
    const runner = new BundledRunner(folder, { executable });
    const path = await runner.path();
    install('another');
    expect(await runner.path()).not.toBe(path);
    expect(bundles()).toHaveLength(2);
  });

  it('is another one for another version of the runner', async () => {
    const sources = join(folder, 'sources');
    cpSync(RUNNER_SOURCES, sources, { recursive: true });
    writeFileSync(join(sources, 'runner', 'complain.py'), 'def complain(sentence): pass\n');
    const path = await new BundledRunner(folder, { executable }).path();
    expect(await new BundledRunner(folder, { executable }, sources).path()).not.toBe(path);
  });

  it('leaves nothing where it cannot be made, and is tried again', async () => {
    const sources = join(folder, 'sources');
    cpSync(RUNNER_SOURCES, sources, { recursive: true });
    writeFileSync(join(sources, 'loader.py'), 'no Python\n');
    const runner = new BundledRunner(folder, { executable }, sources);
    await expect(runner.path()).rejects.toThrow(RuntimeUnavailableError);
    expect(bundles()).toEqual([]);
    cpSync(join(RUNNER_SOURCES, 'loader.py'), join(sources, 'loader.py'));
    await expect(runner.path()).resolves.toMatch(/\.pyc$/);
  });
});
