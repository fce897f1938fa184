import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { loadConfig } from '../config/load-config.js';
import { newKey, toKeyFile } from '../runner/key.js';
import { runnerUser } from './runner-user.js';
import { WorkspaceLayout } from './workspace-layout.js';
import { WorkspaceMaker } from './workspace-maker.js';
import { WorkspaceSpools } from './workspace-spools.js';

const KEY = { workload: 'runner-a', key: newKey() };
const CONTENT = { script: '', requestText: 'null', files: [], order: {} as never };

describe('the key in a spool', () => {
  let folder: string;
  let maker: WorkspaceMaker;
  let spools: WorkspaceSpools;
  const path = (): string => join(spools.folder('w'), 'key');

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'maps-keys-'));
    const layout = new WorkspaceLayout(loadConfig({ DATA_DIR: folder }).storage);
    maker = new WorkspaceMaker(layout);
    spools = new WorkspaceSpools(layout);
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it('is the runner’s alone', async () => {
    await maker.make('w', CONTENT, KEY);
    const { mode, uid } = statSync(path());
    expect([mode & 0o777, uid]).toEqual([0o600, runnerUser().uid]);
  });

  it('lies there until it is taken', async () => {
    await maker.make('w', CONTENT, KEY);
    expect(await spools.keyState('w', KEY)).toBe('lies');
    rmSync(path());
    expect(await spools.keyState('w', KEY)).toBe('taken');
  });

  it('lies there for a worker, which has no script yet', async () => {
    await maker.makeForWorker('w', KEY);
    expect(await spools.keyState('w', KEY)).toBe('lies');
    await maker.handOut('w', CONTENT);
    rmSync(path());
    expect(await spools.keyState('w', KEY)).toBe('taken');
  });

  it('is taken where a script has put something else', async () => {
    await maker.make('w', CONTENT, KEY);
    writeFileSync(path(), toKeyFile({ ...KEY, key: newKey() }));
    expect(await spools.keyState('w', KEY)).toBe('taken');
    rmSync(path());
    symlinkSync('/dev/null', path());
    expect(await spools.keyState('w', KEY)).toBe('taken');
    rmSync(path());
    chmodSync(spools.folder('w'), 0);
    expect(await spools.keyState('w', KEY)).toBe('taken');
    chmodSync(spools.folder('w'), 0o700);
  });

  it('is taken where a script has put what cannot be opened, or moved', async () => {
    await maker.make('w', CONTENT, KEY);
    rmSync(path());
    const sockets =
      'import socket; [socket.socket(socket.AF_UNIX).bind(name) for name in ("key", "key.withdrawn")]';
    execFileSync('python3', ['-c', sockets], { cwd: spools.folder('w') });
    expect(await spools.keyState('w', KEY)).toBe('taken');
    expect(await spools.withdrawKey('w', KEY)).toBe(false);
    for (const name of [path(), `${path()}.withdrawn`]) rmSync(name);
    writeFileSync(path(), '');
    mkdirSync(join(`${path()}.withdrawn`, 'x'), { recursive: true });
    expect(await spools.withdrawKey('w', KEY)).toBe(false);
  });

  it('was never made where a server died before', async () => {
    expect(await spools.keyState('w', KEY)).toBe('notMade');
    await maker.makeForWorker('w');
    expect(await spools.keyState('w', KEY)).toBe('notMade');
  });
});
