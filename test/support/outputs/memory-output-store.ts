import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import mime from 'mime';
import type {
  KeptOutputs,
  OutputFile,
  OutputRange,
  OutputStore,
  SkippedOutput,
} from '../../../src/outputs/store/output-store.js';
import { OutputGoneError } from '../../../src/outputs/store/output-store.js';

/** By workspace, then by path. */
export interface Memory {
  /** What scripts have written and nobody has kept yet. */
  written: Map<string, ReadonlyMap<string, string>>;
  kept: Map<string, { outputs: KeptOutputs; contents: ReadonlyMap<string, Buffer> }>;
}

/** A store as one for objects would be: what it keeps is taken away from where it was written. */
export class MemoryOutputStore implements OutputStore {
  constructor(
    private readonly memory: Memory,
    private readonly bounds: { files: number; bytes: number },
  ) {}

  async keep(workspace: string, signal?: AbortSignal): Promise<KeptOutputs> {
    const { written, kept } = this.memory;
    const before = kept.get(workspace);
    if (before) return before.outputs;
    const contents = new Map<string, Buffer>();
    const files: OutputFile[] = [];
    const skipped: SkippedOutput[] = [];
    let usedBytes = 0;
    const left = [...(written.get(workspace) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [path, text] of left) {
      signal?.throwIfAborted();
      const content = Buffer.from(text);
      const why = this.boundFault(files.length, usedBytes + content.length);
      if (why !== undefined) {
        skipped.push({ path, why });
        continue;
      }
      usedBytes += content.length;
      contents.set(path, content);
      files.push(toFile(path, content));
    }
    const outputs = { files, skipped, usedBytes };
    kept.set(workspace, { outputs, contents });
    written.delete(workspace);
    return outputs;
  }

  async open(workspace: string, path: string, range?: OutputRange): Promise<Readable> {
    const content = this.memory.kept.get(workspace)?.contents.get(path);
    if (!content) throw new OutputGoneError();
    return Readable.from([range ? content.subarray(range.start, range.end + 1) : content]);
  }

  async *list(): AsyncGenerator<string[], void, undefined> {
    yield [...this.memory.written.keys(), ...this.memory.kept.keys()];
  }

  async remove(workspace: string): Promise<void> {
    this.memory.written.delete(workspace);
    this.memory.kept.delete(workspace);
  }

  async freeBytes(): Promise<undefined> {
    return undefined;
  }

  private boundFault(files: number, bytes: number): string | undefined {
    if (files >= this.bounds.files) return `more than ${this.bounds.files} files`;
    return bytes > this.bounds.bytes
      ? `the outputs together are larger than ${this.bounds.bytes} bytes`
      : undefined;
  }
}

function toFile(path: string, content: Buffer): OutputFile {
  const contentType = path.endsWith('.geojson')
    ? 'application/geo+json'
    : (mime.getType(path) ?? 'application/octet-stream');
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { path, size: content.length, sha256, contentType, modifiedAtMs: 0 };
}
