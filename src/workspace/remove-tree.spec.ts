import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { removeTree } from './remove-tree.js';

const DEEP = `import os
for i in range(2500):
    open('file', 'w').close(); os.symlink('/', 'link'); os.mkdir('other'); os.mkdir('d'); os.chdir('d')
open(b'\\xff', 'w').close()`;

const CLOSED = `import os
for i in range(20):
    os.mkdir('d'); open('f', 'w').close(); os.mkdir(b'\\xff'); os.chdir('d')
for i in range(20):
    os.chdir('..'); os.chmod('d', 0)
os.chmod('.', 0)`;

describe('the removal of a tree that a script made', () => {
  let folder: string;
  let tree: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'maps-remove-'));
    tree = join(folder, 'tree');
    mkdirSync(tree);
  });

  afterEach(() => {
    // Not Node's: it is what fails on such trees.
    execFileSync('rm', ['-rf', folder]);
  });

  const make = (script: string): void => void execFileSync('python3', ['-c', script], { cwd: tree });

  it('takes one deeper than any path, and follows no link', async () => {
    const outside = join(folder, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'kept'), '');
    make(DEEP.replace("'/', 'link'", `'${outside}', 'link'`));
    await removeTree(tree);
    expect(readdirSync(folder)).toEqual(['outside']);
    expect(readdirSync(outside)).toEqual(['kept']);
  });

  it('takes one of closed folders, also when the server is not root', async () => {
    make(CLOSED);
    await asNobody(folder, () => removeTree(tree));
    expect(existsSync(tree)).toBe(false);
  });

  it('is content with one that is gone', async () => {
    rmSync(tree, { recursive: true });
    await expect(removeTree(tree)).resolves.toBeUndefined();
  });
});

/** Root may enter any folder; the test is about a user who may not. */
async function asNobody(folder: string, action: () => Promise<void>): Promise<void> {
  if (process.geteuid?.() !== 0) return action();
  execFileSync('chown', ['-R', '65534', folder]);
  process.seteuid?.(65534);
  try {
    await action();
  } finally {
    process.seteuid?.(0);
  }
}
