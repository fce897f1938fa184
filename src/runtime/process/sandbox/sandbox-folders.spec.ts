import { describe, expect, it } from '@jest/globals';
import { outermost, sandboxFolders } from './sandbox-folders.js';

describe('sandboxFolders', () => {
  const interpreter = { executable: '/usr/bin/python3', version: '3.11.2' };

  it("shows nothing more for the system's own interpreter", () => {
    const found = sandboxFolders({ ...interpreter, folders: ['/usr', '/usr/lib/python3'] });
    expect(found.system).toContain('/usr');
    expect(found.python.filter((path) => path !== '/usr/local/lib')).toEqual([]);
  });

  it('never shows a home or the whole of a folder for everything', () => {
    const found = sandboxFolders({
      ...interpreter,
      folders: ['/', '/root', '/home', '/etc', '/tmp', '/does/not/exist'],
    });
    expect(found.python.filter((path) => path !== '/usr/local/lib')).toEqual([]);
  });
});

describe('outermost', () => {
  it('leaves out what another covers', () => {
    expect(outermost(['/a/b', '/a', '/ab', '/a/b/c', '/a'])).toEqual(['/a', '/ab']);
  });
});
