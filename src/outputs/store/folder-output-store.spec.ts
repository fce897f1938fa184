import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../config/load-config.js';
import { WorkspaceLayout } from '../../workspace/workspace-layout.js';
import { FolderOutputStore } from './folder-output-store.js';
import type { KeptOutputs } from './output-store.js';
import { OutputGoneError } from './output-store.js';

describe('outputs in a folder', () => {
  let folder: string;
  let output: string;
  let layout: WorkspaceLayout;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'maps-collect-'));
    layout = new WorkspaceLayout(loadConfig({ DATA_DIR: folder, MAX_OUTPUT_FILES: '3' }).storage);
    output = layout.paths('w').outputDir;
    mkdirSync(output, { recursive: true });
  });

  afterEach(() => {
    // Not Node's, which fails on very deep trees.
    execFileSync('rm', ['-rf', folder]);
  });

  const storeWith = (variables: Record<string, string> = {}): FolderOutputStore =>
    new FolderOutputStore(
      layout,
      loadConfig({ DATA_DIR: folder, MAX_OUTPUT_FILES: '3', ...variables }).limits,
    );
  const keep = (variables?: Record<string, string>, signal?: AbortSignal): Promise<KeptOutputs> =>
    storeWith(variables).keep('w', signal);
  const make = (script: string): void =>
    void execFileSync('python3', ['-c', `import os\n${script}`], { cwd: output });

  it('lists regular files, sorted, with size, digest and type', async () => {
    mkdirSync(join(output, 'd'));
    writeFileSync(join(output, 'd/x.png'), 'abc');
    writeFileSync(join(output, 'a.geojson'), '');
    const { files, skipped } = await keep();
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
    const { files, skipped } = await keep();
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
    const { files, skipped } = await keep();
    expect(files.map(({ path }) => path)).toEqual(['a', 'b', 'c']);
    expect(skipped).toEqual([{ path: 'd', why: 'more than 3 files' }]);
  });

  it('takes no more bytes than allowed, however cheaply they were made', async () => {
    make('for i in range(40): open(f"{i:02}", "w").close(); os.truncate(f"{i:02}", 512 << 20)');
    writeFileSync(join(output, 'small'), 'x');
    const before = bytesRead();
    const { files, skipped } = await keep({ MAX_OUTPUT_BYTES: String((512 << 20) + 1) });
    expect(files.map(({ path }) => path)).toEqual(['00', 'small']);
    expect(skipped).toHaveLength(39);
    expect(skipped[0]).toEqual({ path: '01', why: 'the outputs together are larger than 536870913 bytes' });
    expect((await keep({ MAX_OUTPUT_BYTES: '1048576' })).skipped[0]?.why).toMatch(/larger than 1 MiB$/);
    // Of 20 GiB.
    expect(bytesRead() - before).toBeLessThan(1024 ** 3);
  });

  it('reads a file of many names once', async () => {
    make('open("0", "wb").write(bytes(20 << 20))\nfor i in range(1, 2000): os.link("0", str(i))');
    const before = bytesRead();
    const { files } = await keep({ MAX_OUTPUT_BYTES: String(2 ** 40), MAX_OUTPUT_FILES: '5000' });
    expect(files).toHaveLength(2000);
    expect(new Set(files.map(({ sha256, size }) => `${sha256} ${size}`)).size).toBe(1);
    // Of 40 GB.
    expect(bytesRead() - before).toBeLessThan(1024 ** 3);
  });

  it('stops with the reason of the signal, between files and within one', async () => {
    make('open("a", "w").close(); os.truncate("a", 1 << 40)');
    const reason = new Error('enough');
    await expect(keep({}, AbortSignal.abort(reason))).rejects.toBe(reason);
    const stop = new AbortController();
    const keeping = keep({ MAX_OUTPUT_BYTES: String(2 ** 41) }, stop.signal);
    setTimeout(() => stop.abort(reason), 50);
    await expect(keeping).rejects.toBe(reason);
  });

  it('goes as deep as paths do, and names what is beyond', async () => {
    make('open("z", "w").close()\nfor i in range(2500): os.mkdir("d"); os.chdir("d")');
    const { files, skipped } = await keep();
    expect(files.map(({ path }) => path)).toEqual(['z']);
    expect(skipped).toEqual([{ path: expect.stringMatching(/^d\/d\//), why: 'path is too long' }]);
  });

  it('looks at no more entries than it can hold, and says so first', async () => {
    make('for i in range(100_100): os.symlink("x", str(i))');
    const { files, skipped } = await keep();
    expect(files).toEqual([]);
    expect(skipped).toHaveLength(100);
    expect(skipped[0]).toEqual({ path: '.', why: 'more than 100000 entries' });
  });

  it('keeps times that every date format can hold', async () => {
    make('for n, at in ("new", 1e12), ("old", -1e11): open(n, "w").close(); os.utime(n, (at, at))');
    const { files } = await keep();
    for (const { modifiedAtMs } of files)
      expect(new Date(modifiedAtMs).toISOString()).toMatch(/^\d{4}-\d\d-\d\dT/);
  });

  it('opens nothing but a regular file, through no link, neither its own nor a folder’s', async () => {
    symlinkSync('/etc', join(output, 'etc'));
    symlinkSync('/etc/passwd', join(output, 'passwd'));
    execFileSync('mkfifo', [join(output, 'pipe')]);
    mkdirSync(join(output, 'folder'));
    writeFileSync(join(folder, 'outside'), 'x');
    const outside = relative(output, join(folder, 'outside'));
    for (const path of [
      'etc/passwd',
      'passwd',
      'pipe',
      'folder',
      outside,
      `folder/../../${outside}`,
      '/etc/passwd',
    ])
      await expect(storeWith().open('w', path)).rejects.toBeInstanceOf(OutputGoneError);
  });

  it('lists nothing that a volume or the server keeps beside the outputs', async () => {
    const root = join(output, '..');
    mkdirSync(join(root, 'lost+found'));
    writeFileSync(join(root, '.database-id'), 'mark');
    const listed: string[] = [];
    for await (const ids of storeWith().list()) listed.push(...ids);
    expect(listed).toEqual(['w']);
  });

  it('knows no room before its folder is there', async () => {
    execFileSync('rm', ['-rf', folder]);
    expect(await storeWith().freeBytes()).toBeUndefined();
  });
});

/** By this process so far; 0 where the system does not tell, which Linux does. */
function bytesRead(): number {
  const counters = '/proc/self/io';
  return existsSync(counters) ? Number(/^rchar: (\d+)$/m.exec(readFileSync(counters, 'utf8'))?.[1]) : 0;
}
