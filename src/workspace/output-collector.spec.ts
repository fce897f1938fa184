import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { loadConfig } from '../config/load-config.js';
import { OutputCollector } from './output-collector.js';
import { Workspaces } from './workspaces.js';

describe('the collector of outputs', () => {
  let folder: string;
  let output: string;
  let workspaces: Workspaces;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'maps-collect-'));
    workspaces = new Workspaces(loadConfig({ DATA_DIR: folder, MAX_OUTPUT_FILES: '3' }));
    output = workspaces.paths('w').outputDir;
    mkdirSync(output, { recursive: true });
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const collect = () =>
    new OutputCollector(workspaces, loadConfig({ DATA_DIR: folder, MAX_OUTPUT_FILES: '3' })).collect('w');

  it('lists regular files, sorted, with size, digest and type', async () => {
    mkdirSync(join(output, 'd'));
    writeFileSync(join(output, 'd/x.png'), 'abc');
    writeFileSync(join(output, 'a.geojson'), '');
    const { files, skipped } = await collect();
    expect(files).toMatchObject([
      { path: 'a.geojson', size: 0, contentType: 'application/geo+json' },
      {
        path: 'd/x.png',
        size: 3,
        contentType: 'image/png',
        sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      },
    ]);
    expect(skipped).toEqual([]);
  });

  it('leaves out everything that is no plain file, and says why', async () => {
    symlinkSync('/etc/passwd', join(output, 'link'));
    symlinkSync('/etc', join(output, 'folder'));
    execFileSync('mkfifo', [join(output, 'pipe')]);
    writeFileSync(join(output, 'new\nline'), '');
    writeFileSync(Buffer.concat([Buffer.from(join(output, 'bad')), Buffer.from([0xff])]), '');
    const { files, skipped } = await collect();
    expect(files).toEqual([]);
    expect(Object.fromEntries(skipped.map(({ path, why }) => [path, why]))).toEqual({
      link: 'symbolic link',
      folder: 'symbolic link',
      pipe: 'named pipe',
      'new\nline': 'name has control characters',
      'bad\ufffd': 'name is not valid UTF-8',
    });
  });

  it('keeps as many files as allowed, and names what is beyond', async () => {
    for (const name of ['a', 'b', 'c', 'd']) writeFileSync(join(output, name), name);
    const { files, skipped } = await collect();
    expect(files.map(({ path }) => path)).toEqual(['a', 'b', 'c']);
    expect(skipped).toEqual([{ path: 'd', why: 'more than 3 files' }]);
  });

  it('opens an output through no link, neither its own nor a folder’s', async () => {
    symlinkSync('/etc', join(output, 'etc'));
    symlinkSync('/etc/passwd', join(output, 'passwd'));
    await expect(workspaces.openOutput('w', 'etc/passwd')).rejects.toThrow();
    await expect(workspaces.openOutput('w', 'passwd')).rejects.toThrow();
  });
});
