import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../../common/app-error.js';
import { parseStat } from './process-table.js';
import type { WorkloadRecord } from './workload-record.js';
import { parseRecord } from './workload-record.js';
import type { WorkloadState } from './workload-state.js';
import { parseOutcome, parseSandboxStatus } from './workload-state.js';

const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const RETIRED = '.removed-';
const UNFINISHED = '.new-';
const UNFINISHED_MS = 60_000;
const MAX_COMPLAINT_CHARS = 500;

/**
 * The runtime's memory on disk, out of every sandbox's sight:
 *
 *     process/<name>/spec.json   what it was made as; a folder appears together with it, by a rename
 *     process/<name>/started     the start lock, made exclusively, once; the supervisor's line of /proc/<pid>/stat
 *     process/<name>/status      what bwrap reports: the sandbox's PID 1, its exit code
 *     process/<name>/stderr      what bwrap and the runner complain about
 *     process/<name>.exit        the end, written by the supervisor; beside the folder so that one watch sees them all
 *     process/.removed-<name>    a folder whose removal has begun
 *
 * Nothing is synced to the disk: processes do not outlive the boot, and another boot is another scope. A handful of tiny
 * local files, hence synchronous: each call takes some 10 µs, a tenth of what a thread's help costs.
 */
export class WorkloadFolders {
  constructor(readonly root: string) {}

  async prepare(): Promise<void> {
    await mkdir(this.root, { recursive: true, mode: 0o700 });
  }

  path(name: string): string {
    return join(this.root, name);
  }

  /** Makes the folder, unless there is one of this name. */
  create(name: string, record: WorkloadRecord): void {
    if (!NAME.test(name)) throw new Error('a workload is named by a DNS label');
    if (statSync(this.path(name), { throwIfNoEntry: false })) return;
    const draft = join(this.root, UNFINISHED + randomUUID());
    try {
      mkdirSync(draft, { mode: 0o700 });
      writeFileSync(join(draft, 'spec.json'), JSON.stringify(record), { mode: 0o600 });
      renameSync(draft, this.path(name));
    } catch (error) {
      rmSync(draft, { recursive: true, force: true });
      const isThere = errnoOf(error) === 'ENOTEMPTY' || errnoOf(error) === 'EEXIST';
      if (!isThere) throw error;
    }
  }

  /** What the folder says now; undefined when there is none. */
  read(name: string): WorkloadState | undefined {
    if (!NAME.test(name)) return undefined;
    return this.readFolder(name, this.path(name));
  }

  readRetired(name: string): WorkloadState | undefined {
    return this.readFolder(name, this.path(RETIRED + name));
  }

  names(): string[] {
    return readdirSync(this.root).filter((entry) => NAME.test(entry));
  }

  /** Workloads whose removal was begun and not finished, by a server that died over it. */
  retiredNames(): string[] {
    const entries = readdirSync(this.root).filter((entry) => entry.startsWith(RETIRED));
    return entries.map((entry) => entry.slice(RETIRED.length)).filter((name) => NAME.test(name));
  }

  /** Folders whose making a server died over: none takes so long. */
  async clearUnfinished(): Promise<void> {
    for (const entry of readdirSync(this.root).filter((name) => name.startsWith(UNFINISHED))) {
      const path = join(this.root, entry);
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat && stat.mtimeMs < Date.now() - UNFINISHED_MS) await rm(path, { recursive: true, force: true });
    }
  }

  /** Takes the folder away from under its name, after which nobody can start the workload. False: there was none. */
  retire(name: string): boolean {
    try {
      renameSync(this.path(name), this.path(RETIRED + name));
      return true;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  /** Deletes what a retired workload left. */
  discard(name: string): void {
    rmSync(`${this.path(name)}.exit`, { force: true });
    rmSync(this.path(RETIRED + name), { recursive: true, force: true });
  }

  private readFolder(name: string, folder: string): WorkloadState | undefined {
    // The end first: what is read after it is then as new as it.
    const outcome = parseOutcome(readText(`${this.path(name)}.exit`));
    if (!statSync(folder, { throwIfNoEntry: false })) return undefined;
    const startLock = readText(join(folder, 'started'));
    return {
      name,
      outcome,
      record: parseRecord(readText(join(folder, 'spec.json')) ?? ''),
      hasStartLock: startLock !== undefined,
      supervisor: startLock ? parseStat(startLock) : undefined,
      sandbox: parseSandboxStatus(readText(join(folder, 'status')) ?? ''),
      complaint: endOf((readText(join(folder, 'stderr')) ?? '').trim()),
    };
  }
}

/** The last of a complaint, from where a line or a word begins: half a path would not be known for one. */
function endOf(text: string): string {
  if (text.length <= MAX_COMPLAINT_CHARS) return text;
  return text.slice(-MAX_COMPLAINT_CHARS).replace(/^[^\n]*\n|^\S*\s?/, '');
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    // Anything else, too many open files for example, must not be taken for "not there".
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
