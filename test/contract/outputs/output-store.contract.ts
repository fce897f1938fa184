import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newId } from '../../../src/common/ids.js';
import type { OutputRange, OutputStore } from '../../../src/outputs/store/output-store.js';
import { OutputGoneError } from '../../../src/outputs/store/output-store.js';

export const MAX_FILES = 4;
export const MAX_BYTES = 1024;

/** A store and what stands for the scripts that write before it keeps. */
export interface OutputStage {
  /** Bounded by `MAX_FILES` and `MAX_BYTES`. */
  store: OutputStore;
  /** Another server's store over what this one has kept. */
  another(): OutputStore;
  /** What a script leaves under these paths. */
  leave(workspace: string, files: Readonly<Record<string, string>>): Promise<void>;
  /** A workspace whose script wrote nothing. */
  leaveNothing(workspace: string): Promise<void>;
  close(): Promise<void>;
}

/** Holds a store to src/outputs/store/output-store.ts: one body of cases for every store. */
export function describeOutputStore(name: string, open: () => Promise<OutputStage>): void {
  describe(`outputs in ${name}`, () => {
    let stage: OutputStage;
    let workspace: string;

    beforeEach(async () => {
      stage = await open();
      workspace = newId();
    });

    afterEach(() => stage.close());

    const read = async (path: string, range?: OutputRange, store = stage.store): Promise<string> =>
      text(await store.open(workspace, path, range));

    const listed = async (): Promise<string[]> => {
      const ids = new Set<string>();
      for await (const batch of stage.store.list()) {
        expect(batch.length).toBeLessThanOrEqual(500);
        for (const id of batch) ids.add(id);
      }
      return [...ids].sort();
    };

    it('tells what it keeps, in the order of the paths', async () => {
      await stage.leave(workspace, { 'b/x.png': 'abc', 'a.geojson': '', 'b/ä ö': 'x', 'no-type': 'yy' });
      const { files, skipped, usedBytes } = await stage.store.keep(workspace);
      expect(files.map(({ path, size, contentType }) => [path, size, contentType])).toEqual([
        ['a.geojson', 0, 'application/geo+json'],
        ['b/x.png', 3, 'image/png'],
        ['b/ä ö', 1, 'application/octet-stream'],
        ['no-type', 2, 'application/octet-stream'],
      ]);
      expect(files[1]!.sha256).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
      for (const { modifiedAtMs } of files)
        expect(new Date(modifiedAtMs).toISOString()).toMatch(/^\d{4}-\d\d-\d\dT/);
      expect([skipped, usedBytes]).toEqual([[], 6]);
    });

    it('keeps nothing of a script that left nothing', async () => {
      await stage.leaveNothing(workspace);
      expect(await stage.store.keep(workspace)).toEqual({ files: [], skipped: [], usedBytes: 0 });
    });

    it('gives the same answer when it is asked again, and to another server', async () => {
      await stage.leave(workspace, { a: 'one', 'b/c': 'two' });
      const first = await stage.store.keep(workspace);
      expect(await stage.store.keep(workspace)).toEqual(first);
      expect(await stage.another().keep(workspace)).toEqual(first);
      expect([await read('a'), await read('b/c', undefined, stage.another())]).toEqual(['one', 'two']);
    });

    it('keeps as much as the bounds allow, and names what is beyond with the reason', async () => {
      await stage.leave(workspace, { a: 'a', b: 'x'.repeat(MAX_BYTES), c: 'c', d: 'd', e: 'e', f: 'f' });
      const { files, skipped, usedBytes } = await stage.store.keep(workspace);
      expect(files.map(({ path }) => path)).toEqual(['a', 'c', 'd', 'e']);
      expect(skipped).toEqual([
        { path: 'b', why: `the outputs together are larger than ${MAX_BYTES} bytes` },
        { path: 'f', why: `more than ${MAX_FILES} files` },
      ]);
      expect(usedBytes).toBe(4);
    });

    it('stops with the reason of the signal, and keeps all the next time', async () => {
      await stage.leave(workspace, { a: 'a', b: 'b' });
      const reason = new Error('enough');
      await expect(stage.store.keep(workspace, AbortSignal.abort(reason))).rejects.toBe(reason);
      expect((await stage.store.keep(workspace)).files).toHaveLength(2);
    });

    it('opens a file whole and in part, as often as it is asked to, also at the same time', async () => {
      await stage.leave(workspace, { 'd/file': '0123456789', empty: '' });
      await stage.store.keep(workspace);
      const ranges = [
        undefined,
        { start: 0, end: 9 },
        { start: 0, end: 0 },
        { start: 9, end: 9 },
        { start: 3, end: 5 },
      ];
      expect(await Promise.all(ranges.map((range) => read('d/file', range)))).toEqual([
        '0123456789',
        '0123456789',
        '0',
        '9',
        '345',
      ]);
      expect(await read('empty')).toBe('');
    });

    it('closes a stream that nobody wants any more, and opens the file again', async () => {
      await stage.leave(workspace, { a: 'whole' });
      await stage.store.keep(workspace);
      const unread = await stage.store.open(workspace, 'a');
      await closed(unread.destroy());
      expect(await read('a')).toBe('whole');
    });

    it('has nothing under other paths, nor under paths that lead elsewhere', async () => {
      const other = newId();
      await stage.leave(other, { secret: 'x' });
      await stage.leave(workspace, { 'd/a': 'a' });
      await stage.store.keep(workspace);
      await stage.store.keep(other);
      for (const path of [
        'b',
        'd',
        'd/b',
        'd/a/c',
        '',
        '.',
        '/d/a',
        'd//a',
        'd/../d/a',
        `../${other}/secret`,
        'd/a\0',
      ])
        await expect(read(path)).rejects.toBeInstanceOf(OutputGoneError);
      workspace = newId();
      await expect(read('d/a')).rejects.toBeInstanceOf(OutputGoneError);
    });

    it('lists what is kept and what was only written, until it is removed', async () => {
      const [kept, written] = [newId(), newId()];
      await stage.leave(kept, { a: 'a' });
      await stage.leave(written, { a: 'a' });
      await stage.store.keep(kept);
      expect(await listed()).toEqual([kept, written].sort());
      await stage.store.remove(kept);
      expect(await listed()).toEqual([written]);
      await stage.store.remove(written);
      expect(await listed()).toEqual([]);
    });

    it('removes all of a workspace and nothing of others, as often as it is asked to', async () => {
      const other = newId();
      for (const id of [workspace, other]) {
        await stage.leave(id, { 'a/b': id });
        await stage.store.keep(id);
      }
      await stage.store.remove(workspace);
      await stage.store.remove(workspace);
      await stage.store.remove(newId());
      await expect(read('a/b')).rejects.toBeInstanceOf(OutputGoneError);
      workspace = other;
      expect(await read('a/b')).toBe(other);
    });

    it('knows how much more it takes, or that this is not known', async () => {
      const free = await stage.store.freeBytes();
      expect(free === undefined || free > 0).toBe(true);
    });
  });
}

function closed(stream: Readable): Promise<void> {
  return new Promise((resolve) => (stream.closed ? resolve() : stream.once('close', resolve)));
}
