import type { Readable } from 'node:stream';
import { NotFoundError } from '../../common/app-error.js';

/**
 * The contract of where outputs are kept. A folder of this machine is behind it (`folder-output-store.ts`); another
 * implementation, such as object storage, has to pass one suite, `test/contract/outputs/output-store.contract.ts`.
 *
 * A script writes into the output folder of its workspace. From the end of its workload on, what lies there is the
 * store's: it may leave it where it is or take it elsewhere. Above this interface nobody knows a folder or a file of
 * it; outputs are named by the id of the attempt's workspace and a relative path with `/`. The log and the inputs of an
 * attempt are none of the store's business and stay where they are.
 *
 * ## Life of an attempt's outputs
 *
 *     keep ──► (the manifest is stored with the job) ──► open … open ──► remove
 *     keep ──► keep                the server died before it had stored the manifest, or another one took over
 *     list ──► remove              what belongs to no stored attempt: kept, or only written
 *
 * ## Rules for every member
 *
 * - What a script left is hostile: names in any bytes, links to anywhere, pipes and devices, millions of entries, sparse
 *   files. No member follows a link or reads outside of the workspace's outputs, and none waits for a pipe.
 * - Nothing that matters is kept in this process's memory: another server calls the next member.
 * - Calls run at the same time without limit, also for one workspace; only `keep` and `remove` of one workspace are never
 *   called together.
 * - Sizes and positions are bytes, times are milliseconds since 1970 UTC.
 * - An id or a path that nothing is kept under is no fault of the store. Everything else that goes wrong rejects with an
 *   error for the log, which is not shown to callers of the API: it may name paths.
 */
export interface OutputStore {
  /**
   * Keeps what the workspace's script left and tells what that is. Called once the workload is provably dead, so that
   * nobody writes there any more. Takes regular files with plain UTF-8 names, in the order of their paths, as far as the
   * bounds of the configuration (MAX_OUTPUT_FILES, MAX_OUTPUT_BYTES) allow, and names what it leaves out.
   *
   * Safe to repeat until the manifest is stored, also when an earlier call was cut short: the answer is the same.
   * Rejects with the reason of `signal` when that aborts first; what is kept by then is found by the next call.
   */
  keep(workspace: string, signal?: AbortSignal): Promise<KeptOutputs>;

  /**
   * Opens a file of the manifest, or a part of it. Resolves when the content is at hand, before the first byte is read,
   * so that what is missing is known before an answer begins. The caller reads the stream to its end or
   * destroys it. Whoever reads holds the job (`JobHolds`), so that it is not removed meanwhile.
   *
   * @throws OutputGoneError when there is no such file, or something in its place that was never kept.
   */
  open(workspace: string, path: string, range?: OutputRange): Promise<Readable>;

  /**
   * The ids of all workspaces of which anything is here, kept or only written, at most 500 at a time. One may be named
   * twice, and one that comes or goes meanwhile may be missed.
   */
  list(): AsyncIterable<string[]>;

  /** Removes all that is here of a workspace, kept or only written. Safe to repeat; nothing there is a success. */
  remove(workspace: string): Promise<void>;

  /** How much more it takes; undefined where that is not bounded or not known (yet). */
  freeBytes(): Promise<number | undefined>;
}

/** Injection token of the one `OutputStore` of this server. */
export const OUTPUT_STORE = Symbol('OUTPUT_STORE');

export interface OutputManifest {
  files: OutputFile[];
  /** At most 100 of them. */
  skipped: SkippedOutput[];
}

/** What `keep` answers. */
export interface KeptOutputs extends OutputManifest {
  /** What retention counts: the sizes of the files together, a file of several names once for each. */
  usedBytes: number;
}

export interface OutputFile {
  path: string;
  size: number;
  /** Lower-case hex. */
  sha256: string;
  contentType: string;
  /** In the years 1 to 9999. */
  modifiedAtMs: number;
}

/** Something that was left out. */
export interface SkippedOutput {
  /** As well as text can name it; `.` stands for the whole. */
  path: string;
  /** For the job's owner. */
  why: string;
}

/** Both are within the file, `end` is the last byte's position. */
export interface OutputRange {
  start: number;
  end: number;
}

export class OutputGoneError extends NotFoundError {
  constructor() {
    super('The output is not there any more.');
  }
}
