import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExitWatch } from './exit-watch.js';

describe('ExitWatch', () => {
  let folder: string;
  let watch: ExitWatch<string>;
  const ends = new Map<string, string>();
  const look = async (name: string): Promise<string | undefined> => ends.get(name);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'exit-watch-'));
    watch = new ExitWatch(folder);
    ends.clear();
  });
  afterEach(async () => {
    watch.close(new Error('closed'));
    await rm(folder, { recursive: true });
  });

  it('answers at once what has ended before', async () => {
    ends.set('a', 'ended');
    expect(await watch.wait('a', look)).toBe('ended');
  });

  it('answers every waiter of a name when its file appears, and no other', async () => {
    const waits = [watch.wait('a', look), watch.wait('a', look)];
    const enough = new AbortController();
    const other = expect(watch.wait('b', look, enough.signal)).rejects.toThrow('enough');
    ends.set('a', 'ended');
    await writeFile(join(folder, 'a.exit'), '0\n');
    expect(await Promise.all(waits)).toEqual(['ended', 'ended']);
    enough.abort(new Error('enough'));
    await other;
  });

  it('notices by its poll what makes no event', async () => {
    const wait = watch.wait('a', look);
    ends.set('a', 'ended');
    expect(await wait).toBe('ended');
  });

  it('looks again when something happens during a look', async () => {
    let looks = 0;
    const slow = async (): Promise<string | undefined> => {
      looks++;
      if (looks === 1) watch.notice('a');
      return looks === 2 ? 'ended' : undefined;
    };
    expect(await watch.wait('a', slow)).toBe('ended');
  });

  it('takes a look that fails for "not known yet"', async () => {
    let looks = 0;
    const failing = async (): Promise<string> => {
      if (looks++ === 0) throw new Error('too many open files');
      return 'ended';
    };
    expect(await watch.wait('a', failing)).toBe('ended');
  });

  it('rejects with the reason of the signal, and with that of its close', async () => {
    const reason = new Error('enough');
    await expect(watch.wait('a', look, AbortSignal.abort(reason))).rejects.toBe(reason);
    const wait = expect(watch.wait('a', look)).rejects.toThrow('closed');
    watch.close(new Error('closed'));
    await wait;
    await expect(watch.wait('a', look)).rejects.toThrow('closed');
  });
});
