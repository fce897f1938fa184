import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const MiB = 1024 * 1024;

/** Why no small disk can be mounted here; undefined when one can. */
export function whyNoMount(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'maps-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'pipe' });
    execFileSync('umount', [folder]);
    return undefined;
  } catch (error) {
    const words = String((error as { stderr?: Buffer }).stderr ?? error).split('\n')[0]!;
    return `a tmpfs cannot be mounted (${words.replace(`${folder}: `, '')})`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A disk of its own, in memory, that a test can fill. */
export class SmallDisk {
  readonly path: string;
  private readonly filling: string;

  constructor(megabytes: number) {
    this.path = mkdtempSync(join(tmpdir(), 'maps-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', this.path]);
    this.filling = join(this.path, 'filling');
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  /** Leaves no more than `left` bytes. */
  fill(left = 0): void {
    const folder = this.filling;
    mkdirSync(folder, { recursive: true });
    for (let at = 0; this.freeBytes > left; at++) {
      const bytes = Math.min(this.freeBytes - left, 4 * MiB);
      try {
        writeFileSync(join(folder, `${this.freeBytes}-${at}`), Buffer.alloc(bytes));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
  }

  /** Takes away what `fill` put there. */
  clear(): void {
    rmSync(this.filling, { recursive: true, force: true });
  }

  async unmount(): Promise<void> {
    await promisify(execFile)('umount', ['-l', this.path]);
    rmSync(this.path, { recursive: true, force: true });
  }
}
