import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFolders, toSafeNames } from './output-path.js';

describe('toSafeNames', () => {
  it.each(['a', 'a/b.txt', '.hidden', '..a/b..', 'with space/ü'])('takes %j', (path) => {
    expect(toSafeNames(path).join('/')).toBe(path);
  });

  it.each(['', '/etc/passwd', '../x', 'a/../x', 'a/..', '.', 'a/./b', 'a//b', 'a/', 'nul\0'])(
    'refuses %j',
    (path) => {
      expect(() => toSafeNames(path)).toThrow(/not safe/);
    },
  );
});

describe('makeFolders', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'maps-folders-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('makes what is missing and enters what is there', async () => {
    mkdirSync(join(root, 'out', 'a'), { recursive: true });
    await makeFolders(join(root, 'out'), ['a', 'b']);
    expect(existsSync(join(root, 'out', 'a', 'b'))).toBe(true);
  });

  it('follows the folder that the user named, even a link, but none beneath it', async () => {
    mkdirSync(join(root, 'real'));
    mkdirSync(join(root, 'elsewhere'));
    symlinkSync(join(root, 'real'), join(root, 'out'));
    symlinkSync(join(root, 'elsewhere'), join(root, 'real', 'a'));
    await expect(makeFolders(join(root, 'out'), [])).resolves.toBeTruthy();
    await expect(makeFolders(join(root, 'out'), ['a', 'b'])).rejects.toThrow(/in the way/);
    expect(existsSync(join(root, 'elsewhere', 'b'))).toBe(false);
  });

  it('says when a file is in the way', async () => {
    writeFileSync(join(root, 'a'), '');
    await expect(makeFolders(root, ['a'])).rejects.toThrow(/in the way/);
  });
});
