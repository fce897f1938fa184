import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync } from 'node:fs';
import { appendFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { loadConfig } from '../config/load-config.js';
import { spoolPath } from '../workspace/workspace-paths.js';
import { encodeFrame } from '../runner/frames.js';
import { WorkspaceLayout } from '../workspace/workspace-layout.js';
import { WorkspaceSpools } from '../workspace/workspace-spools.js';
import { SpoolTail } from './spool-tail.js';

const never = new AbortController().signal;

describe('the tail of a spool', () => {
  let folder: string;
  let path: string;
  let tail: SpoolTail;
  let seq: number;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'maps-tail-'));
    const layout = new WorkspaceLayout(loadConfig({ DATA_DIR: folder }).storage);
    mkdirSync(layout.paths('w').spoolDir, { recursive: true });
    path = spoolPath(layout.paths('w'));
    tail = new SpoolTail(new WorkspaceSpools(layout), 'w');
    seq = 0;
  });

  afterEach(async () => {
    await tail.close();
    await rm(folder, { recursive: true });
  });

  const output = (text: string): Buffer =>
    encodeFrame({ kind: 'output', stream: 'STDOUT', seq: ++seq, payload: text });
  const readAll = async (): Promise<string[]> => {
    const texts: string[] = [];
    for (let offset = 0; ;) {
      const batch = await tail.read(offset);
      texts.push(...batch.chunks.map((chunk) => chunk.text));
      if (batch.endOffset === offset) return texts;
      offset = batch.endOffset;
    }
  };

  it('is empty while there is no spool, and wakes its waiter when one appears', async () => {
    expect(await tail.read(0)).toEqual({ chunks: [], endOffset: 0 });
    const wait = tail.waitBeyond(0, never);
    await writeFile(path, output('a'));
    await wait;
    expect(await readAll()).toEqual(['a']);
  });

  it('opens the spool once, however many followers ask for it at the same time', async () => {
    await writeFile(path, output('a'));
    const open = jest.spyOn(WorkspaceSpools.prototype, 'open');
    await Promise.all(Array.from({ length: 50 }, () => tail.read(0)));
    expect(open).toHaveBeenCalledTimes(1);
    open.mockRestore();
  });

  it('reads the file once for all followers at the tip', async () => {
    await writeFile(path, output('a'));
    const first = await tail.read(0);
    await appendFile(path, output('b'));
    const batches = await Promise.all(Array.from({ length: 50 }, () => tail.read(first.endOffset)));
    const chunks = new Set(batches.flatMap((batch) => batch.chunks));
    expect([...chunks].map((chunk) => chunk.text)).toEqual(['b']);
  });

  it('gives a crowd that gathered the same object, with what was written meanwhile', async () => {
    await writeFile(path, output('a'));
    const { endOffset } = await tail.read(0);
    const gathered = Array.from({ length: 50 }, async () => {
      await tail.gather(20, never);
      return tail.read(endOffset);
    });
    await appendFile(path, output('b'));
    const [first, ...others] = await Promise.all(gathered);
    expect(first?.chunks.map((chunk) => chunk.text)).toEqual(['b']);
    expect(others.every((each) => each === first)).toBe(true);
    await appendFile(path, output('c'));
    await tail.read(first?.endOffset ?? 0);
    expect((await tail.read(endOffset)).chunks.map((chunk) => chunk.text)).toEqual(['b', 'c']);
  });

  it('does not miss what was written after another follower had begun to read', async () => {
    await writeFile(path, output('a'));
    const { endOffset } = await tail.read(0);
    const early = tail.read(endOffset);
    appendFileSync(path, output('b'));
    expect((await tail.read(endOffset)).chunks.map((chunk) => chunk.text)).toEqual(['b']);
    await early;
  });

  it('gives a frame only when all of it is there', async () => {
    const frame = output('whole');
    await writeFile(path, frame.subarray(0, 30 - 4));
    const wait = tail.waitBeyond(0, never);
    await appendFile(path, frame.subarray(30 - 4));
    await wait;
    expect(await readAll()).toEqual(['whole']);
  });

  it('gives each of many followers everything, those inside the ring and those behind it', async () => {
    const texts = Array.from({ length: 60 }, (_, i) => String(i).padStart(60_000, 'x'));
    await writeFile(path, Buffer.concat(texts.map(output)));
    expect(await readAll()).toEqual(texts);
    await appendFile(path, output('last'));
    expect(await readAll()).toEqual([...texts, 'last']);
  });

  it('holds one descriptor, however many ask at once, and none when closed', async () => {
    await writeFile(path, output('a'));
    const openFiles = (): number => readdirSync('/proc/self/fd').filter((fd) => isOpenOn(fd, path)).length;
    await Promise.all(Array.from({ length: 50 }, () => tail.read(0)));
    expect(openFiles()).toBe(1);
    await tail.close();
    expect(openFiles()).toBe(0);
  });

  it('stops waiting when asked to', async () => {
    const controller = new AbortController();
    const wait = tail.waitBeyond(0, controller.signal);
    controller.abort();
    await wait;
  });

  it('says when the spool was cut, and gives what was there before', async () => {
    await writeFile(path, Buffer.concat([output('a'), output('b')]));
    const { endOffset } = await tail.read(0);
    await truncate(path, 3);
    const wait = tail.waitBeyond(endOffset, never);
    await wait;
    expect((await tail.read(endOffset)).damage?.message).toMatch(/damaged at byte 3: it was cut/);
  });

  it('gives what stands before garbage, and says where that begins', async () => {
    const good = output('good');
    await writeFile(path, Buffer.concat([good, Buffer.alloc(64, 1)]));
    const batch = await tail.read(0);
    expect(batch.chunks.map((chunk) => chunk.text)).toEqual(['good']);
    expect(batch.damage?.offset).toBe(good.length);
  });

  it('does not follow a link in place of the spool', async () => {
    await writeFile(join(folder, 'secret'), output('secret'));
    await symlink(join(folder, 'secret'), join(folder, 'link'));
    await rename(join(folder, 'link'), path);
    const wait = tail.waitBeyond(0, never);
    await wait;
    expect(await tail.read(0)).toMatchObject({
      chunks: [],
      damage: { message: expect.stringMatching(/cannot be read/) },
    });
  });
});

function isOpenOn(fd: string, path: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === path;
  } catch {
    return false;
  }
}
