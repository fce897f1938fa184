import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { writeOnce } from './write-once.js';

describe('a file that is written once', () => {
  const newPath = (): string => join(mkdtempSync(join(tmpdir(), 'maps-once-')), 'mark');

  it('is the same for all who write it at once, and nothing else is left', async () => {
    const path = newPath();
    const seen = await Promise.all(['a', 'b', 'c', 'd'].map((text) => writeOnce(path, text)));
    expect(new Set(seen).size).toBe(1);
    expect(await writeOnce(path, 'later')).toBe(seen[0]);
    expect(readdirSync(join(path, '..'))).toEqual(['mark']);
  });

  it('is written anew where a server died between making and filling it', async () => {
    const path = newPath();
    writeFileSync(path, '');
    expect(await writeOnce(path, 'whole')).toBe('whole');
    expect(readFileSync(path, 'utf8')).toBe('whole');
  });
});
