import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FakeOrder, FakeSpool } from './fake-workload.js';
import type { WorkloadExit } from '../../../../src/runtime/runtime-provider.js';
import type { WorkspacePaths } from '../../../../src/workspace/workspace-paths.js';
import { encodeFrame } from '../../../../src/runner/frames.js';
import { KEY_FILE, ORDER_FILE, OVER_FILE, READY_FILE } from '../../../../src/runner/files.js';
import { toKeyFile } from '../../../../src/runner/key.js';
import type { WorkloadKey } from '../../../../src/runner/key.js';
import type { FrameKey } from '../../../../src/runner/signature.js';
import { encodeSignedFrame, signReady } from '../../../../src/runner/signature.js';
import { spoolPath } from '../../../../src/workspace/workspace-paths.js';

/** Writes and signs for the fake runtime what a runner does, so that logs can be read as of a real one. */
export class RunnerSpool implements FakeSpool {
  /** What workers say that their libraries have read. */
  environmentRead: string[] = [];
  /** False for one of an image whose runner signs nothing. */
  signs = true;
  private readonly seqs = new Map<string, number>();
  private readonly keys = new Map<string, FrameKey>();

  started(paths: WorkspacePaths): void {
    this.decide(paths, 'started', JSON.stringify({ version: 1, pid: 1, python: '3.11.2' }));
    if (this.signs) rmSync(join(paths.spoolDir, KEY_FILE), { force: true });
  }

  output(paths: WorkspacePaths, stream: 'STDOUT' | 'STDERR', text: string): void {
    const seq = (this.seqs.get(paths.id) ?? 0) + 1;
    this.seqs.set(paths.id, seq);
    this.append(paths, encodeFrame({ kind: 'output', stream, seq, atMs: Date.now(), payload: text }));
  }

  ended(paths: WorkspacePaths, exit: WorkloadExit): void {
    const exitCode = exit.kind === 'exited' ? exit.exitCode : null;
    const signal = exit.kind === 'signalled' ? exit.signal : null;
    const report = {
      exitCode,
      signal,
      timedOut: false,
      stopped: exitCode === 143,
      diskExceeded: false,
      oomKills: 'oomKilled' in exit && exit.oomKilled ? 1 : 0,
      droppedBytes: 0,
      wallSeconds: 0.1,
      cpuSeconds: 0.1,
      maxRssBytes: 10_000_000,
      alone: true,
      oomCounted: true,
    };
    this.decide(paths, 'ended', JSON.stringify(report));
    if (this.signs) writeFileSync(join(paths.spoolDir, OVER_FILE), '');
  }

  ready(paths: WorkspacePaths): void {
    const { environmentRead } = this;
    const text = JSON.stringify({ version: 1, environmentRead, failed: [] });
    const key = this.keyOf(paths);
    writeFileSync(join(paths.spoolDir, READY_FILE), key ? signReady(text, key) : text);
  }

  /** Makes it as if the workload had never begun. */
  forget(paths: WorkspacePaths): void {
    writeFileSync(spoolPath(paths), '');
    const key = this.keys.get(paths.id);
    if (key) writeFileSync(join(paths.spoolDir, KEY_FILE), toKeyFile(key));
  }

  order(paths: WorkspacePaths): FakeOrder | undefined {
    const text = readText(join(paths.jobDir, ORDER_FILE));
    if (text === '') return undefined;
    const order = JSON.parse(text) as { jobId: string; withdrawn?: boolean };
    return order.withdrawn ? 'withdrawn' : order;
  }

  private decide(paths: WorkspacePaths, kind: 'started' | 'ended', payload: string): void {
    const frame = { kind, atMs: Date.now(), payload };
    const key = this.keyOf(paths);
    this.append(paths, key ? encodeSignedFrame(frame, key) : encodeFrame(frame));
  }

  private append(paths: WorkspacePaths, frame: Buffer): void {
    appendFileSync(spoolPath(paths), frame);
  }

  /** Remembered, since the file is there only until the script begins. */
  private keyOf(paths: WorkspacePaths): FrameKey | undefined {
    if (!this.signs) return undefined;
    const text = readText(join(paths.spoolDir, KEY_FILE));
    if (text !== '')
      this.keys.set(paths.id, { ...(JSON.parse(text) as WorkloadKey), attempt: attemptOf(paths) });
    return this.keys.get(paths.id);
  }
}

/** 0 while there is no order. */
function attemptOf(paths: WorkspacePaths): number {
  const text = readText(join(paths.jobDir, ORDER_FILE));
  return text === '' ? 0 : ((JSON.parse(text) as { attempt?: number }).attempt ?? 0);
}

/** Empty where the folders are gone. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
