import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { waitFor } from '../../../test/support/wait-for.js';
import { MiB } from '../../common/bytes.js';
import type { ZipEntry } from './zip-stream.js';
import { zipStream } from './zip-stream.js';

const LIST = `import json, sys, zipfile
z = zipfile.ZipFile(sys.argv[1]); z.testzip()
print(json.dumps([[i.filename, z.read(i).decode(), i.date_time[0]] for i in z.infolist()]))`;

describe('a zip made while it is read', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'maps-zip-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const entry = (path: string, more: Partial<ZipEntry> = {}): ZipEntry => {
    const at = join(folder, 'content');
    writeFileSync(at, 'text');
    return { path, size: 4, modifiedAtMs: Date.UTC(2024, 5, 1), open: () => read(at), ...more };
  };

  const contentOf = async (entries: ZipEntry[]): Promise<[string, string, number][]> => {
    const at = join(folder, 'made.zip');
    writeFileSync(at, await buffer(zipStream(entries)));
    return JSON.parse(execFileSync('python3', ['-c', LIST, at], { encoding: 'utf8' })) as [
      string,
      string,
      number,
    ][];
  };

  it('takes files of any age, as near to it as a zip can say', async () => {
    const times = [-1e12, 0, Date.UTC(2024, 5, 1), Date.UTC(2090, 5, 1), 1e18];
    const made = await contentOf(times.map((modifiedAtMs, at) => entry(`f${at}`, { modifiedAtMs })));
    expect(made.map(([, text, year]) => [text, year])).toEqual(
      [1980, 1980, 2024, 2090, 2107].map((year) => ['text', year]),
    );
  });

  it('takes files of any name', async () => {
    const paths = ['a\\b', 'c:x', 'ü/\u{1f600}', `${'x'.repeat(250)}/`.repeat(15) + 'y'];
    const made = await contentOf(paths.map((path) => entry(path)));
    expect(made.map(([name]) => name)).toEqual(['a_b', 'c_x', ...paths.slice(2)]);
  });

  it.each([
    ['larger than announced', { size: 3 }],
    ['smaller than announced', { size: 5 }],
    ['gone', { open: () => read('/nowhere') }],
    // What can be opened but not read.
    ['a folder', { open: () => read(tmpdir()) }],
  ])('fails alone when a file is %s', async (_, more) => {
    await expect(buffer(zipStream([entry('good'), entry('bad', more)]))).rejects.toThrow();
    await expect(buffer(zipStream([entry('bad', more), entry('good')]))).rejects.toThrow();
  });

  it.each([0, 5, 50])('leaves no file open when its reader goes away after %i ms', async (ms) => {
    const at = join(folder, 'large');
    writeFileSync(at, '');
    truncateSync(at, 200 * MiB);
    const large = entry('large', { size: 200 * MiB, open: () => read(at) });
    const archives = Array.from({ length: 5 }, () => zipStream([large]));
    for (const archive of archives) archive.once('readable', () => void archive.read(1));
    await delay(ms);
    for (const archive of archives) archive.destroy();
    await waitFor(() => openFilesIn(folder) === 0, { describe: () => 'no file open' });
  });

  it('is a zip also without any file', async () => {
    expect(await contentOf([])).toEqual([]);
  });
});

async function read(path: string): Promise<Readable> {
  return (await open(path)).createReadStream();
}

function openFilesIn(folder: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
    } catch {
      return false;
    }
  }).length;
}
