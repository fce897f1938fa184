import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FakeOrder, FakeSpool } from './fake-workload.js';
import type { WorkloadExit } from '../../../../src/runtime/runtime-provider.js';
import type { WorkspacePaths } from '../../../../src/workspace/workspace-paths.js';
import { encodeFrame } from '../../../../src/runner/frames.js';
import type { FrameKind, FrameStream } from '../../../../src/runner/frames.js';
import { ORDER_FILE, READY_FILE } from '../../../../src/runner/files.js';
import { spoolPath } from '../../../../src/workspace/workspace-paths.js';

/** Writes for the fake runtime what a runner writes, so that logs can be read as of a real one. */
export class RunnerSpool implements FakeSpool {
  /** What workers say that their libraries have read. */
  environmentRead: string[] = [];
  private readonly seqs = new Map<string, number>();

  started(paths: WorkspacePaths): void {
    this.append(paths, 'started', 'NONE', JSON.stringify({ version: 1, pid: 1, python: '3.11.2' }), 0);
  }

  output(paths: WorkspacePaths, stream: 'STDOUT' | 'STDERR', text: string): void {
    const seq = (this.seqs.get(paths.id) ?? 0) + 1;
    this.seqs.set(paths.id, seq);
    this.append(paths, 'output', stream, text, seq);
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
    };
    this.append(paths, 'ended', 'NONE', JSON.stringify(report), 0);
  }

  ready(paths: WorkspacePaths): void {
    const { environmentRead } = this;
    writeFileSync(
      join(paths.spoolDir, READY_FILE),
      JSON.stringify({ version: 1, environmentRead, failed: [] }),
    );
  }

  order(paths: WorkspacePaths): FakeOrder | undefined {
    const text = readText(join(paths.jobDir, ORDER_FILE));
    if (text === '') return undefined;
    const order = JSON.parse(text) as { jobId: string; withdrawn?: boolean };
    return order.withdrawn ? 'withdrawn' : order;
  }

  private append(
    paths: WorkspacePaths,
    kind: FrameKind,
    stream: FrameStream,
    payload: string,
    seq: number,
  ): void {
    appendFileSync(spoolPath(paths), encodeFrame({ kind, stream, seq, atMs: Date.now(), payload }));
  }
}

/** Empty where the folders are gone. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
