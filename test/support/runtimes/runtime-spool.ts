import { readFile } from 'node:fs/promises';
import type { EndedFrame } from '../../../src/runner/ended.js';
import type { Frame } from '../../../src/runner/frames.js';
import { parseFrames } from '../../../src/runner/frames.js';
import type { WorkspacePaths } from '../../../src/workspace/workspace-paths.js';
import { spoolPath } from '../../../src/workspace/workspace-paths.js';

/** The last word of the runner, as docs/runner-contract.md has it. */
export type EndedReport = Omit<EndedFrame, 'atMs'>;

/** A whole spool, read at once: what one workload printed and how its runner says it ended. */
export class SpoolContent {
  constructor(readonly frames: readonly Frame[]) {}

  static async read(paths: WorkspacePaths): Promise<SpoolContent> {
    const bytes = await readFile(spoolPath(paths)).catch(() => Buffer.alloc(0));
    return new SpoolContent(parseFrames(bytes, 0));
  }

  get started(): boolean {
    return this.frames.some((frame) => frame.kind === 'started');
  }

  get ended(): EndedReport | undefined {
    const frame = this.frames.find((each) => each.kind === 'ended');
    return frame && (JSON.parse(frame.payload.toString()) as EndedReport);
  }

  get stdout(): string {
    return this.text('STDOUT');
  }

  get stderr(): string {
    return this.text('STDERR');
  }

  get gaps(): Frame[] {
    return this.frames.filter((frame) => frame.kind === 'gap');
  }

  /** Whether `output` and `gap` frames count 1, 2, 3 … without a hole. */
  get isGapFree(): boolean {
    return this.frames
      .filter((frame) => frame.kind === 'output' || frame.kind === 'gap')
      .every((frame, index) => frame.seq === index + 1);
  }

  bytes(stream: 'STDOUT' | 'STDERR'): Buffer {
    return concat(this.frames, stream);
  }

  /** What is before the first gap of a stream, and what is after it. */
  aroundGap(stream: 'STDOUT' | 'STDERR'): [Buffer, Buffer] {
    const at = this.frames.findIndex((frame) => frame.kind === 'gap' && frame.stream === stream);
    return [concat(this.frames.slice(0, at), stream), concat(this.frames.slice(at), stream)];
  }

  private text(stream: 'STDOUT' | 'STDERR'): string {
    return this.bytes(stream).toString('utf8');
  }
}

function concat(frames: readonly Frame[], stream: 'STDOUT' | 'STDERR'): Buffer {
  const output = frames.filter((frame) => frame.kind === 'output' && frame.stream === stream);
  return Buffer.concat(output.map((frame) => frame.payload));
}
