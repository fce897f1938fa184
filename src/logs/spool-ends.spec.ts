import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { loadConfig } from '../config/load-config.js';
import { spoolPath } from '../workspace/workspace-paths.js';
import { WorkspaceLayout } from '../workspace/workspace-layout.js';
import { WorkspaceSpools } from '../workspace/workspace-spools.js';
import { SpoolEnds } from './spool-ends.js';
import { sleep } from '../common/async/abort.js';
import { OVER_FILE } from '../runner/files.js';
import { encodeFrame } from '../runner/frames.js';
import { newKey } from '../runner/key.js';
import { encodeSignedFrame } from '../runner/signature.js';
import { SpoolTails } from './spool-tails.js';

const STARTED = encodeFrame({ kind: 'started', atMs: 1000, payload: '{"version":1}' });
const ENDED = encodeFrame({
  kind: 'ended',
  atMs: 2000,
  payload: '{"exitCode":3,"signal":null,"oomKills":1,"wallSeconds":1.5}',
});

describe('the ends of a spool', () => {
  let folder: string;
  let ends: SpoolEnds;
  let write: (...parts: Buffer[]) => void;
  let ring: () => void;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'maps-ends-'));
    const layout = new WorkspaceLayout(loadConfig({ DATA_DIR: folder }).storage);
    mkdirSync(layout.paths('w').spoolDir, { recursive: true });
    write = (...parts) => writeFileSync(spoolPath(layout.paths('w')), Buffer.concat(parts));
    ring = () => writeFileSync(join(layout.paths('w').spoolDir, OVER_FILE), '');
    const spools = new WorkspaceSpools(layout);
    ends = new SpoolEnds(spools, new SpoolTails(spools));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('are not there before the runner wrote them', async () => {
    const nothing = { startedAtMs: undefined, ended: undefined, isEmpty: true, sizeBytes: 0 };
    expect(await ends.read('w')).toEqual(nothing);
    write();
    expect(await ends.read('w')).toEqual(nothing);
    write(STARTED);
    const begun = { startedAtMs: 1000, ended: undefined, isEmpty: false, sizeBytes: STARTED.length };
    expect(await ends.read('w')).toEqual(begun);
  });

  it('are found around a log of any size', async () => {
    const output = encodeFrame({ kind: 'output', stream: 'STDOUT', seq: 1, payload: 'LF'.repeat(30_000) });
    const found = { startedAtMs: 1000, ended: expect.objectContaining({ exitCode: 3 }) };
    write(STARTED, ENDED);
    expect(await ends.read('w')).toMatchObject(found);
    write(STARTED, output, output, ENDED);
    expect(await ends.read('w')).toMatchObject(found);
    expect((await ends.read('w')).ended).toMatchObject({
      atMs: 2000,
      exitCode: 3,
      signal: null,
      oomKills: 1,
      wallSeconds: 1.5,
      timedOut: false,
    });
  });

  it('take no frame for the last that is not: one in the middle, a cut one, one with other content', async () => {
    write(STARTED, ENDED, encodeFrame({ kind: 'output', stream: 'STDOUT', seq: 1, payload: 'x' }));
    expect((await ends.read('w')).ended).toBeUndefined();
    write(STARTED, ENDED.subarray(0, -1));
    expect((await ends.read('w')).ended).toBeUndefined();
    write(STARTED, encodeFrame({ kind: 'ended', payload: 'no JSON' }));
    expect((await ends.read('w')).ended).toBeUndefined();
  });

  it('are not empty, and say nothing, where a script put something else in place of its spool', async () => {
    const path = spoolPath(new WorkspaceLayout(loadConfig({ DATA_DIR: folder }).storage).paths('w'));
    symlinkSync('/dev/null', path);
    const said = { startedAtMs: undefined, ended: undefined, isEmpty: false, sizeBytes: 0 };
    expect(await ends.read('w')).toEqual(said);
    expect((await ends.read('w')).sizeBytes).toBe(0);
  });

  it('tell of nothing that its runner did not sign, where there is a key', async () => {
    const key = { workload: 'w', key: newKey(), attempt: 1 };
    const started = encodeSignedFrame({ kind: 'started', atMs: 1000, payload: '{"version":1}' }, key);
    const ended = encodeSignedFrame({ kind: 'ended', atMs: 2000, payload: '{"exitCode":3}' }, key);
    write(started, ended);
    expect(await ends.read('w', key)).toMatchObject({ startedAtMs: 1000, ended: { exitCode: 3 } });
    expect(await ends.waitForStart('w', new AbortController().signal, key)).toBe(1000);
    write(STARTED, ENDED);
    const nothing = { startedAtMs: undefined, ended: undefined, isEmpty: false };
    expect(await ends.read('w', key)).toMatchObject(nothing);
    expect(await ends.waitForStart('w', new AbortController().signal, key)).toBeUndefined();
  });

  it('tell when the script starts as soon as it does, and stop waiting when asked to', async () => {
    const waiting = ends.waitForStart('w', new AbortController().signal);
    write(STARTED);
    expect(await waiting).toBe(1000);
    write(Buffer.alloc(0));
    const controller = new AbortController();
    const stopped = ends.waitForStart('w', controller.signal);
    controller.abort();
    expect(await stopped).toBeUndefined();
  });

  it('tell how the script ended as soon as its runner rings, and believe no other', async () => {
    const key = { workload: 'runner-1', key: newKey(), attempt: 1 };
    const stopped = new AbortController();
    const seen = ends.waitForEnd('w', key, stopped.signal);
    const payload = '{"exitCode":3,"signal":null,"alone":true}';
    write(STARTED, ENDED);
    ring();
    expect(await Promise.race([seen, sleep(200)])).toBeUndefined();
    write(encodeSignedFrame({ kind: 'ended', atMs: 2000, payload }, key));
    ring();
    expect(await seen).toMatchObject({ ended: { exitCode: 3, alone: true, oomCounted: false } });
    stopped.abort();
    expect(await ends.waitForEnd('w', key, stopped.signal)).toBeUndefined();
  });
});
