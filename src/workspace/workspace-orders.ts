import * as pooled from 'node:fs/promises';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { WorkspaceLayout } from './workspace-layout.js';
import { ORDER_FILE, STOP_FILE } from '../runner/files.js';
import { WITHDRAWN_ORDER } from '../runner/order.js';
import { writeBeside } from './write-beside.js';

const WITHDRAWAL_MS = 24 * 3_600_000;

/** Takes orders back. */
@Injectable()
export class WorkspaceOrders {
  constructor(private readonly layout: WorkspaceLayout) {}

  /**
   * Makes certain that no script is started from this workspace any more, whoever tries it and however late: the order
   * is replaced by one that runners refuse (or stands in its place, so that none can be written), and the stop request
   * lies beside it for a runner that has its order from elsewhere. Both stay for as long as the job does.
   */
  async withdraw(id: string): Promise<void> {
    const { jobDir } = this.layout.paths(id);
    await this.withdrawOrder(id);
    // In place: a runner may hold the file that is there open.
    await writeFile(join(jobDir, STOP_FILE), '0\n', { mode: 0o644 });
  }

  /** As `withdraw`, but whoever has taken the order already goes on with it. */
  async withdrawOrder(id: string): Promise<void> {
    const { jobDir } = this.layout.paths(id);
    await mkdir(jobDir, { recursive: true });
    const order = join(jobDir, ORDER_FILE);
    await rename(await writeBeside(order, WITHDRAWN_ORDER, pooled), order);
  }
}

/** Whether the order was withdrawn within the last day: for so long a server may be paused and still go on. */
export async function isFreshlyWithdrawn(jobDir: string): Promise<boolean> {
  const path = join(jobDir, ORDER_FILE);
  const order = await readFile(path, 'utf8').catch(() => '');
  return order === WITHDRAWN_ORDER && (await stat(path)).mtimeMs > Date.now() - WITHDRAWAL_MS;
}
